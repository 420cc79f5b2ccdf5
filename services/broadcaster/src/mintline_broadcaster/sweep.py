"""The sweep: finds records that stopped moving, and sends them on.

No message is essential: if one is lost, the sweep finds the record. Every few seconds each copy of the
broadcaster reads the indexes of open records, and acts on those older than their stage's deadline:

::

    transactions      see `monitor`: a sender's open ones together, in the order of nonces
    operations        of any kind
      accepted        BuildMint again, by one copy (the record is marked first), with growing pauses; of the
                      lines of a request for many mints BuildLines, once for each chunk
      built           self-custody: likewise
      issued          settled from the index if the indexer missed it; rejected once it cannot be redeemed
      submitted       self-custody: likewise
      mined           finalized, if its block is final and the indexer missed it

An operation that a transaction carries is not among the open ones: the transaction is open in its place.
A pass reads a bounded number of keys; the next pass goes on where this one ended. Records younger than any
deadline are not read.
"""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import structlog

from mintline.errors import MintlineError, Unusable
from mintline.messages.work import BuildLines, BuildMint
from mintline.queue_port import SendingPort
from mintline.records.keys import OPEN_SHARDS
from mintline.records.operations import Mint, Operation
from mintline.records.problems import TOKEN_ON_CHAIN
from mintline.records.transactions import Place, Transaction
from mintline.resources import BUILD, MINTS, TRANSACTIONS
from mintline.states import MintStatus, TransactionState
from mintline.tasks import repeatedly
from mintline_broadcaster.config import Patience
from mintline_broadcaster.kinds import about, event_of
from mintline_broadcaster.metrics import Metrics
from mintline_broadcaster.monitor import TransactionMonitor
from mintline_broadcaster.ports import (
    ChainClient,
    Final,
    MintMoved,
    OpenMint,
    OpenTransaction,
    TransactionStore,
)
from mintline_broadcaster.settle_from_index import settle_from_index
from mintline_broadcaster.settle_items import Searches
from mintline_broadcaster.sweep_schedule import due
from mintline_broadcaster.vouchers import WAITING as VOUCHERS
from mintline_broadcaster.vouchers import expire, expired

PAGE = 500
MAX_PAGES = 10
"""Pages of one shard in one pass: 40,000 open operations, and as many transactions."""
SENDERS_AT_ONCE = 16
RESTING_SECONDS = 300
"""How long what needs nothing from here is not read again: of a reorg the indexer tells by itself."""
LONGEST_REST_SECONDS = 3600
"""The longest rest of a voucher: it lengthens with the time for which nobody redeemed it."""
REST_SHARE = 4
"""A voucher rests for so many parts of that time, but not past its deadline."""
FEW = 10
"""Old transactions of a sender that are read by key, with those of others, before all of its own are read."""
IDLE = 4
"""How much longer the pauses are while nothing waits."""

_UNSENT = frozenset({MintStatus.ACCEPTED, MintStatus.BUILT})
_WAITING = _UNSENT | {MintStatus.SUBMITTED}

log = structlog.get_logger(__name__)

KeyT = TypeVar("KeyT", OpenMint, OpenTransaction)
ReadPage = Callable[[str, KeyT | None], Awaitable[list[KeyT]]]


@dataclass(frozen=True, slots=True)
class _Sender:
    """Open transactions of one sender."""

    first: int
    """The first nonce that is open."""
    old: Sequence[OpenTransaction]
    """Those that are old enough to need something, and do not rest."""


