"""Watches what was sent until the chain has used its nonce, one sender at a time, from the records alone.

::

    nonces of a sender    … │ final │ used │ first │ later …
                            │       │      │       │
    one of ours was mined   │ close │ wait │       │
    another was mined       │ renew │ wait │       │
    its mint was rejected   │ close │ wait │ fill it with a no-op            │
    not mined               │              │ send again; dearer when too old  │ send again; dearer when the
                            │              │ or too cheap for the market      │ market is above its fee cap
    nothing is on its way   │              │ a gap: fill it with a no-op      │

What is final is what the index has read and had confirmed; what is used is one node's word, and undone by
the next look if it was wrong.
A later nonce cannot be mined before the first one that is missing, so only that one is ever late. Every step
may be repeated, by any number of copies: the same bytes have the same hash, replacements and no-ops are told
from their duplicates by their attempt, and whoever asks for a replacement has marked the mint first.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

import structlog

from mintline.chain.send_facts import SendFact
from mintline.errors import Conflict, MintlineError
from mintline.intents import dedup_id, group_of, sign_mint
from mintline.messages import AnyIntent, Broadcast, Fees, SignMint
from mintline.queueing import SendingPort
from mintline.records import Attempt, Mint
from mintline.resources import ATTEMPTS, MINTS, SIGN
from mintline_broadcaster.bare import Bare
from mintline_broadcaster.fees import FeeCaps, bump, market_fees
from mintline_broadcaster.finality import final_count
from mintline_broadcaster.intents import sign_again
from mintline_broadcaster.metrics import Metrics
from mintline_broadcaster.noops import Noops
from mintline_broadcaster.outcomes import act_on, context, settle_used_nonce
from mintline_broadcaster.policy import Patience
from mintline_broadcaster.ports import Chain, Final, Ledger, MintMoved, SignedTransaction, TreasuryLow
from mintline_broadcaster.sweeping import due

LOOK_AHEAD = 64
"""Nonces of one sender that are sent again in one look: what comes later is as patient as these."""
MAX_GAPS = 16
"""Missing nonces of one sender that are filled in one look."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Sender:
    """What is on record of a sender and not final yet.

    `submitted` are its submitted mints, `dead` rejected ones whose nonce may be unused, `bare` its top-ups
    and no-ops, `reserved` the nonces of its mints that are not submitted yet. `complete` tells that nothing
    is left out: only then is a missing nonce a gap.
    """

    address: str
    submitted: Sequence[Mint] = ()
    dead: Sequence[Mint] = ()
    bare: Sequence[Bare] = ()
    reserved: frozenset[int] = frozenset()
    complete: bool = False


@dataclass(frozen=True, slots=True)
class _Pending:
    """The newest transaction for a nonce that the chain has not used; `mint` is None if it mints nothing."""

    intent: AnyIntent
    transaction: SignedTransaction
    mint: Mint | None

    @property
    def nonce(self) -> int:
        return self.intent.nonce

    def message(self) -> Broadcast:
        return Broadcast(
            trace=self.intent.trace,
            intent=self.intent,
            raw=self.transaction.raw,
            tx_hash=self.transaction.tx_hash,
        )


