"""The treasury: the key that pays for top-ups, and the transactions that it sends them by.

A top-up is a transaction like any other of the pipeline: its record is created by the write that reserves its
nonce. Until its nonce is consumed the broadcaster sends it on from that record. Whether it has arrived is
read from the chain: once the treasury's count of mined transactions has passed its nonce, the nonce is
consumed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

import structlog

from mintline.chain.calls import Call, Override
from mintline.chain.gas import GasBound
from mintline.clock import UnixSeconds, to_ms
from mintline.errors import Conflict, Rejected, Unavailable
from mintline.kinds import dedup_id, first_intent, group_of
from mintline.messages.parts import KeyRef
from mintline.notices import LOW_PAYMENTS, Notices, TreasuryLow
from mintline.records.keys import scoped
from mintline.records.transactions import Transaction, TransactionKey, address_of
from mintline.resources import SIGN
from mintline.states import TransactionState
from mintline_builder.claims import TopUpClaim
from mintline_builder.metrics import Metrics
from mintline_builder.ports import Account, ChainReader, Outbox
from mintline_builder.reserver import Reserver
from mintline_builder.waiting import TREASURY_EMPTY, Waiting, gas_limit

RESEND_AFTER = 5.0
"""Seconds after which a top-up that is asked for again is sent on again, unless it reached the chain."""
LOGGED_EVERY = 60.0
"""Seconds between two log lines with the treasury's balance."""

log = structlog.get_logger(__name__)


