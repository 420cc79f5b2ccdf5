"""Small defects of the broadcaster that its other tests let pass: each of these fails with one of them."""

from __future__ import annotations

from typing import Any

import pytest

from mintline.aws.dynamo import Clause
from mintline.aws.operations import attempt_item
from mintline.aws.records import OPEN, transition
from mintline.records.operations import Attempt
from mintline.states import MintStatus, TransactionState
from mintline_broadcaster.dynamo import DynamoTransactionStore
from mintline_broadcaster.pending import newest
from mintline_broadcaster.sweep_schedule import due
from mintline_testkit.broadcaster.harness import Harness
from mintline_testkit.broadcaster.intents import mint_intent


async def test_sweep__when_a_mint_s_block_is_not_final__then_it_is_not_ended_by_an_earlier_token(
    harness: Harness,
) -> None:
    intent = mint_intent()
    transfer = harness.redeemed(intent, block=1)
    harness.built(
        intent,
        custody="self",
        sender=None,
        nonce=None,
        status=MintStatus.MINED,
        tx_hash=transfer.tx_hash,
        block_number=9,
        block_hash=bytes(32),
    )
    harness.chain.mine()
    harness.finalize()
    await harness.sweep(after=600)
    assert harness.mint(intent).status is MintStatus.MINED


@pytest.mark.parametrize(("sweeps", "doublings"), [(0, 0), (3, 3), (6, 6), (7, 6), (500, 6)])
def test_patience__when_a_mint_was_sent_on_often__then_it_doubles_six_times_at_most(
    harness: Harness, sweeps: int, doublings: int
) -> None:
    mint = harness.built(mint_intent(), updated_at=1, swept_at=1_000, sweeps=sweeps)
    assert due(mint, 60_000) == 1_000 + 60_000 * 2**doublings


@pytest.mark.parametrize("attempts", ["no-op first", "no-op last"])
def test_newest__when_a_nonce_has_a_no_op__then_that_is_looked_after(harness: Harness, attempts: str) -> None:
    own, noop, higher = (
        Attempt(
            tx_hash=bytes([n]) * 32,
            max_fee_per_gas=n,
            max_priority_fee_per_gas=1,
            at=n,
            fills=True if n > 1 else None,
        )
        for n in (1, 2, 3)
    )
    ordered = (noop, higher, own) if attempts == "no-op first" else (own, noop, higher)
    assert newest(harness.reserved(mint_intent(), attempts=ordered)) == higher


class Recorder:
    """A Dynamo that keeps what it is asked to write."""

    def __init__(self) -> None:
        self.changes: list[Any] = []

    async def write(self, change: Any) -> None:
        self.changes.append(change)


async def test_attempt__when_it_is_added__then_only_to_those_that_were_read(harness: Harness) -> None:
    first, second = (
        Attempt(tx_hash=bytes([n]) * 32, max_fee_per_gas=n, max_priority_fee_per_gas=1, at=n) for n in (1, 2)
    )
    transaction = harness.reserved(mint_intent(), state=TransactionState.SUBMITTED, attempts=(first,))
    recorder: Any = Recorder()
    await DynamoTransactionStore(recorder, chain_id=31337).add_attempt(transaction, second)
    [update] = recorder.changes
    known: list[Any] = [attempt_item(first)]
    assert Clause("attempts_unchanged", "attempts", "eq", (known,)) in update.where
    assert Clause("still_there", "state", "eq", ("submitted",)) in update.where
    assert Clause("not_filled", "filling_at", "missing") in update.where
    assert update.set["attempts"] == [*known, attempt_item(second)]


@pytest.mark.parametrize("target", list(MintStatus))
def test_transition__when_a_mint_may_still_move__then_it_stays_among_the_open_ones(
    target: MintStatus,
) -> None:
    ends = {MintStatus.FINALIZED, MintStatus.REJECTED}
    assert (OPEN in transition("mint_1", target, at=1).remove) == (target in ends)