class Watch:
    """Looks after one sender's transactions."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        chain: Chain,
        outbox: SendingPort,
        noops: Noops,
        caps: FeeCaps,
        patience: Patience,
        metrics: Metrics,
    ) -> None:
        self._ledger = ledger
        self._chain = chain
        self._outbox = outbox
        self._noops = noops
        self._caps = caps
        self._patience = patience
        self._metrics = metrics

    async def look(self, sender: Sender, final: Final, *, now: int, urgent: bool = False) -> None:
        """Do what a sender's transactions need; `now` is in Unix milliseconds.

        `urgent` sends again what is not old yet. Raises Retryable if the chain or the tables do not answer.
        """
        used, settled = await asyncio.gather(
            self._chain.transaction_count(sender.address),
            final_count(sender.address, final, chain=self._chain),
        )
        used = max(used, settled)
        past = (one.tx_hash for one in sender.bare if one.nonce < settled)
        await asyncio.gather(*(self._ledger.close(tx_hash) for tx_hash in past))
        for mint in sender.submitted:
            if mint.nonce is not None and mint.nonce < used:
                with self._guarding(mint):
                    await self._settle(mint, final, now=now)
        filled = {transaction.nonce for transaction in sender.bare}
        for mint in sender.dead:
            with self._guarding(mint):
                await self._bury(mint, used=used, settled=settled, filled=filled, now=now)
        bare = {one.nonce: one for one in sorted(sender.bare, key=_rank) if one.nonce >= used}
        pending = await self._pending(sender, bare, used, now=now)
        if sender.complete and pending:
            await self._fill_gaps(sender, pending, bare, used, now=now)
        horizon, chain_time = await asyncio.gather(
            self._chain.timestamp(self._patience.replace_after), self._chain.time()
        )
        for one in pending[:LOOK_AHEAD]:
            if urgent or now - one.transaction.at >= self._patience.look_milliseconds or _stopping(one):
                with self._guarding(one.mint or one.transaction):
                    await self._attend(
                        one,
                        first=one.nonce == used,
                        horizon=horizon * 1000,
                        chain_time=chain_time,
                        now=now,
                    )

    def _guarding(self, record: Mint | SignedTransaction) -> AbstractContextManager[None]:
        """Let a record that cannot be used stop neither the sender's others nor the pass."""
        if isinstance(record, Mint):
            return self._metrics.set_aside.guarding(MINTS.name, record.mint_id)
        return self._metrics.set_aside.guarding(ATTEMPTS.name, "0x" + record.tx_hash.hex())

    async def _settle(self, mint: Mint, final: Final, *, now: int) -> None:
        try:
            await settle_used_nonce(
                mint, final, ledger=self._ledger, chain=self._chain, outbox=self._outbox, now=now
            )
        except Conflict:
            log.info("mint_moved_meanwhile", mint_id=mint.mint_id)

    async def _bury(self, mint: Mint, *, used: int, settled: int, filled: set[int], now: int) -> None:
        """See to it that the nonce of a rejected mint is used, by whatever is not the mint."""
        assert mint.nonce is not None
        if mint.nonce < settled:
            await self._ledger.close_mint(mint.mint_id)
        elif mint.nonce >= used and mint.nonce not in filled:
            await self._noops.fill_nonce(sign_mint(mint), now=now)

    async def _pending(
        self, sender: Sender, bare: Mapping[int, Bare], used: int, *, now: int
    ) -> list[_Pending]:
        """Return the newest transaction of each unused nonce, in order; a no-op is always newest.

        Of those that mint nothing only the first are read: what is behind them has to wait for them.
        """
        mints = {
            mint.nonce: mint for mint in sender.submitted if mint.nonce is not None and mint.nonce >= used
        }
        newest = {nonce: mint.attempts[-1].tx_hash for nonce, mint in mints.items()}
        ahead = {nonce: bare[nonce].tx_hash for nonce in sorted(bare)[:LOOK_AHEAD]}
        known = await self._ledger.read_transactions([*newest.values(), *ahead.values()])
        found: dict[int, _Pending] = {}
        for nonce, mint in mints.items():
            transaction = known.get(newest[nonce])
            with self._guarding(mint):
                if transaction is not None:
                    found[nonce] = _Pending(_intent_of(mint, transaction), transaction, mint)
                elif await self._marked(mint, now=now):
                    await self._sign_same(mint)
        for nonce, tx_hash in ahead.items():
            transaction = known.get(tx_hash)
            if transaction is not None and transaction.intent is not None:
                found[nonce] = _Pending(transaction.intent, transaction, None)
        return [found[nonce] for nonce in sorted(found)]

    async def _fill_gaps(
        self, sender: Sender, pending: list[_Pending], bare: Mapping[int, Bare], used: int, *, now: int
    ) -> None:
        """Fill reserved nonces that nothing is on its way for, once those behind have waited long enough.

        Should one be on its way after all, the no-op takes its nonce, and the mint gets another: a detour,
        never a loss.
        """
        since = {one.nonce: one.transaction.at for one in pending}
        since |= {nonce: one.at for nonce, one in bare.items()}
        waiting = [nonce for nonce, at in since.items() if now - at >= self._patience.stage_milliseconds]
        if not waiting:
            return
        mints = {mint.nonce for mint in (*sender.submitted, *sender.dead)}
        taken = sender.reserved | mints | since.keys()
        missing = [nonce for nonce in range(used, max(waiting)) if nonce not in taken][:MAX_GAPS]
        if not missing:
            return
        fees = market_fees(await self._chain.fees(), self._caps)
        for nonce in missing:
            log.warning("nonce_gap_filled", sender=sender.address, nonce=nonce, waiting=len(waiting))
            self._metrics.nonce_gaps.inc()
            await self._noops.fill_gap(pending[0].intent.signer, nonce, fees, now=now)

    async def _attend(self, one: _Pending, *, first: bool, horizon: int, chain_time: int, now: int) -> None:
        """Send a transaction again, or have its nonce given to a dearer one or a no-op."""
        if _stopping(one) or _expired(one, chain_time=chain_time):
            await self._stop(one, now=now)
        elif await self._send_again(one, now=now):
            await self._replace_if_stuck(one, first=first, horizon=horizon, now=now)

    async def _send_again(self, one: _Pending, *, now: int) -> bool:
        """Send the same bytes again; tell whether they are in the node's pool now."""
        message = one.message()
        answer = await self._chain.send_raw(message.raw)
        if answer.fact is SendFact.ALREADY_KNOWN:
            return True
        if answer.fact is SendFact.ACCEPTED:
            self._metrics.resends.inc()
            log.info("transaction_sent_again", **context(message))
            return True
        log.info("transaction_refused_again", fact=answer.fact.value, said=answer.message, **context(message))
        try:
            await act_on(
                answer,
                message,
                ledger=self._ledger,
                chain=self._chain,
                outbox=self._outbox,
                noops=self._noops,
                caps=self._caps,
                now=now,
            )
        except MintlineError as error:
            if isinstance(error, TreasuryLow):
                self._metrics.treasury_low.inc()
            # The next look finds the same records.
            log.info("transaction_waits", why=str(error), **context(message))
        return False

    async def _replace_if_stuck(self, one: _Pending, *, first: bool, horizon: int, now: int) -> None:
        market = await self._chain.fees()
        too_cheap = one.intent.fees.max_fee_per_gas < market.base_fee
        too_old = first and one.transaction.at < horizon
        if not (too_cheap or too_old):
            return
        fees = bump(one.intent.fees, self._caps, market)
        if fees is None:
            log.warning("fee_cap_reached", **context(one.message()))
            return
        if one.mint is not None and not await self._marked(one.mint, now=now):
            return
        self._metrics.replacements.labels("market" if too_cheap else "age").inc()
        log.info("transaction_replaced", max_fee_per_gas=fees.max_fee_per_gas, **context(one.message()))
        await sign_again(one.intent, fees, one.mint, ledger=self._ledger, outbox=self._outbox)

    async def _stop(self, one: _Pending, *, now: int) -> None:
        """Have the nonce filled of a mint that its user stopped, or whose voucher has run out meanwhile.

        The no-op may come too late. If it does not, the one ends, and the other gets a new nonce and voucher.
        """
        assert isinstance(one.intent, SignMint)
        await self._noops.fill_nonce(one.intent, now=now)

    async def _sign_same(self, mint: Mint) -> None:
        """Have an attempt signed once more whose bytes were not written down: the same ones come of it."""
        number = len(mint.attempts) - 1
        same = sign_mint(mint, await self._ledger.envelope(mint))
        intent = same.evolve(fees=_fees_of(mint.attempts[-1]), attempt=number)
        log.warning("attempt_without_bytes", mint_id=mint.mint_id, nonce=mint.nonce, attempt=number)
        await self._outbox.send(SIGN, intent, group=group_of(intent), dedup=dedup_id(intent))

    async def _marked(self, mint: Mint, *, now: int) -> bool:
        """Tell whether it is this copy's turn to send a mint on: one at a time, with growing patience."""
        if now < due(mint, self._patience.look_milliseconds):
            return False
        try:
            await self._ledger.mark_swept(mint, at=now)
        except MintMoved:
            return False
        return True


def _stopping(one: _Pending) -> bool:
    return one.mint is not None and one.mint.cancel_requested_at is not None


def _expired(one: _Pending, *, chain_time: int) -> bool:
    """Tell whether the contract would refuse the voucher by now: it holds the block's time against it."""
    return one.mint is not None and one.mint.deadline is not None and one.mint.deadline <= chain_time


def _rank(transaction: Bare) -> tuple[bool, int]:
    return transaction.fills, transaction.attempt


def _intent_of(mint: Mint, transaction: SignedTransaction) -> SignMint:
    """Return the intent that a mint's transaction carries out."""
    [attempt] = [one for one in mint.attempts if one.tx_hash == transaction.tx_hash]
    return sign_mint(mint).evolve(fees=_fees_of(attempt), attempt=transaction.attempt)


def _fees_of(attempt: Attempt) -> Fees:
    return Fees(
        max_fee_per_gas=attempt.max_fee_per_gas,
        max_priority_fee_per_gas=attempt.max_priority_fee_per_gas,
    )
