"""The sweep: finds what stopped moving, and sends it on.

No message is needed for a mint to reach its end, only its record. Every few seconds each copy of the
broadcaster reads the indexes of what is open, and acts on what is older than its stage's deadline:

::

    accepted, built   BuildMint again, by one copy (the record is marked first), and ever more patiently
    submitted         see `watch`, together with the sender's other transactions
    issued            ends by its token, if the indexer missed that; rejected once nobody can redeem it
    rejected          its nonce is filled, if it has one that the chain has not used yet
    mined             finalized, if its block is final and it was left behind; until then the indexer's
    reverted          nothing: they wait for their block to be final, which is the indexer's

A pass reads a bounded number of keys; beyond it, the next pass goes on where this one ended. Mints that are
younger than any deadline are not even read.
"""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

import structlog

from mintline.errors import MintlineError
from mintline.messages import BuildMint
from mintline.queueing import SendingPort
from mintline.records import OPEN_SHARDS, Mint
from mintline.resources import BUILD, MINTS
from mintline.states import MintStatus
from mintline.tasks import repeatedly
from mintline_broadcaster.bare import Bare, BareTransactions
from mintline_broadcaster.metrics import Metrics
from mintline_broadcaster.policy import Patience
from mintline_broadcaster.ports import Chain, Final, Ledger, MintMoved, OpenMint
from mintline_broadcaster.redeemed import end_by_token
from mintline_broadcaster.sweeping import due
from mintline_broadcaster.vouchers import WAITING as VOUCHERS
from mintline_broadcaster.vouchers import expire, expired
from mintline_broadcaster.watch import Sender, Watch

PAGE = 500
MAX_PAGES = 10
"""Pages of one shard in one pass: 40,000 open mints in all."""
SENDERS_AT_ONCE = 16
RESTING_SECONDS = 300
"""How long a mint that needs nothing from here is not read again: of a reorg the indexer tells by itself."""
IDLE = 4
"""How much longer the pauses are while nothing waits."""

_UNSENT = frozenset({MintStatus.ACCEPTED, MintStatus.BUILT})
_WAITING = _UNSENT | {MintStatus.SUBMITTED}
_RESTING = frozenset(MintStatus) - _WAITING - {MintStatus.REJECTED}

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Found:
    """What a pass read: `complete` unless there was more than it may read, `idle` if nothing is open."""

    mints: Sequence[Mint]
    bare: Sequence[Bare]
    complete: bool
    idle: bool


@dataclass(slots=True)
class _Group:
    submitted: list[Mint] = field(default_factory=list)
    dead: list[Mint] = field(default_factory=list)
    bare: list[Bare] = field(default_factory=list)
    reserved: set[int] = field(default_factory=set)

    def add(self, mint: Mint) -> None:
        """Put a mint where the watch looks for it."""
        if mint.nonce is None:
            return
        match mint.status:
            case MintStatus.BUILT:
                self.reserved.add(mint.nonce)
            case MintStatus.SUBMITTED:
                self.submitted.append(mint)
            case MintStatus.REJECTED:
                self.dead.append(mint)

    @property
    def quiet(self) -> bool:
        """Whether there is nothing to look at."""
        return not (self.submitted or self.dead or self.bare)


