"""The background task of each api process that prepares and feeds drops.

Any number of processes run one: the holder of a drop's lease works on it. Its whole state is on record, so
that another process takes over at any point where one dies.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field

import structlog

from mintline.drop_records import Drop, DropStatus
from mintline.errors import MintlineError, Retryable, Unusable
from mintline.records.problems import Problem
from mintline.tasks import cut_off
from mintline.tracebacks import frames
from mintline_api.chain import ChainReader
from mintline_api.features.bulk.ports import LineStore
from mintline_api.features.drops.costs import DropCosts
from mintline_api.features.drops.feeding import Feeding
from mintline_api.features.drops.following import Following, first_mint_id
from mintline_api.features.drops.leases import Leased, LeaseLost, leased
from mintline_api.features.drops.ports import DropStore
from mintline_api.features.drops.preparation import Preparation
from mintline_api.features.drops.use_cases import moved

log = structlog.get_logger()

MOST_DROPS = 4
"""Drops that one process works on at once."""
POLL_SECONDS = 2.0
IDLE_SECONDS = 15.0
"""Between two looks after some that found no drop: how long one waits whose process has died."""
IDLE_LOOKS = 5
FEED_MS = 2_000
"""How long chunks are handed on before their mints are looked at."""
RETRY_SECONDS = 5.0
UNUSABLE = Problem(
    code="lines-unusable",
    reason="Stored lines of the drop have expired, or are not what was prepared. Quote its id to support.",
)
FINALITY_POLLS = 5
"""Polls of mints on their way for each look at those that wait for finality."""


@dataclass(slots=True, kw_only=True)
class DropRunner:
    """Works on drops; `owner` names this process, `now` returns Unix milliseconds, `sleep` takes seconds.

    `in_flight`: chunks that are handed on and not mined, at most.
    """

    owner: str
    store: DropStore
    lines: LineStore
    chain: ChainReader | None
    preparation: Preparation
    feeding: Feeding
    now: Callable[[], int]
    sleep: Callable[[float], Awaitable[None]]
    in_flight: int
    woken: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when this process has opened a drop, which ends a pause between two looks."""
    _idle: int = 0
    """Looks that found nothing, one after another."""
    _tasks: dict[str, asyncio.Task[None]] = field(default_factory=dict)

    async def poll(self) -> float:
        """Take on drops that nobody works on; return in how many seconds to look again."""
        self._tasks = {drop_id: task for drop_id, task in self._tasks.items() if not task.done()}
        opened = await self.store.open()
        self._idle = 0 if opened else self._idle + 1
        for drop_id in opened:
            if len(self._tasks) >= MOST_DROPS:
                break
            if drop_id not in self._tasks:
                self._tasks[drop_id] = asyncio.create_task(self.work(drop_id), name=f"work on {drop_id}")
        return POLL_SECONDS if self._idle < IDLE_LOOKS else IDLE_SECONDS

    async def rest(self, seconds: float) -> None:
        """Wait between two looks, no longer than until this process opens a drop."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.woken.wait()
            # The index that is looked at shows it moments later.
            self.woken.clear()
            self._idle = 0

    async def aclose(self) -> None:
        """Stop working; the drops are given back."""
        await asyncio.gather(*map(cut_off, self._tasks.values()))

    async def work(self, drop_id: str) -> None:
        """Work on a drop, if nobody else does, for as long as there is something to do."""
        try:
            async with leased(drop_id, owner=self.owner, store=self.store, now=self.now) as held:
                if held is not None:
                    keeping = asyncio.create_task(held.keep(self.sleep), name=f"keep the lease of {drop_id}")
                    try:
                        await self._work_on(held)
                    except Unusable:
                        await held.update(lambda drop: _unusable(drop, self.now()))
                        raise
                    finally:
                        await cut_off(keeping)
        except LeaseLost:
            log.warning("drop_lease_lost", drop_id=drop_id)
        except Unusable as error:
            log.error("drop_unusable", drop_id=drop_id, reason=str(error))  # noqa: TRY400 - for an operator
        except MintlineError as error:
            log.error("drop_failed", drop_id=drop_id, reason=str(error))  # noqa: TRY400 - tried again soon
        except Exception as error:  # noqa: BLE001 - one drop must not stop the others
            log.error("drop_broke", drop_id=drop_id, error=type(error).__name__, frames=frames(error))  # noqa: TRY400

    async def _work_on(self, held: Leased) -> None:
        steps = _Steps(self, held)
        while True:
            try:
                pause = await steps.step()
            except Retryable as error:
                log.warning("drop_step_failed", drop_id=held.drop.drop_id, reason=str(error))
                await self.sleep(error.retry_after or RETRY_SECONDS)
                await held.refresh()
                continue
            if pause is None:
                return
            if pause:
                await self.sleep(pause)
            await held.refresh()


class _Steps:
    """Works on one drop, a step at a time."""

    def __init__(self, runner: DropRunner, held: Leased) -> None:
        self._runner = runner
        self._held = held
        self._roots: list[bytes] = []
        self._following: Following | None = None
        self._next = 0
        """The number of the part that is handed on next, or of one before it."""
        self._envelope = b""
        self._polls = 0
        self._begun = True
        """Whether the next part may have been begun: by a process that died, or by a try that failed."""

    async def step(self) -> float | None:
        """Do what is next, and return for how many seconds to wait then; None if nothing is left to do."""
        drop = self._held.drop
        if drop.status is DropStatus.PREPARING:
            await self._runner.preparation.run(self._held)
            return 0.0
        if drop.status not in (DropStatus.RUNNING, DropStatus.PAUSED, DropStatus.CANCELLED):
            return None
        following, more = await self._opened(), False
        if self._begun:
            await self._adopt(following)
        if drop.status is DropStatus.RUNNING:
            await self._renewed(following)
            more = await self._feed(following)
        await following.poll(self._held, final=self._polls % FINALITY_POLLS == 0)
        self._polls += 1
        return await self._rest(more=more)

    async def _opened(self) -> Following:
        """Return what follows the drop's mints; read from its parts at first, of all processes."""
        if self._following is None:
            following = Following(self._runner.lines, DropCosts(self._runner.lines, self._runner.chain))
            self._roots = []
            async for part in self._held.store.parts(self._held.drop.drop_id):
                if part.root is None:
                    continue
                self._roots.append(part.root)
                if part.fed_at is not None:
                    following.add(part)
                    self._next = part.number + 1
            self._following = following
            # What another process handed on may have been authorized by an earlier token.
            self._envelope = b""
        return self._following

    async def _renewed(self, following: Following) -> None:
        """After a resume, give what is on its way the fresh authorization: its own may have expired."""
        envelope = self._held.drop.envelope
        if self._envelope != envelope:
            await self._runner.feeding.renew(self._held, following.parts)
            self._envelope = envelope

    async def _feed(self, following: Following) -> bool:
        """Hand chunks on while there is room, and the drop is running; tell whether there is still room.

        Not for long: what is on its way is to be looked at in between.
        """
        held, runner = self._held, self._runner
        drop, until = held.drop, runner.now() + FEED_MS
        if drop.fed_chunks >= drop.chunks or not await runner.feeding.check(held):
            return False
        room = await runner.feeding.room(held)
        async for part in held.store.parts(drop.drop_id, first=self._next):
            if part.chunk is None:
                continue
            if following.in_flight >= runner.in_flight or held.drop.status is not DropStatus.RUNNING:
                return False
            if runner.now() >= until:
                return True
            tokens = drop.tokens_of(part)
            if room is not None and tokens > room.tokens:
                if held.drop.fed == held.drop.done and tokens > room.at_most:
                    await runner.feeding.pause_full(held, left=room.tokens, part=part)
                return False
            self._begun = True
            fed = await runner.feeding.feed(held, part, self._roots)
            self._begun = False
            if fed is None:
                return False
            following.add(fed)
            self._next = part.number + 1
            room = None if room is None else room.without(tokens)
        return False

    async def _adopt(self, following: Following) -> None:
        """Finish a chunk whose mints are on record, though the drop's record does not say so.

        They are minted in any status of the drop, and count against the supply cap.
        """
        held, runner = self._held, self._runner
        async for part in held.store.parts(held.drop.drop_id, first=self._next):
            if part.chunk is None:
                continue
            if part.counted == part.lines and await runner.lines.mints([first_mint_id(part)]):
                fed = await runner.feeding.feed(held, part, self._roots)
                assert fed is not None
                following.add(fed)
                self._next = part.number + 1
            break
        self._begun = False

    async def _rest(self, *, more: bool) -> float | None:
        """End the drop if it is at its end; return when to go on."""
        now = self._runner.now()
        drop = await self._held.update(lambda drop: _ended_or_resumed(drop, now))
        if not drop.open:
            return None
        return 0.0 if more else POLL_SECONDS