class Treasury:
    """Reserves, sends and follows top-ups of one treasury; `gas` bounds a top-up's gas limit."""

    def __init__(
        self,
        key: KeyRef,
        *,
        gas: GasBound,
        reserver: Reserver,
        chain: ChainReader,
        outbox: Outbox,
        notices: Notices,
        metrics: Metrics,
        clock: Callable[[], UnixSeconds],
    ) -> None:
        self.key = key
        self._gas = gas
        self._reserver = reserver
        self._chain = chain
        self._outbox = outbox
        self._notices = notices
        self._metrics = metrics
        self._clock = clock
        self._sent: dict[TransactionKey, float] = {}
        self._logged_at = -LOGGED_EVERY
        self._reserving: dict[str, int] = {}
        """By recipient, the wei that a top-up costs whose nonce this process is reserving."""
        self._costs: dict[int, int] = {}
        """By nonce, the wei that a top-up costs that this process has reserved and not seen mined."""

    @property
    def address(self) -> str:
        """Return the treasury's address."""
        return self.key.address

    async def read_wallet(self, wallet: str) -> tuple[int, int, int]:
        """Return a wallet's balance in wei, its nonces reserved but not mined, and those mined."""
        balance, mined = await asyncio.gather(
            self._chain.balance(wallet), self._chain.transaction_count(wallet)
        )
        in_flight = await self._reserver.next_nonce(wallet, mined) - mined
        return balance, in_flight, mined

    def latest(self, account: Account) -> TransactionKey | None:
        """Return which transaction is the latest top-up; earlier versions did not note the treasury."""
        if account.top_up_nonce is None:
            return None
        treasury = account.top_up_treasury or self.address
        return TransactionKey(scoped(self.key.chain_id, treasury), account.top_up_nonce)

    async def is_mined(self, top_up: TransactionKey) -> bool:
        """Whether a top-up's nonce is consumed."""
        return await self._chain.transaction_count(address_of(top_up.sender_id)) > top_up.nonce

    async def gas_of(self, wallet: str) -> int:
        """Return the gas limit of a transfer to a wallet: some chains ask more for one that is new to them.

        Any value is priced alike. The treasury's balance is assumed, as whether it can pay is checked later.
        """
        transfer = Call(sender=self.address, to=wallet, data=b"", value=1)
        rich = {self.address: Override(balance=2**127)}
        try:
            needed = await self._chain.estimate_gas(transfer, rich)
        except Rejected as refusal:
            # No mint ends because of its wallet's top-up.
            raise Unavailable(f"a top-up of {wallet} cannot be estimated: {refusal.reason}") from refusal
        return gas_limit(self._gas, needed, "A top-up")

    async def reserve(self, claim: TopUpClaim, *, least: int, usual: int, urgent: bool = True) -> None:
        """Reserve the treasury's nonce for a top-up, and have it signed.

        It brings `least` wei if the treasury cannot pay more. Raises Waiting if it cannot pay that either,
        which is reported if the top-up is `urgent`. What is left is counted in top-ups of `usual` wei.
        """
        balance, in_flight, mined = await self.read_wallet(self.address)
        # No await from here until the claim's cost is noted: two at once must not both count on one balance.
        claim = self._check_balance(claim, least, usual, (balance, in_flight, mined), urgent=urgent)
        self._reserving[claim.wallet] = _cost(claim)
        try:
            nonce = await self._reserver.reserve(self.address, claim, floor=mined)
        except Conflict:
            # Another copy, or a try of ours whose answer was lost, recorded one: it is found as pending next
            # time.
            return
        finally:
            del self._reserving[claim.wallet]
        self._costs[nonce] = _cost(claim)
        self._metrics.top_ups.inc()
        log.info("top_up_reserved", wallet=claim.wallet, nonce=nonce, value=str(claim.value))
        await self._send(claim.transaction(nonce))

    async def send_again(self, top_up: Transaction) -> None:
        """Send on a top-up that was not sent to the chain, as its first message may be lost."""
        due = max(self._sent.get(top_up.key, 0), top_up.reserved_at / 1000) + RESEND_AFTER
        if top_up.state is TransactionState.RESERVED and self._clock() >= due:
            await self._send(top_up)

    def warn_low(self, balance: int, required: int) -> None:
        """Count and log that the treasury holds less than it must, and tell operators; both in wei."""
        self._metrics.treasury_low.inc()
        log.warning("treasury_low", address=self.address, balance=str(balance), required=str(required))
        self._note_low(balance, 0)

    def _check_balance(
        self, claim: TopUpClaim, least: int, usual: int, state: tuple[int, int, int], *, urgent: bool
    ) -> TopUpClaim:
        """Return the top-up that the treasury can pay: `claim`, or that with `least` wei.

        `state` is the treasury's, as from `read_wallet`. Raises Waiting if it can pay neither.
        """
        balance, in_flight, mined = state
        self._metrics.treasury_balance.set(balance)
        self._costs = {nonce: cost for nonce, cost in self._costs.items() if nonce >= mined}
        required = self._required(claim, in_flight)
        if balance < required:
            claim = replace(claim, value=least, gas_given=claim.gas_given - claim.value + least)
            required = self._required(claim, in_flight)
        left = max(0, balance - required) // _cost(replace(claim, value=usual))
        self._log_balance(balance, left)
        if balance < required:
            if urgent:
                self.warn_low(balance, required)
            raise Waiting(TREASURY_EMPTY)
        if left < LOW_PAYMENTS:
            self._note_low(balance, left)
        return claim

    def _required(self, claim: TopUpClaim, in_flight: int) -> int:
        """Return the wei for a top-up and all that are promised.

        Those that other copies have reserved are taken to cost as much as this one.
        """
        others = max(0, in_flight - len(self._costs))
        return (others + 1) * _cost(claim) + sum(self._costs.values()) + sum(self._reserving.values())

    def _note_low(self, balance: int, top_ups_left: int) -> None:
        notice = TreasuryLow(
            chain_id=self.key.chain_id,
            address=self.address,
            balance=balance,
            top_ups_left=top_ups_left,
            at=to_ms(self._clock()),
        )
        self._notices.note(notice)

    def _log_balance(self, balance: int, top_ups_left: int) -> None:
        """Log what the treasury holds (wei), and for how many more top-ups that is: at most once a minute."""
        now = self._clock()
        if now - self._logged_at >= LOGGED_EVERY:
            self._logged_at = now
            log.info("treasury_balance", balance=str(balance), top_ups_left=top_ups_left)

    async def _send(self, top_up: Transaction) -> None:
        now = self._clock()
        self._sent = {place: at for place, at in self._sent.items() if now - at < RESEND_AFTER}
        self._sent[top_up.key] = now
        message = first_intent(top_up)
        await self._outbox.send(SIGN, message, group=group_of(message), dedup=dedup_id(message))


def _cost(claim: TopUpClaim) -> int:
    """Return the most wei that a top-up takes from the treasury."""
    return claim.value + claim.gas * claim.fees.max_fee_per_gas
