import asyncio
from collections.abc import Sequence

from mintline.aws.dynamo import Dynamo, Put
from mintline.aws.session import AwsCalls
from mintline.records.keys import block_shards
from mintline.resources import MINTS

IN_BLOCK = MINTS.index("in_block")


async def _put(dynamo: Dynamo, shards: Sequence[str]) -> None:
    puts = [
        Put(MINTS, {"mint_id": f"m{number}", "block_shard": shard}) for number, shard in enumerate(shards)
    ]
    await asyncio.gather(*map(dynamo.write, puts))
    await dynamo.write(Put(MINTS, {"mint_id": "in no block"}))


async def test_query_sparse__when_most_partitions_are_empty__then_fifty_share_a_request(
    dynamo: Dynamo, calls: AwsCalls
) -> None:
    partitions = [shard for number in range(60) for shard in block_shards(number)]
    await _put(dynamo, [partitions[0], partitions[0], partitions[49], partitions[479], "60#0"])
    before = calls.counts()

    items = await dynamo.query_sparse(MINTS, index=IN_BLOCK, partitions=partitions, limit=100)

    assert sorted((str(item["mint_id"]), str(item["block_shard"])) for item in items) == [
        ("m0", "0#0"),
        ("m1", "0#0"),
        ("m2", "6#1"),
        ("m3", "59#7"),
    ]
    requests = {key: n - before.get(key, 0) for key, n in calls.counts().items() if n > before.get(key, 0)}
    assert requests == {("dynamodb", "ExecuteStatement"): 10}


async def test_query_sparse__when_no_partition_is_named__then_nothing_is_asked(
    dynamo: Dynamo, calls: AwsCalls
) -> None:
    assert await dynamo.query_sparse(MINTS, index=IN_BLOCK, partitions=[], limit=100) == []
    assert calls.counts() == {}
