"""The sweep sends on what stopped moving, from the records alone, in as many copies as run."""

from __future__ import annotations

import asyncio
import itertools
import random
from typing import Any

import pytest

from mintline.errors import Unavailable
from mintline.messages import BuildMint
from mintline.resources import BUILD, SIGN
from mintline.states import MintStatus, TransactionState
from mintline_broadcaster import sweep as sweeping
from mintline_broadcaster.ports import Final


def opened(world: Any, intent: Any, **changes: Any) -> Any:
    """Put a mint on record that was created, and last moved, just now."""
    return world.built(intent, **{"created_at": world.now, "updated_at": world.now, **changes})


async def test_sweep__when_a_mint_was_never_built__then_it_is_asked_for_again(world: Any, make: Any) -> None:
    intent = make()
    opened(world, intent, status=MintStatus.ACCEPTED)
    await world.sweep(after=59)
    assert await world.sent_to(BUILD) == []
    await world.sweep(after=1)
    [message] = await world.sent_to(BUILD)
    assert message == BuildMint(trace=intent.trace, mint_id=intent.mint_id)
    assert world.counted("sweeps_total", status="accepted") == 1


@pytest.mark.parametrize("kind", ["make", "make_top_up"])
async def test_sweep__when_a_nonce_was_reserved_and_never_signed__then_that_is_asked_for_again(
    world: Any, request: pytest.FixtureRequest, kind: str
) -> None:
    intent = request.getfixturevalue(kind)()
    if kind == "make":
        opened(world, intent)
    world.reserved(intent, reserved_at=world.now, updated_at=world.now)
    await world.sweep(after=59)
    assert await world.sent_to(SIGN) == []
    await world.sweep(after=1)
    assert await world.sent_to(SIGN) == [intent]
    assert world.counted("sweeps_total", status="reserved") == 1


async def test_sweep__when_it_was_in_vain__then_its_patience_doubles(world: Any, make: Any) -> None:
    opened(world, make(), status=MintStatus.ACCEPTED)
    asked = []
    for second in range(0, 3600, 10):
        await world.sweep(after=10)
        asked += [second for _ in await world.sent_to(BUILD)]
    assert len(asked) == 5
    assert [later - earlier for earlier, later in itertools.pairwise(asked)] == [
        120,
        240,
        480,
        960,
    ]


async def test_sweep__when_the_mint_moved_since__then_its_patience_starts_afresh(
    world: Any, make: Any
) -> None:
    intent = make()
    mint = opened(world, intent, status=MintStatus.ACCEPTED)
    for _ in range(4):
        await world.sweep(after=600)
    assert world.mint(intent).sweeps > 2
    await world.sent_to(BUILD)
    world.store.mints[mint.mint_id] = world.mint(intent).evolve(updated_at=world.now + 1)
    await world.sweep(after=61)
    assert len(await world.sent_to(BUILD)) == 1
    assert world.mint(intent).sweeps == 1


async def test_sweep__when_many_copies_see_the_same_mint__then_one_sends_it_on(world: Any, make: Any) -> None:
    opened(world, make(), status=MintStatus.ACCEPTED)
    world.now += 60_000
    await asyncio.gather(*(world.sweeper().sweep() for _ in range(8)))
    assert world.counted("sweeps_total", status="accepted") == 1
    assert len(await world.sent_to(BUILD)) == 1


async def test_sweep__when_a_copy_dies_after_its_mark__then_the_next_one_sends_the_mint_on(
    world: Any, make: Any
) -> None:
    opened(world, make(), status=MintStatus.ACCEPTED)

    class Dead:
        async def send(self, *_: Any, **__: Any) -> None:
            raise Unavailable("SQS")

    world.now += 60_000
    with pytest.raises(Unavailable):
        await world.sweeper(outbox=Dead()).sweep()
    await world.sweep(after=60)
    assert await world.sent_to(BUILD) == []
    await world.sweep(after=60)
    assert len(await world.sent_to(BUILD)) == 1


@pytest.mark.parametrize(
    "status", [MintStatus.MINED, MintStatus.REVERTED, MintStatus.FINALIZED, MintStatus.REJECTED]
)
async def test_sweep__when_a_mint_needs_nothing__then_nothing_is_asked(
    world: Any, make: Any, status: MintStatus
) -> None:
    opened(world, make(), status=status)
    if status is MintStatus.REJECTED:
        world.change(make(), state=TransactionState.FINAL, outcome="filled")
    for _ in range(5):
        await world.sweep(after=1000)
    assert await world.sent_to(BUILD) == await world.sent_to(SIGN) == []
    assert world.chain.sends == []


