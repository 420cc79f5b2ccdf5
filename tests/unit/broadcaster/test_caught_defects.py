"""Small defects of the broadcaster that its other tests let pass: each of these fails with one of them."""

from __future__ import annotations

from typing import Any

import pytest

from mintline.aws.dynamo import Clause
from mintline.aws.records import OPEN, transition
from mintline.records import Attempt
from mintline.states import MintStatus
from mintline_broadcaster import sweep as sweeping
from mintline_broadcaster.bare import Bare
from mintline_broadcaster.dynamo import DynamoLedger
from mintline_broadcaster.sweeping import due
from mintline_broadcaster.watch import _rank


async def test_sweep__when_a_pass_begins_in_the_middle__then_it_does_not_count_as_complete(
    world: Any, make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweeping, "PAGE", 2)
    monkeypatch.setattr(sweeping, "MAX_PAGES", 1)
    for nonce in range(30):
        world.built(make(nonce), status=MintStatus.ACCEPTED)
    sweeper = world.sweeper()
    shard = "0"
    seen, passes = 0, []
    for _ in range(30):
        found, complete = await sweeper._read_shard(shard)
        seen += len(found)
        passes.append(complete)
        if shard not in sweeper._starts:
            break
    assert seen > 2
    assert passes == [False] * len(passes)
    monkeypatch.setattr(sweeping, "PAGE", 100)
    assert (await sweeper._read_shard(shard))[1]


async def test_sweep__when_a_mint_s_block_is_not_final__then_it_is_not_ended_by_an_earlier_token(
    world: Any, make: Any
) -> None:
    intent = make()
    made = world.redeemed(intent, block=1)
    world.built(
        intent,
        status=MintStatus.MINED,
        tx_hash=made.tx_hash,
        block_number=9,
        block_hash=bytes(32),
    )
    world.chain.mine()
    world.finalize()
    await world.sweep(after=600)
    assert world.mint(intent).status is MintStatus.MINED


@pytest.mark.parametrize(("sweeps", "doublings"), [(0, 0), (3, 3), (6, 6), (7, 6), (500, 6)])
def test_patience__when_a_mint_was_sent_on_often__then_it_doubles_six_times_at_most(
    world: Any, make: Any, sweeps: int, doublings: int
) -> None:
    mint = world.built(make(), updated_at=1, swept_at=1_000, sweeps=sweeps)
    assert due(mint, 60_000) == 1_000 + 60_000 * 2**doublings


def test_rank__when_a_nonce_has_a_no_op_and_a_later_attempt__then_the_no_op_comes_last() -> None:
    top_up = Bare(b"\1" * 32, "a", 0, attempt=9, at=1, fills=False)
    noop = Bare(b"\2" * 32, "a", 0, attempt=1, at=1, fills=True)
    dearer = Bare(b"\3" * 32, "a", 0, attempt=2, at=1, fills=True)
    assert sorted([dearer, noop, top_up], key=_rank) == [top_up, noop, dearer]


class Recorder:
    """A Dynamo that keeps what it is asked to write."""

    def __init__(self) -> None:
        self.changes: list[Any] = []

    async def write(self, change: Any) -> None:
        self.changes.append(change)


async def test_attempt__when_it_is_added__then_only_to_those_that_were_read(world: Any, make: Any) -> None:
    first, second = (
        Attempt(tx_hash=bytes([n]) * 32, max_fee_per_gas=n, max_priority_fee_per_gas=1, at=n) for n in (1, 2)
    )
    mint = world.built(make(), status=MintStatus.SUBMITTED, attempts=(first,))
    recorder: Any = Recorder()
    await DynamoLedger(recorder, chain_id=31337).add_attempt(mint, second)
    [update] = recorder.changes
    known: list[Any] = [first.model_dump(mode="json")]
    assert Clause("attempts_unchanged", "attempts", "eq", (known,)) in update.where
    assert Clause("still_submitted", "status", "eq", ("submitted",)) in update.where
    assert update.set["attempts"] == [*known, second.model_dump(mode="json")]


@pytest.mark.parametrize("target", list(MintStatus))
def test_transition__when_a_mint_may_still_move__then_it_stays_among_the_open_ones(
    target: MintStatus,
) -> None:
    ends = {MintStatus.FINALIZED, MintStatus.REJECTED}
    assert (OPEN in transition("mint_1", target, at=1).remove) == (target in ends)
    assert OPEN not in transition("mint_1", target, at=1, stays_open=True).remove