class Sweeper:
    """Sweeps one chain's operations and transactions, again and again.

    Records younger than any deadline of `patience` are not read. `now` returns Unix milliseconds.
    """

    def __init__(
        self,
        *,
        store: TransactionStore,
        chain: ChainClient,
        monitor: TransactionMonitor,
        outbox: SendingPort,
        chain_id: int,
        patience: Patience,
        metrics: Metrics,
        now: Callable[[], int],
    ) -> None:
        self._store = store
        self._chain = chain
        self._monitor = monitor
        self._outbox = outbox
        self._chain_id = chain_id
        self._patience = patience
        self._grown_up = min(patience.check_milliseconds, patience.stage_milliseconds)
        self._metrics = metrics
        self._now = now
        self._mint_starts: dict[str, OpenMint] = {}
        self._transaction_starts: dict[str, OpenTransaction] = {}
        self._searches = Searches()
        self._resting: dict[str | Place, int] = {}
        """Until when something is not read again that needs nothing from here, in Unix milliseconds."""
        self._woken: set[str] = set()
        """Mints that moved while a pass was reading."""

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

    def wake(self, mint_id: str) -> None:
        """Read a mint in the next pass, however long it was to rest: it has moved."""
        self._resting.pop(mint_id, None)
        self._woken.add(mint_id)

    async def sweep(self) -> bool:
        """Do one pass; tell whether anything was open. Raises Retryable if the tables do not answer."""
        now = self._now()
        mint_keys, transaction_keys = await asyncio.gather(
            self._all(self._mint_page, self._mint_starts),
            self._all(self._transaction_page, self._transaction_starts),
        )
        names = {key.mint_id for key in mint_keys} | {key.place for key in transaction_keys}
        self._resting = {name: end for name, end in self._resting.items() if name in names and end > now}
        operations = await self._read_operations(mint_keys, now=now)
        for one in _one_of_each_chunk(one for one in operations if one.status in _UNSENT):
            if now >= due(one, self._patience.stage_milliseconds):
                with self._metrics.set_aside.guarding(MINTS.name, one.operation_id):
                    await self._send_on(one, now=now)
        left = [one for one in operations if isinstance(one, Mint) and _may_be_left(one, now=now)]
        senders = await self._at_work(self._awake(transaction_keys, now=now), now=now)
        if left or senders:
            final = await self._store.final()
            # Senders first: what is left behind waits for nobody, and may take long to be found on the chain.
            await self._check_senders(senders, final, now=now)
            await self._settle_left_behind(left, final, now=now)
        waiting = [one.created_at for one in operations if one.status in _WAITING]
        waiting += [key.reserved_at for key in transaction_keys if key.place not in self._resting]
        self._metrics.oldest_open.set(max(0, now - min(waiting, default=now)) / 1000)
        self._metrics.passes.inc()
        return bool(names)

    async def _mint_page(self, shard: str, after: OpenMint | None) -> list[OpenMint]:
        return await self._store.open_mints(shard, after=after, limit=PAGE)

    async def _transaction_page(self, shard: str, after: OpenTransaction | None) -> list[OpenTransaction]:
        return await self._store.open_transactions(shard, after=after, limit=PAGE)

    async def _all(self, read_page: ReadPage[KeyT], starts: dict[str, KeyT]) -> list[KeyT]:
        """Return what is open in all shards, each oldest first, as far as one pass may read."""

        async def shard_of(shard: str) -> list[KeyT]:
            after = starts.pop(shard, None)
            found: list[KeyT] = []
            for _ in range(MAX_PAGES):
                page = await read_page(shard, after)
                found += page
                if len(page) < PAGE:
                    return found
                after = page[-1]
            assert after is not None
            starts[shard] = after
            return found

        shards = await asyncio.gather(*(shard_of(str(number)) for number in range(OPEN_SHARDS)))
        return [key for shard in shards for key in shard]

    async def _read_operations(self, keys: Sequence[OpenMint], *, now: int) -> list[Operation]:
        grown = [key.mint_id for key in keys if key.created_at <= now - self._grown_up]
        self._woken.clear()
        found = await self._store.operations(one for one in grown if one not in self._resting)
        for operation in found.values():
            if operation.status not in _WAITING and operation.operation_id not in self._woken:
                self._resting[operation.operation_id] = now + _rest(operation, now=now)
        return [operation for operation in found.values() if operation.chain_id == self._chain_id]

    def _awake(self, keys: Iterable[OpenTransaction], *, now: int) -> dict[str, _Sender]:
        """Return the senders of which something is old enough to need something."""
        mine = f"{self._chain_id}#"
        by_sender: defaultdict[str, list[OpenTransaction]] = defaultdict(list)
        for key in keys:
            if key.place.sender_id.startswith(mine):
                by_sender[key.place.sender_id].append(key)
        senders = {}
        for sender_id, own in by_sender.items():
            old = [key for key in own if key.reserved_at <= now - self._grown_up]
            if old := [key for key in old if key.place not in self._resting]:
                senders[sender_id] = _Sender(min(key.place.nonce for key in own), old)
        return senders

    async def _at_work(self, senders: dict[str, _Sender], *, now: int) -> dict[str, int]:
        """Return the senders to check, each with the first nonce that is open.

        Most of what is old is mined, and rests from then on. Where it is little, it is read by key, in
        requests that senders share; all of a sender's own are a request by themselves. What is older than a
        rest is checked all the same.
        """
        rested = now - RESTING_SECONDS * 1000
        few = (one.old for one in senders.values() if len(one.old) <= FEW)
        places = [key.place for old in few for key in old if all(key.reserved_at > rested for key in old)]
        read = await asyncio.gather(*map(self._store.transaction, places), return_exceptions=True)
        # What cannot be read is told of by the check.
        self._rest([one for one in read if isinstance(one, Transaction)], now=now)
        return {
            sender_id: one.first
            for sender_id, one in senders.items()
            if any(key.place not in self._resting for key in one.old)
        }

    async def _send_on(self, operation: Operation, *, now: int) -> None:
        """Ask for an accepted or built operation once more, unless another copy has just done so."""
        try:
            await self._store.mark_swept(operation, at=now)
        except MintMoved:
            return
        status, name = operation.status.value, operation.operation_id
        self._metrics.sweeps.labels(status).inc()
        event = event_of(operation, "sent_on")
        log.warning(event, **about(operation), status=status, sweeps=operation.sweeps)
        message: BuildMint | BuildLines = BuildMint(trace=operation.trace, mint_id=name)
        if isinstance(operation, Mint) and (line := operation.request) is not None:
            message = BuildLines(trace=operation.trace, request_id=line.request_id, chunk=line.chunk)
        await self._outbox.send(BUILD, message, group=name, dedup=f"sweep:{name}:{now}")

    async def _settle_left_behind(self, mints: Sequence[Mint], final: Final, *, now: int) -> None:
        """End mints whose token the index has for good, and vouchers that nobody redeemed in time."""
        for mint in self._searches.start_pass(mints, now=now):
            with self._metrics.set_aside.guarding(MINTS.name, mint.mint_id):
                if mint.block_number is not None and mint.block_number > final.number:
                    continue
                end = expire if expired(mint, final_time=final.timestamp) else settle_from_index
                await end(mint, final, store=self._store, chain=self._chain, now=now, searches=self._searches)

    async def _check_senders(self, senders: dict[str, int], final: Final, *, now: int) -> None:
        places = asyncio.Semaphore(SENDERS_AT_ONCE)

        async def check(sender_id: str, first: int) -> None:
            async with places:
                try:
                    found = await self._store.transactions_from(Place(sender_id, first))
                    self._rest(found, now=now)
                    if found:
                        await self._monitor.check(found, final, now=now, complete=True)
                except Unusable as error:
                    self._metrics.set_aside.note(TRANSACTIONS.name, sender_id, error)
                except MintlineError as error:
                    log.warning("sender_not_watched", sender=sender_id, error=str(error))

        await asyncio.gather(*(check(*sender) for sender in senders.items()))

    def _rest(self, found: Sequence[Transaction], *, now: int) -> None:
        for transaction in found:
            if transaction.state is TransactionState.MINED and not transaction.to_be_split:
                self._resting[transaction.place] = now + RESTING_SECONDS * 1000


