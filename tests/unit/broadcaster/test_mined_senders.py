"""Senders of which all that is old is mined: the sweep reads no more of theirs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mintline.errors import Unavailable, Unusable
from mintline.resources import SIGN
from mintline.states import TransactionState
from mintline_broadcaster import sweep as sweeping
from mintline_broadcaster.sweep_operations import RESTING_SECONDS
from mintline_testkit.broadcaster.harness import Harness
from mintline_testkit.broadcaster.intents import mint_intent

OLD = 60.0
"""Seconds after which a transaction is old enough to be asked for again."""


def mined(harness: Harness, nonce: int, *, sender: int = 0, **changes: Any) -> None:
    intent = mint_intent(nonce, sender=sender)
    fields: dict[str, Any] = {
        "state": TransactionState.MINED,
        "outcome": "succeeded",
        "tx_hash": bytes(32),
        "block_number": 1,
        "block_hash": bytes(32),
        "mined_at": harness.now,
        "reserved_at": harness.now,
        "updated_at": harness.now,
    }
    harness.reserved(intent, **{**fields, **changes})


@pytest.fixture
def checked(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the senders of which all open transactions were read, as they are."""
    senders: list[str] = []
    reading = harness.store.transactions_from

    async def counting(first: Any) -> Any:
        senders.append(first.sender_id)
        return await reading(first)

    monkeypatch.setattr(harness.store, "transactions_from", counting)
    return senders


async def test_sweep__when_all_old_transactions_are_mined__then_no_sender_is_checked(
    harness: Harness, checked: list[str]
) -> None:
    for sender in range(3):
        mined(harness, 0, sender=sender)
    harness.now += int(OLD * 1000)
    harness.reserved(mint_intent(1), reserved_at=harness.now, updated_at=harness.now)
    sweeper = harness.sweeper()
    for _ in range(2):
        assert await sweeper.sweep()
    assert checked == []


async def test_sweep__when_one_of_a_senders_transactions_is_stuck__then_that_sender_is_checked(
    harness: Harness, checked: list[str]
) -> None:
    for sender in range(2):
        mined(harness, 0, sender=sender)
    harness.built(mint_intent(1), created_at=harness.now, updated_at=harness.now)
    stuck = harness.reserved(mint_intent(1), reserved_at=harness.now, updated_at=harness.now)
    await harness.sweep(after=OLD)
    assert checked == [stuck.sender_id]
    assert [intent.nonce for intent in await harness.sent_to(SIGN)] == [1]


@pytest.mark.parametrize(
    ("count", "after"),
    [
        pytest.param(1, RESTING_SECONDS, id="older than a rest"),
        pytest.param(sweeping.FEW + 1, OLD, id="many"),
    ],
)
async def test_sweep__when_mined_transactions_are_older_or_more__then_their_sender_is_checked(
    harness: Harness, checked: list[str], count: int, after: float
) -> None:
    for nonce in range(count):
        mined(harness, nonce)
    await harness.sweep(after=after)
    assert len(checked) == 1


async def test_sweep__when_a_batch_failed_and_is_to_be_split__then_its_sender_is_checked(
    harness: Harness, checked: list[str]
) -> None:
    mined(harness, 0, kind="batch", outcome="failed")
    await harness.sweep(after=OLD)
    assert len(checked) == 1


@pytest.mark.parametrize("fault", [Unusable, Unavailable])
async def test_sweep__when_a_transaction_is_not_read__then_its_sender_alone_is_checked(
    harness: Harness, checked: list[str], monkeypatch: pytest.MonkeyPatch, fault: Callable[[str], Exception]
) -> None:
    for sender in range(2):
        mined(harness, 0, sender=sender)
    reading = harness.store.transaction
    damaged = harness.transaction(mint_intent(0))

    async def failing(place: Any) -> Any:
        if place == damaged.key:
            raise fault("a record")
        return await reading(place)

    monkeypatch.setattr(harness.store, "transaction", failing)
    await harness.sweep(after=OLD)
    assert checked == [damaged.sender_id]