@pytest.mark.parametrize("status", [MintStatus.ISSUED, MintStatus.SUBMITTED])
async def test_sweep__when_a_voucher_can_never_be_redeemed_any_more__then_its_mint_ends(
    world: Any, make: Any, status: MintStatus
) -> None:
    late = world.now // 1000 + 100
    opened(world, make(), status=status, custody="self", sender=None, nonce=None, deadline=late)
    await world.sweep(after=101)
    # The index must have seen every block in which it might have been redeemed.
    assert world.mint(make()).status is status
    world.store.indexed = Final(1, late + 1)
    await world.sweep(after=sweeping.RESTING_SECONDS)
    assert world.mint(make()).problem.code == "voucher_expired"
    assert world.chain.sends == []


async def test_sweep__when_a_mint_belongs_to_another_chain__then_it_is_left_to_its_own(
    world: Any, make: Any
) -> None:
    opened(world, make(), status=MintStatus.ACCEPTED, chain_id=1)
    await world.sweep(after=1000)
    assert await world.sent_to(BUILD) == []


async def test_sweep__when_mints_are_mined_or_young__then_they_are_not_read_each_time(
    world: Any, make: Any
) -> None:
    for nonce in range(10):
        opened(world, make(nonce), status=MintStatus.MINED)
    world.now += 30_000
    opened(world, make(10), status=MintStatus.ACCEPTED)
    world.reserved(make(0, sender=1), reserved_at=world.now)
    read: list[Any] = []
    for name in ("operations", "transactions_from"):
        reading = getattr(world.store, name)

        async def counting(asked: Any, reading: Any = reading) -> Any:
            found = await reading(asked)
            read.extend(found)
            return found

        setattr(world.store, name, counting)
    sweeper = world.sweeper()
    for _ in range(3):
        assert await sweeper.sweep()
    assert len(read) == 10
    # A reorg that nobody told us of is seen all the same, later.
    world.now += sweeping.RESTING_SECONDS * 1000
    await sweeper.sweep()
    assert len(read) == 22


async def test_sweep__when_there_is_more_than_a_pass_may_read__then_the_next_one_goes_on(
    world: Any, make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweeping, "PAGE", 2)
    monkeypatch.setattr(sweeping, "MAX_PAGES", 1)
    for nonce in range(100):
        opened(world, make(nonce), status=MintStatus.ACCEPTED)
    sweeper = world.sweeper()
    world.now += 60_000
    asked: set[str] = set()
    for _ in range(15):
        await sweeper.sweep()
        asked |= {message.mint_id for message in await world.sent_to(BUILD)}
    assert len(asked) == 100


async def test_sweep__when_mints_wait__then_the_age_of_the_oldest_is_known(world: Any, make: Any) -> None:
    opened(world, make(0), status=MintStatus.MINED)
    world.now += 100_000
    opened(world, make(1), status=MintStatus.ACCEPTED)
    assert await world.sweep(after=70)
    assert world.counted("oldest_open_seconds") == 70


async def test_run__when_nothing_is_open__then_it_pauses_four_times_as_long(world: Any, make: Any) -> None:
    pauses: list[float] = []
    stop = asyncio.Event()

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 3:
            opened(world, make(), status=MintStatus.MINED)
        if len(pauses) == 5:
            stop.set()
        await asyncio.sleep(0)

    await world.sweeper().run(stop, interval=10, sleep=sleep, rng=random.Random(1))
    rough = [10, 40, 40, 10, 10]
    assert all(0.75 * want <= got <= 1.25 * want for got, want in zip(pauses, rough, strict=True))


async def test_run__when_the_tables_do_not_answer__then_it_goes_on(world: Any) -> None:
    stop = asyncio.Event()
    calls: list[int] = []

    async def failing(*_: Any, **__: Any) -> Any:
        raise Unavailable("DynamoDB")

    world.store.open_transactions = failing

    async def sleep(_: float) -> None:
        calls.append(1)
        if len(calls) == 3:
            stop.set()
        await asyncio.sleep(0)

    await world.sweeper().run(stop, interval=10, sleep=sleep, rng=random.Random(1))
    assert len(calls) == 3