class Sweeper:
    """Sweeps one chain's mints, again and again.

    A mint younger than any of the `patience` is not looked at at all. `now` returns Unix milliseconds.
    """

    def __init__(
        self,
        *,
        ledger: Ledger,
        chain: Chain,
        watch: Watch,
        outbox: SendingPort,
        chain_id: int,
        patience: Patience,
        metrics: Metrics,
        now: Callable[[], int],
    ) -> None:
        self._ledger = ledger
        self._chain = chain
        self._watch = watch
        self._outbox = outbox
        self._chain_id = chain_id
        self._patience = patience
        self._grown_up = min(patience.look_milliseconds, patience.stage_milliseconds)
        self._metrics = metrics
        self._now = now
        self._bare = BareTransactions(ledger)
        self._starts: dict[str, OpenMint] = {}
        self._resting: dict[str, int] = {}

    async def run(
        self,
        stop: asyncio.Event,
        *,
        interval: float,
        sleep: Callable[[float], Awaitable[None]],
        rng: random.Random,
    ) -> None:
        """Sweep about every `interval` seconds until `stop` is set; four times as rarely while idle."""

        async def once() -> float:
            return interval if await self.sweep() else IDLE * interval

        await repeatedly(once, stop, every=interval, sleep=sleep, rng=rng)

    async def sweep(self) -> bool:
        """Do one pass; tell whether anything was open. Raises Retryable if the tables do not answer."""
        now = self._now()
        found = await self._read(now)
        groups: defaultdict[str, _Group] = defaultdict(_Group)
        waiting = [mint for mint in found.mints if mint.status in _WAITING]
        for mint in found.mints:
            if mint.custody != "self" and mint.sender is not None:
                groups[mint.sender.address].add(mint)
            if mint.status in _UNSENT and now >= due(mint, self._patience.stage_milliseconds):
                with self._metrics.set_aside.guarding(MINTS.name, mint.mint_id):
                    await self._send_on(mint, now=now)
        for transaction in found.bare:
            groups[transaction.sender].bare.append(transaction)
        left = [mint for mint in found.mints if _may_be_left(mint, now=now)]
        busy = {address: group for address, group in groups.items() if not group.quiet}
        if left or busy:
            final = await self._ledger.final()
            await self._end_left(left, final, now=now)
            await self._look_at(busy, final, complete=found.complete, now=now)
        oldest = min((mint.created_at for mint in waiting), default=now)
        self._metrics.oldest_open.set(max(0, now - oldest) / 1000)
        self._metrics.passes.inc()
        return not found.idle

    async def _read(self, now: int) -> _Found:
        shards = [str(number) for number in range(OPEN_SHARDS)]
        pages, (bare, all_bare) = await asyncio.gather(
            asyncio.gather(*(self._read_shard(shard) for shard in shards)), self._bare.read()
        )
        keys = [key for found, _ in pages for key in found]
        complete = all_bare and all(whole for _, whole in pages)
        since = now - RESTING_SECONDS * 1000
        self._resting = {key.mint_id: at for key in keys if (at := self._resting.get(key.mint_id, 0)) > since}
        # One so young has no nonce before those that have waited for long, so no gap is seen for it.
        grown = [key.mint_id for key in keys if key.created_at <= now - self._grown_up]
        mints = await self._ledger.read_mints(one for one in grown if one not in self._resting)
        for mint in mints.values():
            if mint.status in _RESTING:
                self._resting[mint.mint_id] = now
        own = [mint for mint in mints.values() if mint.chain_id == self._chain_id]
        return _Found(own, bare, complete, idle=not keys and not bare)

    async def _read_shard(self, shard: str) -> tuple[list[OpenMint], bool]:
        """Return a shard's open mints, oldest first, and whether these are all of them."""
        start = after = self._starts.pop(shard, None)
        found: list[OpenMint] = []
        for _ in range(MAX_PAGES):
            page = await self._ledger.open_mints(shard, after=after, limit=PAGE)
            found += page
            if len(page) < PAGE:
                return found, start is None
            after = page[-1]
        assert after is not None
        self._starts[shard] = after
        return found, False

    async def _send_on(self, mint: Mint, *, now: int) -> None:
        """Ask for an accepted or built mint once more, unless another copy has just done so."""
        try:
            await self._ledger.mark_swept(mint, at=now)
        except MintMoved:
            return
        self._metrics.sweeps.labels(mint.status.value).inc()
        log.warning("mint_sent_on", mint_id=mint.mint_id, status=mint.status.value, sweeps=mint.sweeps)
        message = BuildMint(trace=mint.trace, mint_id=mint.mint_id)
        await self._outbox.send(BUILD, message, group=mint.mint_id, dedup=f"sweep:{mint.mint_id}:{now}")

    async def _end_left(self, mints: Sequence[Mint], final: Final, *, now: int) -> None:
        """End mints whose token the index has for good, and vouchers that nobody redeemed in time."""
        for mint in mints:
            with self._metrics.set_aside.guarding(MINTS.name, mint.mint_id):
                if expired(mint, final_time=final.timestamp):
                    await expire(mint, final, ledger=self._ledger, chain=self._chain, now=now)
                elif mint.block_number is None or mint.block_number <= final.number:
                    await end_by_token(mint, final, ledger=self._ledger, chain=self._chain, now=now)

    async def _look_at(self, groups: dict[str, _Group], final: Final, *, complete: bool, now: int) -> None:
        places = asyncio.Semaphore(SENDERS_AT_ONCE)

        async def look(address: str, group: _Group) -> None:
            sender = Sender(
                address=address,
                submitted=group.submitted,
                dead=group.dead,
                bare=group.bare,
                reserved=frozenset(group.reserved),
                complete=complete,
            )
            async with places:
                try:
                    await self._watch.look(sender, final, now=now)
                except MintlineError as error:
                    log.warning("sender_not_watched", sender=address, error=str(error))

        await asyncio.gather(*(look(address, group) for address, group in groups.items()))


def _may_be_left(mint: Mint, *, now: int) -> bool:
    """Tell whether a mint has stood so long where only the chain moves it that the index is worth asking."""
    waits = mint.status is MintStatus.MINED or (mint.custody == "self" and mint.status in VOUCHERS)
    late = mint.deadline is not None and mint.deadline * 1000 < now
    return waits and (late or now - mint.updated_at >= RESTING_SECONDS * 1000)
