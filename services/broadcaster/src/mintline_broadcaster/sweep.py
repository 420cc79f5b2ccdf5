"""The sweep: finds records that stopped moving, and sends them on.

No message is essential: if one is lost, the sweep finds the record. Every few seconds each copy of the
broadcaster reads the indexes of open records, and acts on those older than their stage's deadline:

::

    transactions      see `monitor`: a sender's open ones together, in the order of nonces
    operations        of any kind
      accepted        BuildMint again, by one copy (the record is marked first), with growing pauses; of the
                      lines of a request for many mints BuildLines, once for each chunk
      built           self-custody: as above
      issued          settled from the index if the indexer missed it; rejected once it cannot be redeemed
      submitted       self-custody: as `issued`
      mined           finalized, if its block is final and the indexer missed it

An operation that a transaction carries is not among the open ones: the transaction is open in its place.
A pass reads a bounded number of keys; the next pass goes on where this one ended. Records younger than any
deadline are not read, and a pass holds no more than a portion of the operations' at once.
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
from mintline.records.transactions import Transaction, TransactionKey
from mintline.resources import BUILD, MINTS, TRANSACTIONS
from mintline.states import TransactionState
from mintline.tasks import repeatedly, results_of
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
from mintline_broadcaster.sweep_operations import (
    PORTION,
    RESTING_SECONDS,
    UNSENT,
    WAITING,
    LeftBehind,
    PassReader,
    SweptOperations,
    may_be_left,
    rest,
)
from mintline_broadcaster.sweep_schedule import due
from mintline_broadcaster.vouchers import expire, expired

PAGE = 500
MAX_PAGES = 10
"""Pages of one shard in one pass: 40,000 open operations, and as many transactions."""
SENDERS_AT_ONCE = 16
FEW = 10
"""Old transactions of a sender that are read by key, with those of others, before all of its own are read."""
CALM = 2
"""How much longer the pauses are while something is open, but nothing that is old enough to act on."""
IDLE = 4
"""How much longer the pauses are while nothing is open."""

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
        self._resting: dict[str | TransactionKey, int] = {}
        """Until when something is not read again that needs nothing from here, in Unix milliseconds."""
        self._woken: set[str] = set()
        """Mints that moved while a pass was reading."""
        self._calm = False
        """Whether all that the last pass looked at goes its way."""

    async def run(
        self,
        stop: asyncio.Event,
        *,
        interval: float,
        sleep: Callable[[float], Awaitable[None]],
        rng: random.Random,
    ) -> None:
        """Sweep about every `interval` seconds until `stop` is set; more rarely while CALM or IDLE."""

        async def once() -> float:
            if not await self.sweep():
                return IDLE * interval
            return CALM * interval if self._calm else interval

        await repeatedly(once, stop, every=interval, sleep=sleep, rng=rng)

    def wake(self, mint_id: str) -> None:
        """Read a mint in the next pass, however long it was to rest: it has moved."""
        self._resting.pop(mint_id, None)
        self._woken.add(mint_id)

    async def sweep(self) -> bool:
        """Do one pass; tell whether anything was open. Raises Retryable if the tables do not answer."""
        now = self._now()
        whole = not self._mint_starts and not self._transaction_starts
        mint_keys, transaction_keys = await asyncio.gather(
            self._all(self._mint_page, self._mint_starts),
            self._all(self._transaction_page, self._transaction_starts),
        )
        whole = whole and not self._mint_starts and not self._transaction_starts
        self._end_rests(mint_keys, transaction_keys, whole=whole, now=now)
        reader = PassReader(self._store)
        swept = await self._sweep_operations(reader, mint_keys, now=now)
        senders = await self._at_work(self._awake(transaction_keys, now=now), now=now)
        if swept.left or senders:
            final = await self._store.final()
            # Senders first: what is left behind waits for nobody, and may take long to be found on the chain.
            await self._check_senders(senders, final, now=now)
            await self._settle_left_behind(swept.left, reader, final, now=now)
        self._calm = whole and swept.oldest is None and not self._awake(transaction_keys, now=now)
        waiting = [key.reserved_at for key in transaction_keys if key.key not in self._resting]
        oldest = min(waiting if swept.oldest is None else [*waiting, swept.oldest], default=now)
        self._metrics.oldest_open.set(max(0, now - oldest) / 1000)
        self._metrics.passes.inc()
        return bool(mint_keys or transaction_keys)

    async def _mint_page(self, shard: str, after: OpenMint | None) -> list[OpenMint]:
        return await self._store.open_mints(shard, after=after, limit=PAGE)

    async def _transaction_page(self, shard: str, after: OpenTransaction | None) -> list[OpenTransaction]:
        return await self._store.open_transactions(shard, after=after, limit=PAGE)

    async def _all(self, read_page: ReadPage[KeyT], starts: dict[str, KeyT]) -> list[KeyT]:
        """Return what is open in all shards, each oldest first, as far as one pass may read."""

        async def shard_of(shard: str) -> list[KeyT]:
            after = starts.pop(shard, None)
            keys: list[KeyT] = []
            for _ in range(MAX_PAGES):
                page = await read_page(shard, after)
                keys += page
                if len(page) < PAGE:
                    return keys
                after = page[-1]
            assert after is not None
            starts[shard] = after
            return keys

        shards = await asyncio.gather(*(shard_of(str(number)) for number in range(OPEN_SHARDS)))
        return [key for shard in shards for key in shard]

    def _end_rests(
        self, mints: Sequence[OpenMint], transactions: Sequence[OpenTransaction], *, whole: bool, now: int
    ) -> None:
        """Forget rests that are over and, if the `whole` of the keys was read, those of what has ended."""
        names = {key.mint_id for key in mints} | {key.key for key in transactions} if whole else None
        self._resting = {
            name: end for name, end in self._resting.items() if end > now and (names is None or name in names)
        }

    async def _sweep_operations(
        self, reader: PassReader, keys: Sequence[OpenMint], *, now: int
    ) -> SweptOperations:
        """Send on what is due, and return what else there is to do."""
        grown = [key.mint_id for key in keys if key.created_at <= now - self._grown_up]
        self._woken.clear()
        swept = SweptOperations()
        async for operations in reader.portions(
            [mint_id for mint_id in grown if mint_id not in self._resting]
        ):
            for operation in operations:
                if operation.status not in WAITING and operation.operation_id not in self._woken:
                    self._resting[operation.operation_id] = now + rest(operation, now=now)
            mine = [operation for operation in operations if operation.chain_id == self._chain_id]
            await self._send_on_due(
                [operation for operation in mine if swept.note(operation, now=now)], now=now
            )
        async for operations in reader.portions(swept.first_lines):
            await self._send_on_due(
                [operation for operation in operations if operation.status in UNSENT], now=now
            )
        return swept

    async def _send_on_due(self, operations: Sequence[Operation], *, now: int) -> None:
        for operation in operations:
            if now >= due(operation, self._patience.stage_milliseconds):
                with self._metrics.set_aside.guarding(MINTS.name, operation.operation_id):
                    await self._send_on(operation, now=now)

    def _awake(self, keys: Iterable[OpenTransaction], *, now: int) -> dict[str, _Sender]:
        """Return the senders of which something is old enough to need something."""
        mine = f"{self._chain_id}#"
        by_sender: defaultdict[str, list[OpenTransaction]] = defaultdict(list)
        for key in keys:
            if key.key.sender_id.startswith(mine):
                by_sender[key.key.sender_id].append(key)
        senders = {}
        for sender_id, own in by_sender.items():
            old = [key for key in own if key.reserved_at <= now - self._grown_up]
            if old := [key for key in old if key.key not in self._resting]:
                senders[sender_id] = _Sender(min(key.key.nonce for key in own), old)
        return senders

    async def _at_work(self, senders: dict[str, _Sender], *, now: int) -> dict[str, int]:
        """Return the senders to check, each with the first nonce that is open.

        Most of what is old is mined, and rests from then on. Where it is little, it is read by key, in
        requests that senders share; all of a sender's own are a request by themselves. What is older than a
        rest is checked all the same.
        """
        rested = now - RESTING_SECONDS * 1000
        few = (sender.old for sender in senders.values() if len(sender.old) <= FEW)
        places = [key.key for old in few for key in old if all(key.reserved_at > rested for key in old)]
        for start in range(0, len(places), PORTION):
            portion = map(self._store.transaction, places[start : start + PORTION])
            read = await asyncio.gather(*portion, return_exceptions=True)
            # The check reports what cannot be read.
            self._rest([transaction for transaction in read if isinstance(transaction, Transaction)], now=now)
        return {
            sender_id: sender.first
            for sender_id, sender in senders.items()
            if any(key.key not in self._resting for key in sender.old)
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

    async def _settle_left_behind(
        self, left: Sequence[LeftBehind], reader: PassReader, final: Final, *, now: int
    ) -> None:
        """End mints whose token the index has for good, and vouchers that nobody redeemed in time."""
        ordered = self._searches.start_pass(left, now=now)
        async for operations in reader.portions([behind.mint_id for behind in ordered]):
            for mint in operations:
                if isinstance(mint, Mint) and may_be_left(mint, now=now):
                    with self._metrics.set_aside.guarding(MINTS.name, mint.mint_id):
                        await self._settle(mint, final, now=now)

    async def _settle(self, mint: Mint, final: Final, *, now: int) -> None:
        if mint.block_number is not None and mint.block_number > final.number:
            return
        end = expire if expired(mint, final_time=final.timestamp) else settle_from_index
        await end(mint, final, store=self._store, chain=self._chain, now=now, searches=self._searches)

    async def _check_senders(self, senders: dict[str, int], final: Final, *, now: int) -> None:
        async def check(oldest: tuple[str, int]) -> None:
            sender_id, _ = oldest
            try:
                transactions = await self._store.transactions_from(TransactionKey(*oldest))
                self._rest(transactions, now=now)
                if transactions:
                    await self._monitor.check(transactions, final, now=now, complete=True)
            except Unusable as error:
                self._metrics.set_aside.note(TRANSACTIONS.name, sender_id, error)
            except MintlineError as error:
                log.warning("sender_not_watched", sender=sender_id, error=str(error))

        await results_of(senders.items(), check, at_once=SENDERS_AT_ONCE)

    def _rest(self, transactions: Sequence[Transaction], *, now: int) -> None:
        for transaction in transactions:
            if transaction.state is TransactionState.MINED and not transaction.to_be_split:
                self._resting[transaction.key] = now + RESTING_SECONDS * 1000
