"""Requests for many mints and packs of metadata on DynamoDB and S3: written once, and found by the others."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from hashlib import sha256

import pytest

from mintline.aws.dynamo import Dynamo, Put
from mintline.aws.lines import create_mints, read_chunk
from mintline.aws.operations import created
from mintline.aws.records import to_item
from mintline.aws.session import AwsCalls, open_client
from mintline.errors import Unavailable
from mintline.lines import Line, LinesChunk, LinesRequest
from mintline.messages.parts import Fees, KeyRef
from mintline.packs import pack_of
from mintline.records.keys import external_ref
from mintline.records.locks import ExternalId
from mintline.records.operations import Mint
from mintline.records.transactions import Transaction
from mintline.resources import EXTERNAL_IDS, MINTS
from mintline.set_aside import SetAside
from mintline.settings import ServiceSettings
from mintline.states import MintStatus, TransactionState
from mintline_api.features.bulk.records import record_of
from mintline_api.features.bulk.store import DynamoLines, Packs
from mintline_api.features.metadata.store import S3Metadata
from mintline_builder.dynamo_operations import DynamoOperations
from mintline_testkit.constants import CHAIN_ID, CONTRACT
from mintline_testkit.records import make_transaction

pytestmark = pytest.mark.integration

TO = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
RELAYER = KeyRef(address=TO, subject="platform:relayer-1", chain_id=CHAIN_ID, secret_id="s")
LINES = 120


def chunk_of(*, size: int = LINES, named: bool = True, first: int = 1) -> LinesChunk:
    request = LinesRequest(
        request_id="bulk_1", asked_by="shop", client_id="shop", chain_id=CHAIN_ID, contract=CONTRACT
    )
    lines = [
        Line("shop", TO, bytes([n]) * 32, f"order-{n}" if named else None, ("spring",)) for n in range(size)
    ]
    leaves = request.leaves(lines, chunk=0, first_token_id=first)
    return request.chunk(
        lines,
        leaves=leaves,
        first_token_id=first,
        envelope=b"\x02sealed\xff",
        created_at=1_795_398_654_321,
        count=size,
    )


async def test_chunk__when_it_is_kept_twice__then_the_first_one_holds(dynamo: Dynamo) -> None:
    lines, chunk = DynamoLines(dynamo), chunk_of()
    assert await lines.keep(chunk) == chunk
    assert await lines.keep(chunk_of(first=900)) == chunk
    assert await read_chunk(dynamo, "bulk_1", 0, SetAside()) == chunk
    assert await read_chunk(dynamo, "bulk_1", 1, SetAside()) is None


async def test_chunk__when_its_request_comes_again__then_it_is_shown_and_gets_another_authorization(
    dynamo: Dynamo,
) -> None:
    lines, chunk = DynamoLines(dynamo), chunk_of()
    assert await lines.chunk("bulk_1", 0) is None
    await lines.renew("bulk_1", 0, b"fresh")
    assert await lines.chunk("bulk_1", 0) is None, "nothing comes of either"
    await lines.keep(chunk)

    assert await lines.chunk("bulk_1", 0) == chunk
    await lines.renew("bulk_1", 0, b"fresh")

    renewed = chunk.evolve(envelope=b"fresh")
    assert await lines.chunk("bulk_1", 0) == renewed
    assert await read_chunk(dynamo, "bulk_1", 0, SetAside()) == renewed


async def test_mints__when_they_are_created_by_several_at_once__then_each_is_there_once_with_its_name(
    dynamo: Dynamo,
) -> None:
    lines, mints = DynamoLines(dynamo), chunk_of().mints()
    await create_mints(dynamo, mints[30:60])
    await asyncio.gather(*(lines.create_mints(mints) for _ in range(3)))
    stored = await lines.mints([mint.mint_id for mint in mints])
    assert [stored[mint.mint_id] for mint in mints] == list(mints)
    names = await lines.external_ids("shop", [f"order-{n}" for n in range(LINES + 1)])
    assert names == {f"order-{n}": mint.mint_id for n, mint in enumerate(mints)}


async def test_mints__when_a_name_is_taken_meanwhile__then_that_one_is_rejected_and_has_none(
    dynamo: Dynamo,
) -> None:
    lines, mints = DynamoLines(dynamo), chunk_of().mints()
    taken = ExternalId(external_ref=external_ref("shop", "order-7"), mint_id="mint_x")
    await dynamo.write(Put(EXTERNAL_IDS, to_item(taken)))
    for _ in range(2):
        await lines.create_mints(mints)
    assert await lines.statuses([mint.mint_id for mint in mints]) == {
        MintStatus.ACCEPTED: LINES - 1,
        MintStatus.REJECTED: 1,
    }
    rejected = (await lines.mints([mints[7].mint_id]))[mints[7].mint_id]
    assert (rejected.external_id, rejected.problem and rejected.problem.code) == (None, "external_id_used")
    stored = await dynamo.get(MINTS, {"mint_id": rejected.mint_id})
    assert stored is not None
    assert "open_shard" not in stored


async def test_builder__when_mints_of_a_chunk_are_missing__then_it_makes_them(dynamo: Dynamo) -> None:
    chunk = await DynamoLines(dynamo).keep(chunk_of())
    await create_mints(dynamo, chunk.mints()[:3])
    lines = await DynamoOperations(dynamo).lines("bulk_1", 0)
    assert lines.mints == chunk.mints()
    assert lines.authorization.envelope == chunk.envelope
    assert (await DynamoOperations(dynamo).lines("bulk_2", 0)).mints == ()


def batch(mints: tuple[Mint, ...], **fields: object) -> Transaction:
    return make_transaction(
        RELAYER,
        4,
        kind="batch",
        operations=tuple(mint.mint_id for mint in mints),
        gas=1,
        fees=Fees(max_fee_per_gas=2, max_priority_fee_per_gas=1),
    ).evolve(**fields)


@pytest.mark.parametrize(
    ("state", "outcome", "expected"),
    [
        (TransactionState.RESERVED, None, MintStatus.BUILT),
        (TransactionState.MINED, "succeeded", MintStatus.MINED),
        (TransactionState.FINAL, "succeeded", MintStatus.FINALIZED),
    ],
)
async def test_statuses__when_a_batch_carries_some__then_they_are_as_far_as_it_but_for_those_not_made(
    dynamo: Dynamo, state: TransactionState, outcome: str | None, expected: MintStatus
) -> None:
    lines, mints = DynamoLines(dynamo), chunk_of(size=20, named=False).mints()
    carried = [
        mint.evolve(status=MintStatus.BUILT, sender=RELAYER, nonce=4, built_at=2) for mint in mints[:15]
    ]
    for mint in (*carried, *mints[15:]):
        await dynamo.write(Put(MINTS, to_item(mint)))
    not_made = (mints[2].mint_id,) if outcome else None
    await dynamo.write(created(batch(mints[:15], state=state, outcome=outcome, not_made=not_made)))
    ids = [mint.mint_id for mint in mints]
    wanted = {expected: 14 if outcome else 15, MintStatus.ACCEPTED: 5}
    if outcome:
        wanted[MintStatus.REVERTED] = 1
    assert await lines.statuses(ids) == wanted
    one_by_one = [mint.status for mint in (await lines.mints(ids)).values()]
    assert {status: one_by_one.count(status) for status in set(one_by_one)} == wanted
    assert await lines.statuses(["mint_none"]) == {}


async def test_request__when_it_is_recorded_twice__then_the_first_record_stays(dynamo: Dynamo) -> None:
    lines, record = DynamoLines(dynamo), record_of(chunk_of())
    assert await lines.request("bulk_1") is None
    await lines.record(record)
    await lines.record(record.model_copy(update={"created_at": 5}))
    assert await lines.request("bulk_1") == record


async def test_pack__when_it_is_announced__then_each_token_is_served_out_of_it_and_others_of_their_own(
    dynamo: Dynamo, stack: AsyncExitStack, aws_settings: ServiceSettings, aws_prefix: str
) -> None:
    s3 = await open_client(stack, "s3", aws_settings, calls=AwsCalls())
    packs = Packs(s3, dynamo, prefix=aws_prefix)
    store = S3Metadata(s3, dynamo, prefix=aws_prefix, chain_id=CHAIN_ID)
    texts = [f'{{"name":"№ {n}"}}' for n in range(5)]
    for first in (10, 100):
        pack = pack_of(CHAIN_ID, CONTRACT, first, texts)
        for _ in range(2):
            await packs.put(pack)
            await packs.announce(pack.index)
    for first in (10, 100):
        served = [await store.read_token(CONTRACT, first + n) for n in range(5)]
        assert served == [text.encode() for text in texts]
    assert [await store.read_token(CONTRACT, token) for token in (9, 15, 99, 105)] == [None] * 4
    later = pack_of(CHAIN_ID, CONTRACT, 12, ['{"name":"of a token id that was given out again"}'])
    await packs.put(later)
    await packs.announce(later.index)
    minted = texts[2].encode()
    assert await store.read_token(CONTRACT, 12) == later.body
    assert await store.find_token(CONTRACT, 12, sha256(minted).digest()) == minted
    assert await store.find_token(CONTRACT, 12, sha256(b"neither").digest()) is None
    with pytest.raises(Unavailable, match="another pack"):
        await packs.announce(pack_of(CHAIN_ID, CONTRACT, 10, ['{"name":"other"}']).index)


async def test_pack__when_hundreds_begin_between_it_and_a_token__then_its_text_is_found(
    dynamo: Dynamo, stack: AsyncExitStack, aws_settings: ServiceSettings, aws_prefix: str
) -> None:
    """As after a backup was restored: a request for many had the ids that were then given out one by one."""
    s3 = await open_client(stack, "s3", aws_settings, calls=AwsCalls())
    packs = Packs(s3, dynamo, prefix=aws_prefix)
    store = S3Metadata(s3, dynamo, prefix=aws_prefix, chain_id=CHAIN_ID)
    minted = pack_of(CHAIN_ID, CONTRACT, 1, [f'{{"name":"№ {n}"}}' for n in range(250)])
    await packs.put(minted)
    again = [pack_of(CHAIN_ID, CONTRACT, first, ["{}"] * 2) for first in range(2, 249, 2)]
    await asyncio.gather(*(packs.announce(pack.index) for pack in (minted, *again)))

    assert len(again) > 100
    wanted = b'{"name":"\xe2\x84\x96 249"}'
    assert await store.find_token(CONTRACT, 250, sha256(wanted).digest()) == wanted
