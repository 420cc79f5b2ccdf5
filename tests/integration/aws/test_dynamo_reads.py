import asyncio

from mintline.aws.dynamo import GONE, Dynamo, Item, Put
from mintline.aws.session import AwsCalls
from mintline.resources import BLOCKS, MINTS


async def test_get__when_many_ask_together__reads_each_key_once(dynamo: Dynamo, calls: AwsCalls) -> None:
    await asyncio.gather(*(dynamo.write(Put(MINTS, {"mint_id": f"m{i}", "n": i})) for i in range(60)))
    before = calls.counts()
    items = await asyncio.gather(*(dynamo.get(MINTS, {"mint_id": f"m{i % 70}"}) for i in range(140)))
    assert [item["n"] if item else None for item in items] == [
        i % 70 if i % 70 < 60 else None for i in range(140)
    ]
    requests = {key: n - before.get(key, 0) for key, n in calls.counts().items()}
    assert requests["dynamodb", "BatchGetItem"] == 2


async def test_get_each__when_there_are_hundreds__then_they_come_in_order_by_full_requests(
    dynamo: Dynamo, calls: AwsCalls
) -> None:
    await asyncio.gather(*(dynamo.write(Put(MINTS, {"mint_id": f"m{i}", "n": i})) for i in range(60)))
    before = calls.counts()
    items = await dynamo.get_each(MINTS, [{"mint_id": f"m{i % 70}"} for i in range(230)])
    assert [item["n"] if item else None for item in items] == [
        i % 70 if i % 70 < 60 else None for i in range(230)
    ]
    requests = {key: n - before.get(key, 0) for key, n in calls.counts().items()}
    assert requests["dynamodb", "BatchGetItem"] == 3
    assert await dynamo.get_each(MINTS, []) == []


async def test_read__when_an_item_is_a_marker_of_one_that_is_gone__then_there_is_none(dynamo: Dynamo) -> None:
    for n in range(6):
        mark = {GONE: True} if n in (0, 2, 3) else {}
        await dynamo.write(Put(BLOCKS, {"chain": "1", "position": f"b{n}", "n": n, **mark}))
    keys: list[Item] = [{"chain": "1", "position": f"b{n}"} for n in range(3)]
    assert [item and item["n"] for item in await dynamo.get_each(BLOCKS, keys)] == [None, 1, None]
    first = await dynamo.query(BLOCKS, partition="1", limit=2)
    assert [item["n"] for item in first.items] == [1, 4]
    second = await dynamo.query(BLOCKS, partition="1", limit=2, start=first.next)
    assert ([item["n"] for item in second.items], second.next) == ([5], None)


async def test_get__when_keys_have_two_parts__ignores_their_order(
    dynamo: Dynamo,
) -> None:
    await dynamo.write(Put(BLOCKS, {"chain": "1", "position": "2", "x": "a"}))
    await dynamo.write(Put(BLOCKS, {"chain": "2", "position": "1", "x": "b"}))
    first, same, second = await asyncio.gather(
        dynamo.get(BLOCKS, {"chain": "1", "position": "2"}),
        dynamo.get(BLOCKS, {"position": "2", "chain": "1"}),
        dynamo.get(BLOCKS, {"chain": "2", "position": "1"}),
    )
    assert first == same == {"chain": "1", "position": "2", "x": "a"}
    assert second == {"chain": "2", "position": "1", "x": "b"}


async def test_get__when_the_answer_exceeds_a_page__reads_on(dynamo: Dynamo) -> None:
    big = "x" * 350_000
    await asyncio.gather(*(dynamo.write(Put(MINTS, {"mint_id": f"m{i}", "big": big})) for i in range(60)))
    items = await asyncio.gather(*(dynamo.get(MINTS, {"mint_id": f"m{i}"}) for i in range(60)))
    assert all(item is not None and item["big"] == big for item in items)


async def test_query__when_there_are_more_than_the_limit__pages_through_in_order(dynamo: Dynamo) -> None:
    for n in range(7):
        await dynamo.write(Put(BLOCKS, {"chain": "1", "position": f"b{n}", "n": n}))
    await dynamo.write(Put(BLOCKS, {"chain": "1", "position": "c0", "n": 99}))
    await dynamo.write(Put(BLOCKS, {"chain": "2", "position": "b9", "n": 98}))
    seen: list[object] = []
    page = await dynamo.query(BLOCKS, partition="1", sort_begins="b", limit=3)
    seen += [item["n"] for item in page.items]
    while page.next is not None:
        page = await dynamo.query(BLOCKS, partition="1", sort_begins="b", limit=3, start=page.next)
        seen += [item["n"] for item in page.items]
    assert seen == list(range(7))
    newest = await dynamo.query(BLOCKS, partition="1", forward=False, limit=2)
    assert [item["n"] for item in newest.items] == [99, 6]


async def test_query__when_by_index__returns_its_keys(dynamo: Dynamo) -> None:
    for n in range(3):
        item = {"mint_id": f"m{n}", "sub": "alice", "created_key": f"{n}#m{n}", "metadata": "x"}
        await dynamo.write(Put(MINTS, dict(item)))
    page = await dynamo.query(MINTS, index=MINTS.index("by_user"), partition="alice", forward=False, limit=10)
    assert [item["mint_id"] for item in page.items] == ["m2", "m1", "m0"]
    assert "metadata" not in page.items[0]
    assert page.next is None
