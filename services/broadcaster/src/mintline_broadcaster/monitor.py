"""Monitors transactions until the chain has used their nonces, one sender at a time, from the records alone.

::

    nonces of a sender        … │ final │ used │ first │ later …
                                │       │      │       │
    an attempt of ours is mined │ wait for the index    │
    another has the nonce       │ release,close │ wait  │
    it was never signed         │              │ have it signed, once older than its stage's deadline
    its batch is half claimed   │ the builder finishes that, with the same deadline
    its batch failed on chain   │ release and close once its block is final
    it was sent                 │              │ send again; replace when  │ send again; replace when the
                                │              │ too old or underpriced    │ market is above its fee cap
    its nonce is to be filled   │              │ have a no-op signed, and monitor that in the same way
    there is no record          │              │ a gap: make one, to be filled

The kind of a transaction matters in two cases only: when another transaction has its nonce, and for a batch,
which can lose some of its operations before it is signed.
A block is final if the index has read it and a majority of the nodes confirmed it. Whether a nonce is used is
asked of one node; the next check corrects a wrong answer.
A later nonce cannot be mined before the first one that is missing, so only that one is ever late. Every step
may be repeated, by any number of copies: the same bytes have the same hash, replacements and no-ops are
distinguished from duplicates by their attempt, and a record is marked before a replacement is requested.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AbstractContextManager

import structlog

from mintline.chain.send_facts import SendFact
from mintline.errors import MintlineError
from mintline.messages.signed import Broadcast
from mintline.queue_port import SendingPort
from mintline.records.operations import Attempt, Mint
from mintline.records.transactions import Transaction
from mintline.resources import TRANSACTIONS
from mintline.states import MintStatus, TransactionState
from mintline_broadcaster.config import Patience
from mintline_broadcaster.fees import FeeCaps, bump, market_fees
from mintline_broadcaster.finality import final_count
from mintline_broadcaster.gaps import gap, missing_nonces
from mintline_broadcaster.intents import (
    ask_to_finish,
    fees_of,
    first_intent,
    intent_again,
    operations_of,
    resealed,
    sign,
    sign_again,
)
from mintline_broadcaster.kinds import depends_on
from mintline_broadcaster.metrics import Metrics
from mintline_broadcaster.noops import Noops
from mintline_broadcaster.outcomes import act_on, close, context, end_consumed_transaction, fill_for_good
from mintline_broadcaster.pending import ChainView, Pending, newest, stuck
from mintline_broadcaster.ports import (
    ChainClient,
    Final,
    SignedTransaction,
    TransactionMoved,
    TransactionStore,
    TreasuryLow,
)
from mintline_broadcaster.settle_from_index import settle_from_index
from mintline_broadcaster.sweep_schedule import due

CHECK_AHEAD = 64
"""Nonces of one sender that one check handles; later nonces cannot be mined before these."""
LEFT_MILLISECONDS = 300_000
"""How long a mined transaction may be in a final block before the index is taken to have left it behind."""

log = structlog.get_logger(__name__)


class TransactionMonitor:
    """Has each open transaction of a sender signed, sent, replaced or closed, as record and chain require."""

    def __init__(
        self,
        *,
        store: TransactionStore,
        chain: ChainClient,
        outbox: SendingPort,
        noops: Noops,
        caps: FeeCaps,
        patience: Patience,
        metrics: Metrics,
    ) -> None:
        self._store = store
        self._chain = chain
        self._outbox = outbox
        self._noops = noops
        self._caps = caps
        self._patience = patience
        self._metrics = metrics

    async def check(
        self,
        transactions: Sequence[Transaction],
        final: Final,
        *,
        now: int,
        urgent: bool = False,
        complete: bool = False,
    ) -> None:
        """Do what a sender's open transactions need; `now` is in Unix milliseconds.

        They come in the order of nonces. `complete` tells that these are all of them: only then is a missing
        nonce a gap. `urgent` sends again what is not old yet. Raises Retryable if the chain or the tables do
        not answer.
        """
        address = transactions[0].signer.address
        used, consumed = await asyncio.gather(
            self._chain.transaction_count(address), final_count(address, final, chain=self._chain)
        )
        used = max(used, consumed)
        for transaction in transactions:
            if transaction.nonce < consumed:
                with self._guarding(transaction):
                    await self._end_consumed(transaction, final, now=now)
        pending = [
            Pending(transaction, newest(transaction))
            for transaction in transactions
            if transaction.nonce >= used
        ]
        if not pending:
            return
        if complete:
            await self._fill_gaps(pending, used, now=now)
        horizon, chain_time = await asyncio.gather(
            self._chain.timestamp(self._patience.replace_after), self._chain.time()
        )
        view = ChainView(used, horizon * 1000, chain_time)
        due_now = [entry for entry in pending[:CHECK_AHEAD] if self._wants(entry, urgent=urgent, now=now)]
        hashes = [entry.attempt.tx_hash for entry in due_now if entry.attempt is not None]
        signed = await self._store.read_signed(hashes)
        for entry in due_now:
            with self._guarding(entry.transaction):
                await self._advance(entry, signed, view, now=now)

    def _wants(self, pending: Pending, *, urgent: bool, now: int) -> bool:
        if pending.transaction.state is TransactionState.MINED:
            return False  # the node is behind the index, or a reorg that the index has not seen yet
        old = now - pending.since >= self._patience.check_milliseconds
        return urgent or old or pending.transaction.filling_at is not None

    def _guarding(self, transaction: Transaction) -> AbstractContextManager[None]:
        """Let a record that cannot be used stop neither the sender's others nor the pass."""
        return self._metrics.set_aside.guarding(TRANSACTIONS.name, transaction.key.name)

    async def _end_consumed(self, transaction: Transaction, final: Final, *, now: int) -> None:
        """Close a transaction whose nonce is used for good, unless that is the indexer's."""
        if transaction.claiming:
            # Its operations can be let go once no more are claimed: it is sealed, or a no-op is on record.
            if transaction.filling_at is None:
                await self._send_on(transaction, now=now)
            else:
                await self._noops.fill(transaction, now=now)
        elif transaction.state is not TransactionState.MINED or (
            transaction.to_be_split and _is_in(transaction, final)
        ):
            await end_consumed_transaction(
                transaction,
                final,
                store=self._store,
                chain=self._chain,
                outbox=self._outbox,
                now=now,
            )
        elif _is_in(transaction, final) and now - transaction.updated_at >= LEFT_MILLISECONDS:
            await self._settle_left_behind(transaction, final, now=now)

    async def _settle_left_behind(self, transaction: Transaction, final: Final, *, now: int) -> None:
        """Close a mined transaction that the index left behind, and end the mints that it left behind."""
        assert transaction.outcome is not None
        log.warning("transaction_left_behind", sender=transaction.sender_id, nonce=transaction.nonce)
        await close(transaction, transaction.outcome, store=self._store, now=now)
        operations = await self._store.operations(transaction.operations)
        for operation in operations.values():
            if isinstance(operation, Mint) and operation.status is MintStatus.MINED:
                await settle_from_index(operation, final, store=self._store, chain=self._chain, now=now)

    async def _fill_gaps(self, pending: Sequence[Pending], used: int, *, now: int) -> None:
        """Fill reserved nonces that no record is open for, once those behind have waited long enough.

        Accounts jump ahead of what was used elsewhere: should a reorg take that back, there is a gap. Should
        something be on its way after all, the no-op takes its nonce, and the mint gets another: a detour,
        never a loss.
        """
        waiting = [entry.nonce for entry in pending if now - entry.since >= self._patience.stage_milliseconds]
        missing = missing_nonces({entry.nonce for entry in pending}, waiting, used)
        if not missing:
            return
        fees = market_fees(await self._chain.fees(), self._caps)
        signer = pending[0].transaction.signer
        for nonce in missing:
            missed = gap(signer, nonce, fees, now=now)
            with self._guarding(missed):
                opened = await self._store.open_gap(missed)
                if opened is not None:
                    self._metrics.nonce_gaps.inc()
                    log.warning("nonce_gap_filled", sender=signer.address, nonce=nonce)
                    await self._noops.fill(opened, now=now, fees=None if opened.attempts else fees)

    async def _advance(
        self, pending: Pending, signed: dict[bytes, SignedTransaction], view: ChainView, *, now: int
    ) -> None:
        """Send a transaction again, or have a replacement or a no-op signed for its nonce."""
        transaction, attempt = pending.transaction, pending.attempt
        if pending.to_be_filled(chain_time=view.chain_time):
            await self._noops.fill(transaction, now=now)
        elif attempt is None:
            await self._send_on(transaction, now=now)
        elif (bytes_of := signed.get(attempt.tx_hash)) is None:
            await self._sign_same(transaction, attempt, now=now)
        elif await self._send_again(transaction, attempt, bytes_of, now=now):
            await self._replace_if_stuck(transaction, attempt, bytes_of, view, now=now)

    async def _send_on(self, transaction: Transaction, *, now: int) -> None:
        """Have signed what was reserved and never came back, unless another copy has just done so."""
        if not await self._marked(transaction, self._patience.stage_milliseconds, now=now):
            return
        self._metrics.sweeps.labels(transaction.state.value).inc()
        log.warning(
            "transaction_sent_on",
            sender=transaction.sender_id,
            nonce=transaction.nonce,
            kind=transaction.kind,
            sweeps=transaction.sweeps,
        )
        dedup = f"sweep:{transaction.key.name}:{now}"
        if transaction.claiming:
            await ask_to_finish(transaction, outbox=self._outbox, now=now)
        elif transaction.kind == "batch":
            await self._sign_batch(transaction, dedup, now=now)
        else:
            intent = await first_intent(transaction, store=self._store)
            await sign(intent, outbox=self._outbox, dedup=dedup)

    async def _sign_batch(self, batch: Transaction, dedup: str, *, now: int) -> None:
        """Have a batch signed without the operations that ended meanwhile; if none is left, a no-op."""
        operations = await operations_of(batch, store=self._store)
        left = [operation for operation in operations if depends_on(operation, batch)]
        about = {"sender": batch.sender_id, "nonce": batch.nonce, "left": len(left)}
        try:
            if not left:
                await fill_for_good(batch, store=self._store, noops=self._noops, now=now)
                return
            seal, intent = resealed(batch, left)
            if seal.operations != batch.operations:
                await self._store.reseal(batch, seal, at=now)
                log.warning("batch_sealed_again", **about)
        except TransactionMoved:
            log.info("transaction_moved_meanwhile", **about)
        else:
            await sign(intent, outbox=self._outbox, dedup=dedup)

    async def _sign_same(self, transaction: Transaction, attempt: Attempt, *, now: int) -> None:
        """Have an attempt signed once more whose bytes were not written down: the same ones come of it."""
        if not await self._marked(transaction, self._patience.check_milliseconds, now=now):
            return
        log.warning("attempt_without_bytes", sender=transaction.sender_id, nonce=transaction.nonce)
        if attempt.fills:
            await self._noops.fill(transaction, now=now)
            return
        number = transaction.first_attempt + transaction.attempts.index(attempt)
        intent = await first_intent(transaction, store=self._store)
        await sign(intent.evolve(fees=fees_of(transaction, attempt), attempt=number), outbox=self._outbox)

    async def _message(
        self, transaction: Transaction, attempt: Attempt, signed: SignedTransaction
    ) -> Broadcast:
        intent = await intent_again(transaction, attempt, signed, store=self._store)
        return Broadcast(trace=intent.trace, intent=intent, raw=signed.raw, tx_hash=signed.tx_hash)

    async def _send_again(
        self, transaction: Transaction, attempt: Attempt, signed: SignedTransaction, *, now: int
    ) -> bool:
        """Send the same bytes again; tell whether they are in the node's pool now."""
        response = await self._chain.send_raw(signed.raw)
        if response.fact is SendFact.ALREADY_KNOWN:
            return True
        about = {"sender": transaction.sender_id, "nonce": transaction.nonce, "attempt": signed.attempt}
        if response.fact is SendFact.ACCEPTED:
            self._metrics.resends.inc()
            log.info("transaction_sent_again", **about)
            return True
        log.info("transaction_refused_again", fact=response.fact.value, said=response.message, **about)
        try:
            await act_on(
                response,
                await self._message(transaction, attempt, signed),
                store=self._store,
                chain=self._chain,
                outbox=self._outbox,
                noops=self._noops,
                caps=self._caps,
                now=now,
            )
        except MintlineError as error:
            if isinstance(error, TreasuryLow):
                self._metrics.treasury_low.inc()
            # The next check finds the same records.
            log.info("transaction_waits", why=str(error), **about)
        return False

    async def _replace_if_stuck(
        self,
        transaction: Transaction,
        attempt: Attempt,
        signed: SignedTransaction,
        view: ChainView,
        *,
        now: int,
    ) -> None:
        market = await self._chain.fees()
        cause = stuck(transaction, attempt, view, market)
        if cause is None:
            return
        fees = bump(fees_of(transaction, attempt), self._caps, market)
        message = await self._message(transaction, attempt, signed)
        if fees is None:
            log.warning("fee_cap_reached", **context(message))
            return
        if not await self._marked(transaction, self._patience.check_milliseconds, now=now):
            return
        self._metrics.replacements.labels(cause).inc()
        log.info("transaction_replaced", max_fee_per_gas=fees.max_fee_per_gas, **context(message))
        if attempt.fills:
            await self._noops.fill(transaction, now=now, fees=fees)
        else:
            await sign_again(message.intent, fees, outbox=self._outbox)

    async def _marked(self, transaction: Transaction, patience: int, *, now: int) -> bool:
        """Tell whether it is this copy's turn to send it on: one at a time, with growing patience."""
        if now < due(transaction, patience):
            return False
        try:
            await self._store.mark(transaction, at=now)
        except TransactionMoved:
            return False
        return True


def _is_in(transaction: Transaction, final: Final) -> bool:
    """Tell whether a mined transaction's block is final."""
    return transaction.block_number is not None and transaction.block_number <= final.number
