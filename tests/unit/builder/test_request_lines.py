"""A chunk of a request for many mints: one message, one batch, and each line once, whatever happens."""

from __future__ import annotations

from typing import Any

import pytest

from mintline.chain.calls import CallReverted
from mintline.chain.collection import Revert
from mintline.errors import Conflict, Deferred, Unavailable
from mintline.lines import Line, LinesChunk, LinesRequest
from mintline.messages.intents import SignBatch
from mintline.messages.work import BuildLines, BuildMint
from mintline.records.operations import Mint
from mintline.records.transactions import Transaction, carried_by
from mintline.states import MintStatus
from mintline_builder.batch_claims import LineClaim, in_transactions
from mintline_builder.waiting import NO_RELAYER
from mintline_testkit.builder.harness import Builder, Harness, accepted_mint, address
from mintline_testkit.constants import CHAIN_ID, CONTRACT

LINES = 7


@pytest.fixture
def harness() -> Harness:
    return Harness()


def chunk_of(size: int = LINES, *, request_id: str = "bulk_1", first: int = 1) -> LinesChunk:
    request = LinesRequest(
        request_id=request_id, asked_by="shop", client_id="shop", chain_id=CHAIN_ID, contract=CONTRACT
    )
    lines = [Line("shop", address(f"user{n}"), bytes([n % 256]) * 32) for n in range(size)]
    leaves = request.leaves(lines, chunk=0, first_token_id=first)
    return request.chunk(
        lines,
        leaves=leaves,
        first_token_id=first,
        envelope=b"sealed",
        created_at=1_700_000_000_000,
        count=size,
    )


def keep(harness: Harness, chunk: LinesChunk, *, mints: int | None = None) -> list[str]:
    """Put a chunk on record, with so many of its mints."""
    harness.tables.chunks[chunk.request_id, chunk.chunk] = chunk
    for mint in chunk.mints()[:mints]:
        harness.tables.mints[mint.mint_id] = mint
    return list(chunk.mint_ids)


async def build(builder: Builder, request_id: str = "bulk_1") -> None:
    await builder.handle(BuildLines(request_id=request_id, chunk=0))


def batches(harness: Harness) -> list[Transaction]:
    return [
        transaction for transaction in harness.tables.transactions.values() if transaction.kind == "batch"
    ]


def signed(harness: Harness) -> list[SignBatch]:
    return [message for message in harness.messages() if isinstance(message, SignBatch)]


async def test_lines__when_their_chunk_is_built__then_one_batch_has_them_in_order(harness: Harness) -> None:
    names = keep(harness, chunk_of())

    await build(harness.builder())

    [batch], [intent] = batches(harness), signed(harness)
    assert list(batch.operations) == names == [line.mint_id for line in intent.mints]
    assert [line.request and line.request.line for line in intent.mints] == list(range(LINES))
    assert {harness.mint(name).status for name in names} == {MintStatus.BUILT}
    assert harness.metadata.objects == {}, "the api has published the pack"


async def test_lines__when_the_message_comes_again__then_the_same_batch_is_sent_on(harness: Harness) -> None:
    keep(harness, chunk_of())
    await build(harness.builder())
    await build(harness.builder())
    assert len(batches(harness)) == 1
    assert len(signed(harness)) == 1, "the queue drops the second copy"


@pytest.mark.parametrize("mints", [0, 1, LINES - 1])
async def test_lines__when_some_are_not_on_record__then_they_are_made_and_built(
    harness: Harness, mints: int
) -> None:
    names = keep(harness, chunk_of(), mints=mints)
    await build(harness.builder())
    assert {harness.mint(name).status for name in names} == {MintStatus.BUILT}
    assert [batch.operations for batch in batches(harness)] == [tuple(names)]


async def test_lines__when_one_is_refused__then_it_ends_alone(harness: Harness) -> None:
    names = keep(harness, chunk_of())
    bad = address("user3")

    harness.chain.refusing[bad] = CallReverted(Revert("ERC721InvalidReceiver", {"receiver": bad}), "no")
    await build(harness.builder())
    statuses = [harness.mint(name).status for name in names]
    assert statuses.count(MintStatus.BUILT) == LINES - 1
    assert statuses[3] is MintStatus.REJECTED


