"""Batches of sponsored mints: reserved first, claimed after, sealed, and sent to be signed.

::

    gather ─▶ simulate ─▶ metadata ─▶ relayer's funds ─▶ reserve ─▶ claim 99 by 99 ─▶ seal ─▶ sign.fifo
                 │                                          1 write      n/99 writes     1 write
                 ▼
          a bad line is rejected alone

A batch of hundreds is more than one DynamoDB transaction takes. So its record comes first, with the list of
what it may carry and the mark `claiming`; then each mint is claimed by a conditional write; then one write
removes the mark, and from the list what was lost. Only what is sealed can be signed. Each claim checks that
the batch is still `claiming`, so the process that seals it has seen all claims.

A process that finds a batch half claimed goes on from its record: the builder that a mint of it comes back
to, or the one that the broadcaster's monitor asks to (`FinishBatch`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextvars import Context
from dataclasses import dataclass
from types import MappingProxyType

import structlog

from mintline.clock import UnixSeconds, to_ms
from mintline.errors import Conflict, Deferred, MintlineError, Rejected, Unavailable
from mintline.kinds import dedup_id, first_intent, group_of
from mintline.messages.parts import Fees
from mintline.records.operations import Mint
from mintline.records.transactions import Transaction, TransactionKey, carried_by
from mintline.resources import SIGN
from mintline.states import MintStatus, TransactionState
from mintline_builder.batch_claims import BatchClaim, LineClaim, in_transactions, sealed
from mintline_builder.batch_simulation import BatchSimulator, Group, Sorted
from mintline_builder.config import BuilderConfig
from mintline_builder.funds import Funds
from mintline_builder.gatherer import BatchLine, FailedBatch
from mintline_builder.metrics import Metrics
from mintline_builder.ports import Accounts, ChainReader, Collections, MetadataPublisher, Operations, Outbox
from mintline_builder.relayers import Payer, Relayers
from mintline_builder.reserver import Reserver
from mintline_builder.waiting import RELAYER_NOT_ALLOWED, Waiting

LINE_GAS = 62_000
"""Gas limit of a line, until a collection's first batch has shown it."""
BATCH_GAS = 36_000
"""What a batch takes in addition to its lines."""
AGAIN_AFTER = 1.0
"""Seconds after which mints are gathered again whose batch costs more than its relayer has."""
RESEND_AFTER = 5.0
"""Seconds for which this process does not send on a batch again: all its mints come back at once."""
NONE_BUILT: Mapping[str, Mint] = MappingProxyType({})

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchPorts:
    """What batches are made with."""

    accounts: Accounts
    operations: Operations
    collections: Collections
    metadata: MetadataPublisher
    outbox: Outbox
    chain: ChainReader


