"""A transaction that is sent after its mint went to another one: no event tells of that sending."""

from __future__ import annotations

import pytest

from mintline.aws.records import to_item
from mintline.records.operations import Attempt, Mint
from mintline.records.transactions import Transaction
from mintline.resources import MINTS, TRANSACTIONS
from mintline.states import MintStatus
from mintline_testkit.events import MemoryEventLog
from mintline_testkit.notifier.followers import follower
from mintline_testkit.notifier.tables import MemoryCursors, MemoryTables
from mintline_testkit.records import make_key, make_mint, make_transaction

RELAYER = make_key(subject="platform:relayer-1")


@pytest.mark.parametrize("polls", ["after each write", "at the end"])
@pytest.mark.parametrize(("order", "times"), [("left, sent", 1), ("sent, left", 2)])
async def test_mint__when_a_transaction_is_sent__then_that_is_told_if_the_mint_had_not_left_it(
    order: str, times: int, polls: str
) -> None:
    tables, events = MemoryTables(), MemoryEventLog()
    reader = follower(tables, events, MemoryCursors(), owner="first")
    await reader.poll()
    at = tables.now
    mint = make_mint(sub="alice", custody="sponsored", at=at)
    first, second = (
        make_transaction(RELAYER, nonce, at=at, kind="batch", operations=(mint.mint_id,)) for nonce in (4, 12)
    )
    left = first.evolve(left=(mint.mint_id,))
    writes: list[Mint | Transaction] = [mint, carried(mint, first), first]
    writes += [left, sent(left)] if order == "left, sent" else [sent(first), sent(left)]
    writes += [carried(mint, second), second, sent(second)]
    for record in writes:
        tables.put(MINTS if isinstance(record, Mint) else TRANSACTIONS, to_item(record))
        if polls == "after each write":
            await reader.poll()
    await reader.poll()

    types = [event.type for event in events.all("alice")]
    assert types == ["mint.accepted", *["mint.submitted"] * times]


async def test_batch__when_it_is_sent_after_some_of_its_mints_left__then_that_is_told_of_the_others() -> None:
    tables, events = MemoryTables(), MemoryEventLog()
    reader = follower(tables, events, MemoryCursors(), owner="first")
    await reader.poll()
    at = tables.now
    mints = [make_mint(name, sub=name, custody="sponsored", at=at) for name in ("alice", "bob")]
    batch = make_transaction(RELAYER, 4, at=at, kind="batch", operations=("alice", "bob"))
    for mint in mints:
        tables.put(MINTS, to_item(mint))
        tables.put(MINTS, to_item(carried(mint, batch)))
    for record in (batch, batch.evolve(left=("bob",)), sent(batch.evolve(left=("bob",)))):
        tables.put(TRANSACTIONS, to_item(record))
    await reader.poll()

    assert [event.type for event in events.all("alice")] == ["mint.accepted", "mint.submitted"]
    assert [event.type for event in events.all("bob")] == ["mint.accepted"]


def carried(mint: Mint, by: Transaction) -> Mint:
    """Return a mint as a transaction's claim leaves it."""
    return mint.evolve(status=MintStatus.BUILT, sender=by.signer, nonce=by.nonce, built_at=by.reserved_at)


def sent(transaction: Transaction) -> Transaction:
    """Return a transaction with one attempt."""
    at = transaction.reserved_at + 1
    attempt = Attempt(
        tx_hash=bytes([transaction.nonce]) * 32,
        max_fee_per_gas=2,
        max_priority_fee_per_gas=1,
        at=at,
        nonce=transaction.nonce,
    )
    return transaction.evolve(state="submitted", attempts=(attempt,), submitted_at=at)