async def test_lines__when_nobody_may_send_them__then_all_wait_and_go_on_later(harness: Harness) -> None:
    names = keep(harness, chunk_of())
    relayers, harness.relayers = harness.relayers, ()
    await build(harness.builder())
    assert {harness.mint(name).waiting for name in names} == {NO_RELAYER}
    harness.relayers = relayers
    await build(harness.builder())
    assert {harness.mint(name).status for name in names} == {MintStatus.BUILT}


async def test_lines__when_the_chain_does_not_answer__then_the_message_comes_again(harness: Harness) -> None:
    names = keep(harness, chunk_of())
    builder = harness.builder()

    harness.chain.failure = Unavailable("no node")
    with pytest.raises(Unavailable):
        await build(builder)
    assert {harness.mint(name).status for name in names} == {MintStatus.ACCEPTED}


async def test_lines__when_their_chunk_is_not_on_record_any_more__then_they_are_rejected(
    harness: Harness,
) -> None:
    names = keep(harness, chunk_of())
    harness.tables.chunks.clear()
    await build(harness.builder())
    ended = [harness.mint(name) for name in names]
    assert {(mint.status, mint.problem and mint.problem.code) for mint in ended} == {
        (MintStatus.REJECTED, "authorization_missing")
    }


async def test_line__when_it_is_asked_for_alone__then_it_is_built_with_its_requests_authorization(
    harness: Harness,
) -> None:
    names = keep(harness, chunk_of())
    from mintline.authorizations import Authorization, chunk_key

    harness.tables.authorizations["bulk_1", chunk_key(0)] = Authorization(envelope=b"sealed")
    builder = harness.builder()
    await builder.handle(BuildMint(mint_id=names[2]))
    assert [batch.operations for batch in batches(harness)] == [(names[2],)]
    await build(builder)
    assert sorted(len(batch.operations) for batch in batches(harness)) == [1, LINES - 1]
    assert {harness.mint(name).status for name in names} == {MintStatus.BUILT}


async def test_lines__when_a_batch_takes_fewer__then_they_go_into_several(harness: Harness) -> None:
    harness.max_batch = 3
    names = keep(harness, chunk_of())
    await build(harness.builder())
    assert sorted(len(batch.operations) for batch in batches(harness)) == [1, 3, 3]
    carried = [name for batch in batches(harness) for name in batch.operations]
    assert sorted(carried) == sorted(names)


CRASHES = ["commit", "claim", "seal", "send"]


@pytest.mark.parametrize("step", CRASHES)
@pytest.mark.parametrize("after", [False, True], ids=["before it", "after it"])
async def test_lines__when_the_builder_dies_at_a_write__then_each_is_in_one_batch_in_the_end(
    harness: Harness, step: str, *, after: bool
) -> None:
    names = keep(harness, chunk_of())
    port = harness.outbox if step == "send" else harness.accounts
    original = getattr(port, step)
    died: list[str] = []

    async def dying(*args: Any, **named: Any) -> Any:
        if died:
            return await original(*args, **named)
        died.append(step)
        if after:
            await original(*args, **named)
        raise Unavailable("killed")

    setattr(port, step, dying)
    with pytest.raises((Unavailable, Deferred, Conflict)):
        await build(harness.builder())
    again = harness.builder()
    for batch in batches(harness):
        await again.handle(finish(batch))
    await build(again)
    for batch in batches(harness):
        await again.handle(finish(batch))
    carried = [name for batch in batches(harness) if batch.filling_at is None for name in batch.operations]
    assert sorted(carried) == sorted(names)
    assert sorted(line.mint_id for intent in signed(harness) for line in intent.mints) == sorted(names)
    for name in names:
        assert carried_by(harness.mint(name)) is not None


def finish(batch: Transaction) -> Any:
    from mintline.messages.work import FinishBatch

    return FinishBatch(sender=batch.signer.address, nonce=batch.nonce)


def claims(mints: list[Mint]) -> list[int]:
    return [len(part) for part in in_transactions([LineClaim(mint, 7) for mint in mints])]


def test_claims__when_mints_are_accepted__then_99_share_a_transaction_with_their_batch() -> None:
    assert claims([accepted_mint(f"m{n}") for n in range(250)]) == [99, 99, 52]


def test_claims__when_nonces_are_spent__then_each_of_them_is_checked_too() -> None:
    mints = [accepted_mint(f"m{n}").model_copy(update={"nonce": 3}) for n in range(120)]
    assert claims(mints) == [98, 22]
    each = [accepted_mint(f"m{n}").model_copy(update={"nonce": n}) for n in range(120)]
    assert claims(each) == [49, 49, 22]
