"""The sweep sends on what stopped moving, from the records alone, in as many copies as run."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import Callable
from typing import Any

import pytest

from mintline.errors import Unavailable
from mintline.messages.intents import AnyIntent, SignMint
from mintline.messages.parts import LineRef
from mintline.messages.work import BuildLines, BuildMint
from mintline.resources import BUILD, SIGN
from mintline.states import MintStatus, TransactionState
from mintline_broadcaster import sweep as sweeping
from mintline_broadcaster.ports import Final
from mintline_broadcaster.sweep_operations import RESTING_SECONDS
from mintline_testkit.broadcaster.harness import Harness
from mintline_testkit.broadcaster.intents import mint_intent, top_up_intent


def opened(harness: Harness, intent: Any, **changes: Any) -> Any:
    """Put a mint on record that was created, and last moved, just now."""
    return harness.built(intent, **{"created_at": harness.now, "updated_at": harness.now, **changes})


async def test_sweep__when_a_mint_was_never_built__then_it_is_asked_for_again(harness: Harness) -> None:
    intent = mint_intent()
    opened(harness, intent, status=MintStatus.ACCEPTED)
    await harness.sweep(after=59)
    assert await harness.sent_to(BUILD) == []
    await harness.sweep(after=1)
    [message] = await harness.sent_to(BUILD)
    assert message == BuildMint(trace=intent.trace, mint_id=intent.mint_id)
    assert harness.counted("sweeps_total", status="accepted") == 1


async def test_sweep__when_a_request_for_many_was_never_built__then_each_chunk_is_asked_for_once(
    harness: Harness,
) -> None:
    for number in range(5):
        line = LineRef(request_id="bulk_1", chunk=number % 2, line=4 - number)
        opened(
            harness,
            mint_intent(number),
            status=MintStatus.ACCEPTED,
            request=line,
            trace="t",
        )
    await harness.sweep(after=60)
    sent = await harness.sent_to(BUILD)
    assert sorted(sent, key=lambda message: message.chunk) == [
        BuildLines(trace="t", request_id="bulk_1", chunk=chunk) for chunk in (0, 1)
    ]
    await harness.sweep(after=60)
    assert await harness.sent_to(BUILD) == [], "the line that stands for them was marked"
    await harness.sweep(after=60)
    assert len(await harness.sent_to(BUILD)) == 2


@pytest.mark.parametrize("make", [mint_intent, top_up_intent])
async def test_sweep__when_a_nonce_was_reserved_and_never_signed__then_that_is_asked_for_again(
    harness: Harness, make: Callable[[], AnyIntent]
) -> None:
    intent = make()
    if isinstance(intent, SignMint):
        opened(harness, intent)
    harness.reserved(intent, reserved_at=harness.now, updated_at=harness.now)
    await harness.sweep(after=59)
    assert await harness.sent_to(SIGN) == []
    await harness.sweep(after=1)
    assert await harness.sent_to(SIGN) == [intent]
    assert harness.counted("sweeps_total", status="reserved") == 1


async def test_sweep__when_it_was_in_vain__then_its_patience_doubles(harness: Harness) -> None:
    opened(harness, mint_intent(), status=MintStatus.ACCEPTED)
    sent_at = []
    for second in range(0, 3600, 10):
        await harness.sweep(after=10)
        sent_at += [second for _ in await harness.sent_to(BUILD)]
    assert len(sent_at) == 5
    assert [later - earlier for earlier, later in itertools.pairwise(sent_at)] == [
        120,
        240,
        480,
        960,
    ]


async def test_sweep__when_the_mint_moved_since__then_its_patience_starts_afresh(harness: Harness) -> None:
    intent = mint_intent()
    mint = opened(harness, intent, status=MintStatus.ACCEPTED)
    for _ in range(4):
        await harness.sweep(after=600)
    assert harness.mint(intent).sweeps > 2
    await harness.sent_to(BUILD)
    harness.store.mints[mint.mint_id] = harness.mint(intent).evolve(updated_at=harness.now + 1)
    await harness.sweep(after=61)
    assert len(await harness.sent_to(BUILD)) == 1
    assert harness.mint(intent).sweeps == 1


async def test_sweep__when_many_copies_see_the_same_mint__then_one_sends_it_on(harness: Harness) -> None:
    opened(harness, mint_intent(), status=MintStatus.ACCEPTED)
    harness.now += 60_000
    await asyncio.gather(*(harness.sweeper().sweep() for _ in range(8)))
    assert harness.counted("sweeps_total", status="accepted") == 1
    assert len(await harness.sent_to(BUILD)) == 1


async def test_sweep__when_a_copy_dies_after_its_mark__then_the_next_one_sends_the_mint_on(
    harness: Harness,
) -> None:
    opened(harness, mint_intent(), status=MintStatus.ACCEPTED)

    class Dead:
        async def send(self, *_: Any, **__: Any) -> None:
            raise Unavailable("SQS")

    harness.now += 60_000
    with pytest.raises(Unavailable):
        await harness.sweeper(outbox=Dead()).sweep()
    await harness.sweep(after=60)
    assert await harness.sent_to(BUILD) == []
    await harness.sweep(after=60)
    assert len(await harness.sent_to(BUILD)) == 1


@pytest.mark.parametrize(
    "status", [MintStatus.MINED, MintStatus.REVERTED, MintStatus.FINALIZED, MintStatus.REJECTED]
)
async def test_sweep__when_a_mint_needs_nothing__then_nothing_is_asked(
    harness: Harness, status: MintStatus
) -> None:
    opened(harness, mint_intent(), status=status)
    if status is MintStatus.REJECTED:
        harness.change(mint_intent(), state=TransactionState.FINAL, outcome="filled")
    for _ in range(5):
        await harness.sweep(after=1000)
    assert await harness.sent_to(BUILD) == await harness.sent_to(SIGN) == []
    assert harness.chain.sends == []


@pytest.mark.parametrize("status", [MintStatus.ISSUED, MintStatus.SUBMITTED])
async def test_sweep__when_a_voucher_can_never_be_redeemed_any_more__then_its_mint_ends(
    harness: Harness, status: MintStatus
) -> None:
    late = harness.now // 1000 + 100
    opened(harness, mint_intent(), status=status, custody="self", sender=None, nonce=None, deadline=late)
    await harness.sweep(after=101)
    # The index must have seen every block in which it might have been redeemed.
    assert harness.mint(mint_intent()).status is status
    harness.store.indexed = Final(1, late + 1)
    await harness.sweep(after=RESTING_SECONDS)
    problem = harness.mint(mint_intent()).problem
    assert problem is not None
    assert problem.code == "voucher_expired"
    assert harness.chain.sends == []


async def test_sweep__when_a_mint_belongs_to_another_chain__then_it_is_left_to_its_own(
    harness: Harness,
) -> None:
    opened(harness, mint_intent(), status=MintStatus.ACCEPTED, chain_id=1)
    await harness.sweep(after=1000)
    assert await harness.sent_to(BUILD) == []


@pytest.mark.parametrize(
    ("age", "deadline", "rest"),
    [(400, 10**6, 300), (1_300, 10**6, 325), (86_400, 10**6, 3_600), (86_400, 86_400 + 1_000, 1_000)],
    ids=["young", "older", "old", "late"],
)
async def test_voucher__when_nobody_redeems_it__then_it_rests_the_longer_the_older_it_is(
    harness: Harness, age: int, deadline: int, rest: int
) -> None:
    end = harness.now // 1000 + deadline
    opened(
        harness,
        mint_intent(),
        status=MintStatus.ISSUED,
        custody="self",
        sender=None,
        nonce=None,
        deadline=end,
    )
    harness.now += age * 1000
    sweeper, read = harness.sweeper(), 0
    reading: Any = harness.store.operations

    async def counting(ids: Any) -> Any:
        nonlocal read
        operations = await reading(ids)
        read += len(operations)
        return operations

    setattr(harness.store, "operations", counting)  # noqa: B010 - a method, counted
    await sweeper.sweep()
    first = read
    harness.now += rest * 1000 - 1
    await sweeper.sweep()
    before = read
    harness.now += 1
    await sweeper.sweep()

    assert (first, before, read) == (1, 1, 2)


async def test_sweep__when_mints_are_mined_or_young__then_they_are_not_read_each_time(
    harness: Harness,
) -> None:
    for nonce in range(10):
        opened(harness, mint_intent(nonce), status=MintStatus.MINED)
    harness.now += 30_000
    opened(harness, mint_intent(10), status=MintStatus.ACCEPTED)
    harness.reserved(mint_intent(0, sender=1), reserved_at=harness.now)
    read: list[Any] = []
    for name in ("operations", "transactions_from"):
        reading = getattr(harness.store, name)

        async def counting(ids: Any, reading: Any = reading) -> Any:
            operations = await reading(ids)
            read.extend(operations)
            return operations

        setattr(harness.store, name, counting)
    sweeper = harness.sweeper()
    for _ in range(3):
        assert await sweeper.sweep()
    assert len(read) == 10
    # A reorg that nobody told us of is seen all the same, later.
    harness.now += RESTING_SECONDS * 1000
    await sweeper.sweep()
    assert len(read) == 22


async def test_sweep__when_there_is_more_than_a_pass_may_read__then_the_next_one_goes_on(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweeping, "PAGE", 2)
    monkeypatch.setattr(sweeping, "MAX_PAGES", 1)
    for nonce in range(100):
        opened(harness, mint_intent(nonce), status=MintStatus.ACCEPTED)
    sweeper = harness.sweeper()
    harness.now += 60_000
    mint_ids: set[str] = set()
    for _ in range(15):
        await sweeper.sweep()
        mint_ids |= {message.mint_id for message in await harness.sent_to(BUILD)}
    assert len(mint_ids) == 100


async def test_sweep__when_mints_wait__then_the_age_of_the_oldest_is_known(harness: Harness) -> None:
    opened(harness, mint_intent(0), status=MintStatus.MINED)
    harness.now += 100_000
    opened(harness, mint_intent(1), status=MintStatus.ACCEPTED)
    assert await harness.sweep(after=70)
    assert harness.counted("oldest_open_seconds") == 70


async def test_run__when_nothing_is_open_or_late__then_it_pauses_longer(harness: Harness) -> None:
    pauses: list[float] = []
    stop = asyncio.Event()

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 3:
            opened(harness, mint_intent(), status=MintStatus.MINED)
        if len(pauses) == 5:
            stop.set()
        await asyncio.sleep(0)

    await harness.sweeper().run(stop, interval=10, sleep=sleep, rng=random.Random(1))
    rough = [10, 40, 40, 20, 20]
    assert all(0.75 * want <= got <= 1.25 * want for got, want in zip(pauses, rough, strict=True))


async def test_run__when_the_tables_do_not_answer__then_it_goes_on(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop = asyncio.Event()
    calls: list[int] = []

    async def failing(*_: Any, **__: Any) -> Any:
        raise Unavailable("DynamoDB")

    monkeypatch.setattr(harness.store, "open_transactions", failing)

    async def sleep(_: float) -> None:
        calls.append(1)
        if len(calls) == 3:
            stop.set()
        await asyncio.sleep(0)

    await harness.sweeper().run(stop, interval=10, sleep=sleep, rng=random.Random(1))
    assert len(calls) == 3