def _rest(operation: Operation, *, now: int) -> int:
    """Return for how many milliseconds an operation that needs nothing from here is not read again.

    So a voucher that nobody redeems is looked for once an hour, and not twelve times. One that is redeemed
    through this copy is woken. Of one that its user redeemed without us the indexer tells, and ends it;
    should it miss that, the sweep does so once the rest is over.
    """
    rest = RESTING_SECONDS * 1000
    if not isinstance(operation, Mint) or operation.status is not MintStatus.ISSUED:
        return rest
    longer = min((now - operation.updated_at) // REST_SHARE, LONGEST_REST_SECONDS * 1000)
    if operation.deadline is not None:
        longer = min(longer, operation.deadline * 1000 - now)
    return max(rest, longer)


def _one_of_each_chunk(operations: Iterable[Operation]) -> list[Operation]:
    """Return operations, of the lines of each chunk of a request for many mints the first one alone.

    It stands for the others, which the builder finds by their chunk: so it is marked, and they are not.
    """
    alone: list[Operation] = []
    first: dict[tuple[str, int], Mint] = {}
    for operation in operations:
        line = operation.request if isinstance(operation, Mint) else None
        if line is None or not isinstance(operation, Mint):
            alone.append(operation)
            continue
        other = first.setdefault((line.request_id, line.chunk), operation)
        if other.request is not None and line.line < other.request.line:
            first[line.request_id, line.chunk] = operation
    return [*alone, *first.values()]


def _may_be_left(mint: Mint, *, now: int) -> bool:
    """Tell whether a mint has stood so long where only the chain moves it that the index is worth asking."""
    waits = mint.status is MintStatus.MINED or (mint.custody == "self" and mint.status in VOUCHERS)
    if mint.status is MintStatus.ACCEPTED:
        return mint.waiting is not None and mint.waiting.code == TOKEN_ON_CHAIN.code
    late = mint.deadline is not None and mint.deadline * 1000 < now
    return waits and (late or now - mint.updated_at >= RESTING_SECONDS * 1000)