def _unusable(drop: Drop, now: int) -> Drop | None:
    """Return a drop that nobody goes on with until its client resumes or cancels it."""
    if drop.status is DropStatus.RUNNING:
        return moved(drop, now=now, status=DropStatus.PAUSED, paused=UNUSABLE, resumes_at=None)
    if drop.status is DropStatus.PREPARING:
        return moved(drop, now=now, status=DropStatus.CANCELLED, paused=UNUSABLE, ended_at=now)
    return None


def _ended_or_resumed(drop: Drop, now: int) -> Drop | None:
    """Return a drop that has come to its end, or whose pause is over; None if neither is so."""
    settled = drop.settled_chunks == drop.fed_chunks
    if drop.status is DropStatus.RUNNING and settled and drop.fed_chunks == drop.chunks:
        return moved(drop, now=now, status=DropStatus.COMPLETED, ended_at=now, envelope=b"")
    if drop.status is DropStatus.CANCELLED and settled and drop.ended_at is None:
        return moved(drop, now=now, ended_at=now, envelope=b"")
    if drop.status is DropStatus.PAUSED and drop.resumes_at is not None and now >= drop.resumes_at:
        return moved(
            drop,
            now=now,
            status=DropStatus.RUNNING,
            paused=None,
            resumes_at=None,
            running_since=now,
            done_before=drop.done,
        )
    return None