class Batches:
    """Makes batches, and has the relayers send them."""

    def __init__(
        self,
        ports: BatchPorts,
        *,
        config: BuilderConfig,
        reserver: Reserver,
        funds: Funds,
        relayers: Relayers,
        fees: Callable[[], Awaitable[Fees]],
        metrics: Metrics,
        now: Callable[[], UnixSeconds],
    ) -> None:
        self._ports = ports
        self.relayers = relayers
        self._max_cost = config.top_ups.max_cost
        self._max_batch = config.max_batch
        self._reserver = reserver
        self._funds = funds
        self._fees = fees
        self._metrics = metrics
        self._now = now
        self._simulator = BatchSimulator(
            ports.chain, gas=config.batch_gas, recipient_gas=config.recipient_gas
        )
        self._gas_bound = config.batch_gas.most
        self._line_gas: dict[str, int] = {}
        """By contract, the gas limit of one line in its latest batch."""
        self._sent: dict[TransactionKey, float] = {}
        self._finishing: dict[TransactionKey, asyncio.Task[None]] = {}

    def room(self, contract: str) -> int:
        """Return how many mints of a collection a batch takes: by count, and by the gas of the latest one."""
        line = self._line_gas.get(contract)
        if line is None:
            return self._max_batch
        return max(1, min(self._max_batch, (self._gas_bound - BATCH_GAS) // line))

    async def assemble(self, lines: Sequence[BatchLine]) -> None:
        """Put mints of one collection into batches, as few as gas and cost allow, and resolve each line.

        Mints of items whose batch failed on chain go by halves of that batch, with no others: a recipient
        whose code failed it is found in as many steps as the batch can be halved. What stops one part stops
        no other.
        """
        together = [line for line in lines if line.failed is None]
        for part in filter(None, (together, *_halves(lines))):
            try:
                await self._assemble(part)
            except MintlineError as error:
                for line in part:
                    line.fail(error)

    async def _assemble(self, lines: Sequence[BatchLine]) -> None:
        by_id = {line.mint.mint_id: line for line in lines}
        fees = await self._fees()
        payer, sorted_mints = await self._simulate([line.mint for line in lines], fees)
        for mint_id, refusal in sorted_mints.refused.items():
            by_id[mint_id].fail(refusal)
        for number, group in enumerate(sorted_mints.groups):
            if payer.affords(group.gas * fees.max_fee_per_gas, more=number):
                await self._assemble_group(payer, group, by_id, fees)
            else:
                # Its gas was guessed when the relayer was picked, and is known now.
                for mint in group.mints:
                    by_id[mint.mint_id].fail(
                        Deferred("the relayer cannot pay for the batch", retry_after=AGAIN_AFTER)
                    )

    async def _simulate(self, mints: Sequence[Mint], fees: Fees) -> tuple[Payer, Sorted]:
        """Pick a relayer, and find out which mints it can mint; raises Waiting if none may."""
        contract = mints[0].contract
        affordable = self._max_cost // fees.max_fee_per_gas
        gas = BATCH_GAS + self._line_gas.get(contract, LINE_GAS) * len(mints)
        fixed = await self._ports.collections.clone(contract) is None
        barred: frozenset[str] = frozenset()
        while True:
            payer = await self.relayers.pick(contract, gas * fees.max_fee_per_gas, barred=barred)
            address = payer.key.address
            try:
                sorting = await self._simulator.sort(
                    contract, mints, relayer=address, most=affordable, fixed=fixed
                )
            except Waiting as waiting:
                if waiting.problem != RELAYER_NOT_ALLOWED:
                    raise
                self.relayers.bar(contract, address)
                barred |= {address}
            else:
                self._gas_bound = await self._simulator.bound()
                for group in sorting.groups:
                    self._line_gas[contract] = max(1, (group.gas - BATCH_GAS) // len(group.mints))
                return payer, sorting

    async def _assemble_group(
        self, payer: Payer, group: Group, lines: Mapping[str, BatchLine], fees: Fees
    ) -> None:
        mints = await self._publish([lines[mint.mint_id] for mint in group.mints])
        if not mints:
            return
        clone = await self._ports.collections.clone(mints[0].contract)
        claim = BatchClaim(payer.key, tuple(mints), group.gas, fees, to_ms(self._now()), clone)
        with self._funds.held(payer.key.address):
            nonce = await self._reserver.reserve(payer.key.address, claim, floor=payer.funding.mined)
        batch = claim.transaction(nonce)
        self._metrics.batches.inc()
        log.info("batch_reserved", relayer=payer.key.address, nonce=nonce, mints=len(mints))
        built = {mint.mint_id: mint for mint in claim.lines(nonce)}
        batch, carried = await self._complete(batch, claim.line_claims(), {}, built=built)
        await self._send(batch, carried)
        for mint in mints:
            if mint.mint_id in carried:
                lines[mint.mint_id].resolve(carried[mint.mint_id])
            else:
                lines[mint.mint_id].fail(Conflict(f"{mint.mint_id} was claimed before"))

    async def _publish(self, lines: Sequence[BatchLine]) -> list[Mint]:
        """Publish the metadata of each; one whose cannot be published goes without the others."""

        async def publish(line: BatchLine) -> Mint | None:
            mint = line.mint
            assert mint.token_id is not None
            try:
                if line.metadata is not None:
                    await self._ports.metadata.put(
                        mint.contract, mint.token_id, line.metadata, mint.metadata_digest
                    )
            except Exception as error:  # noqa: BLE001 - the line's own, whatever it is
                line.fail(error)
                return None
            return mint

        published = await asyncio.gather(*map(publish, lines))
        return [mint for mint in published if mint is not None]

    async def send_on(self, place: TransactionKey) -> None:
        """Finish a batch if that is to be done, and have it signed if that may not have been asked for.

        The same at once is done once.
        """
        if self._now() - self._sent.get(place, -RESEND_AFTER) < RESEND_AFTER:
            return
        task = self._finishing.get(place)
        if task is None:
            task = asyncio.create_task(self.finish(place), name="finish-batch", context=Context())
            self._finishing[place] = task
            task.add_done_callback(lambda done: self._finished(place, done))
        await asyncio.shield(task)

    def _finished(self, place: TransactionKey, task: asyncio.Task[None]) -> None:
        self._finishing.pop(place, None)
        if not task.cancelled():
            task.exception()

    async def finish(self, place: TransactionKey) -> None:
        """Claim what a batch names and nobody has, seal it, and have it signed; drops one that went on.

        Raises Rejected if there is no such batch.
        """
        batch = await self._ports.accounts.transaction(place)
        if batch is None or batch.kind != "batch":
            raise Rejected("batch_unknown", f"There is no batch {place.name} on record.")
        if batch.state is not TransactionState.RESERVED or batch.filling_at is not None:
            return
        mints = await self._mints(batch.operations)
        if batch.claiming is not None:
            held = {mint.mint_id: mint for mint in mints if _is_in(mint, batch)}
            free = [mint for mint in mints if mint.status is MintStatus.ACCEPTED]
            log.warning("batch_finished", nonce=place.nonce, claimed=len(held), accepted=len(free))
            at = to_ms(self._now())
            batch, carried = await self._complete(batch, [LineClaim(mint, at) for mint in free], held)
        else:
            carried = {mint.mint_id: mint for mint in mints}
        await self._send(batch, carried)

    async def aclose(self) -> None:
        """Wait for what is being finished."""
        while self._finishing:
            await asyncio.wait(self._finishing.values())

    async def _complete(
        self,
        batch: Transaction,
        claims: Sequence[LineClaim],
        held: Mapping[str, Mint],
        *,
        built: Mapping[str, Mint] = NONE_BUILT,
    ) -> tuple[Transaction, Mapping[str, Mint]]:
        """Claim the mints that are free, seal the batch, and return it with what it carries, by id.

        `held` are those that are claimed. Another process may have sealed it meanwhile: then that holds.
        `built` are mints as their claims make them, as far as that is known.
        """
        carried = dict(held)
        try:
            for chunk in in_transactions(claims):
                won = await self._ports.accounts.claim(batch, chunk)
                carried |= {
                    claim.mint.mint_id: built.get(claim.mint.mint_id) or claim.built(batch)
                    for claim in chunk
                    if claim.mint.mint_id in won
                }
            kept = [carried[mint_id] for mint_id in batch.operations if mint_id in carried]
            final = sealed(batch, kept, at=to_ms(self._now()))
            await self._ports.accounts.seal(final)
        except Conflict:
            return await self._sealed_by_another(batch.key)
        self._metrics.batch_lines.inc(len(kept))
        self._metrics.batch_lines_lost.inc(len(batch.operations) - len(kept))
        log.info("batch_sealed", nonce=batch.nonce, mints=len(kept), lost=len(batch.operations) - len(kept))
        return final, carried

    async def _sealed_by_another(self, place: TransactionKey) -> tuple[Transaction, Mapping[str, Mint]]:
        batch = await self._ports.accounts.transaction(place)
        if batch is None or batch.claiming is not None:
            # Its nonce was consumed before it was sealed: the monitor releases what it has claimed.
            raise Unavailable(f"batch {place.name} is not to be claimed for")
        mints = await self._mints(batch.operations)
        return batch, {mint.mint_id: mint for mint in mints if _is_in(mint, batch)}

    async def _mints(self, ids: Sequence[str]) -> list[Mint]:
        operations = await asyncio.gather(*map(self._ports.operations.get, ids))
        return [mint for mint in operations if isinstance(mint, Mint)]

    async def _send(self, batch: Transaction, carried: Mapping[str, Mint]) -> None:
        """Have a sealed batch signed, unless it went on, or carries nothing."""
        if batch.state is not TransactionState.RESERVED or batch.filling_at is not None:
            return
        mints = [carried[mint_id] for mint_id in batch.operations if mint_id in carried]
        intent = first_intent(batch, mints)
        await self._ports.outbox.send(SIGN, intent, group=group_of(intent), dedup=dedup_id(intent))
        now = self._now()
        self._sent = {place: at for place, at in self._sent.items() if now - at < RESEND_AFTER}
        self._sent[batch.key] = now


def _halves(lines: Sequence[BatchLine]) -> Iterator[list[BatchLine]]:
    """Yield the lines whose batch failed, those of each such batch in parts of half its size at most."""
    by_batch: dict[FailedBatch, list[BatchLine]] = {}
    for line in lines:
        if line.failed is not None:
            by_batch.setdefault(line.failed, []).append(line)
    for failed, own in by_batch.items():
        yield from (own[start : start + failed.half] for start in range(0, len(own), failed.half))


def _is_in(mint: Mint, batch: Transaction) -> bool:
    """Tell whether a mint is claimed by a batch, and not ended since."""
    return carried_by(mint) == batch.key and mint.status in (MintStatus.BUILT, MintStatus.SUBMITTED)
