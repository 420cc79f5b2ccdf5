"""A transaction that is sent after its mint went to another one: no event tells of that sending."""

from __future__ import annotations

import pytest

from mintline.aws.records import to_item
from mintline.records.operations import Attempt
from mintline.resources import MINTS, TRANSACTIONS
from mintline.states import MintStatus
from mintline_testkit.events import MemoryEventLog
from mintline_testkit.notifier.followers import follower
from mintline_testkit.notifier.tables import MemoryCursors, MemoryTables
from mintline_testkit.records import make_key, make_mint, make_transaction

SENT_AT = 60_000
"""Milliseconds after the mint was accepted at which the first transaction is sent."""


@pytest.mark.parametrize(("moved_at", "times"), [(SENT_AT - 1, 1), (SENT_AT, 1), (SENT_AT + 1, 2)])
async def test_mint__when_its_transaction_is_sent__then_told_if_it_was_carried_by_it_then(
    moved_at: int, times: int
) -> None:
    tables, events = MemoryTables(), MemoryEventLog()
    reader = follower(tables, events, MemoryCursors(), owner="first")
    await reader.poll()
    at, relayer = tables.now, make_key(subject="platform:relayer-1")
    mint = make_mint(sub="alice", custody="sponsored", at=at)
    lost, carrier = (
        make_transaction(relayer, nonce, at=at, kind="batch", operations=(mint.mint_id,)) for nonce in (4, 12)
    )
    tables.put(MINTS, to_item(mint))
    moved = mint.evolve(
        status=MintStatus.BUILT, sender=relayer, nonce=12, built_at=at + moved_at, updated_at=at + moved_at
    )
    tables.put(MINTS, to_item(moved))
    for transaction, sent_at in ((lost, at + SENT_AT), (carrier, at + 2 * SENT_AT)):
        attempt = Attempt(
            tx_hash=bytes([transaction.nonce]) * 32,
            max_fee_per_gas=2,
            max_priority_fee_per_gas=1,
            at=sent_at,
            nonce=transaction.nonce,
        )
        tables.put(TRANSACTIONS, to_item(transaction))
        sent = transaction.evolve(
            state="submitted", attempts=(attempt,), submitted_at=sent_at, updated_at=sent_at
        )
        tables.put(TRANSACTIONS, to_item(sent))
    await reader.poll()

    types = [event.type for event in events.all("alice")]
    assert types == ["mint.accepted", *["mint.submitted"] * times]
