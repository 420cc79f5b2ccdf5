"""Gas money: whether a wallet can pay, and its top-up from the treasury when it cannot.

A top-up is a transaction of the treasury like any other of the pipeline: its record is created by the write
that reserves its nonce, and the wallet's account names it, so that there is one per wallet at a time. Until
its nonce is consumed the broadcaster sends it on from that record. Whether it has arrived is read from the
chain: once the treasury's count of mined transactions has passed its nonce, the nonce is consumed. A no-op
may have consumed it, if the enclave refused the top-up: then the wallet waits before the next try.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import structlog

from mintline.chain.calls import Call, Override
from mintline.chain.gas import GasBound
from mintline.clock import UnixSeconds, to_ms
from mintline.errors import Conflict, Deferred, Rejected, Unavailable
from mintline.kinds import dedup_id, first_intent, group_of
from mintline.messages import Fees, KeyRef
from mintline.records import scoped
from mintline.resources import SIGN
from mintline.states import TransactionState
from mintline.transaction_records import Place, TopUpPayload, Transaction, address_of
from mintline_builder.claims import TopUpClaim
from mintline_builder.metrics import Metrics
from mintline_builder.ports import Account, Accounts, ChainReader, Outbox
from mintline_builder.reserver import Reserver
from mintline_builder.waiting import GAS_BUDGET_REACHED, TREASURY_EMPTY, Waiting, gas_limit

RESEND_AFTER = 5.0
"""Seconds after which a top-up that is asked for again is sent on again, unless it reached the chain."""
TREASURY_LOW_RETRY = 15.0
MISSED_RETRY = 60.0
"""Seconds from a top-up that never arrived to the next: each try burns a no-op of the treasury's."""
DAY = 86_400
LOGGED_EVERY = 60.0
"""Seconds between two log lines with the treasury's balance."""
SOON = 60.0
"""Seconds after a top-up within which the next one is twice as large."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class TopUpPolicy:
    """How much a top-up brings: the gas of `mints` mints, doubled for a wallet that is soon back for more.

    `max_mints` ends the doubling. `max_value` (wei) bounds any top-up; it must be within the enclave's own
    policy, or a treasury nonce is reserved for what will not be signed. `max_cost` (wei) bounds what one
    transaction may be said to need, `day_budget` (wei) what all top-ups of a wallet bring in a UTC day.
    """

    mints: int
    max_mints: int
    max_value: int
    max_cost: int
    day_budget: int

    def value(self, funding: FundingCheck, before: Transaction | None, now: float) -> int:
        """Return the wei to send, given the settled top-up before this one; `now` is in Unix seconds."""
        value = max(self.mints * funding.cost, 2 * (funding.required - funding.balance))
        if before is not None and before.top_up is not None and now - before.reserved_at / 1000 < SOON:
            value = max(value, min(2 * before.top_up.value, self.max_mints * funding.cost))
        return min(value, self.max_value)


@dataclass(frozen=True, slots=True)
class Refill:
    """When the treasury tops a relayer up, and to what: below `below` wei, to `target`. 0: never."""

    below: int = 0
    target: int = 0

    def value(self, balance: int, required: int) -> int:
        """Return the wei that a relayer lacks, 0 if it has enough; `required` counts up to the target."""
        if balance >= max(self.below, min(required, self.target)):
            return 0
        return max(0, self.target - balance)


NO_REFILL = Refill()


@dataclass(frozen=True, slots=True)
class FundingCheck:
    """What a wallet must hold and does hold, in wei; `cost` is that of one mint at most, 0 if unknown.

    `mined` is how many of its transactions are mined, `in_flight` how many are open.
    """

    required: int
    balance: int
    cost: int
    mined: int = 0
    in_flight: int = 0

    @property
    def sufficient(self) -> bool:
        """Whether the balance is enough."""
        return self.balance >= self.required


class Funds:
    """Watches wallets' balances, and tops them up from `treasury`; `gas` bounds a top-up's gas limit."""

    def __init__(
        self,
        *,
        treasury: KeyRef,
        policy: TopUpPolicy,
        gas: GasBound,
        accounts: Accounts,
        reserver: Reserver,
        chain: ChainReader,
        fees: Callable[[], Awaitable[Fees]],
        outbox: Outbox,
        metrics: Metrics,
        clock: Callable[[], UnixSeconds],
    ) -> None:
        self._treasury = treasury
        self._policy = policy
        self._gas = gas
        self._accounts = accounts
        self._reserver = reserver
        self._chain = chain
        self._fees = fees
        self._outbox = outbox
        self._metrics = metrics
        self._clock = clock
        self._held: Counter[str] = Counter()
        self._under_way: set[str] = set()
        self._sent: dict[Place, float] = {}
        self._logged_at = -LOGGED_EVERY

    async def check_refused_funding(self, wallet: str, cost: int, refused_at: int) -> FundingCheck:
        """Check whether `wallet` can pay, after a node found its balance, `refused_at` wei, too small.

        Nodes count what waits in their pool as spent, the nonces behind the refused one included. The pool
        may hold one of unknown cost, such as a replacement or another use of the key: if the balance covers
        the known ones, the wallet needs more than it has.

        Only a transaction under a reserved nonce can lack money, so a wallet without a record is not ours.
        Raises Rejected for it and for a cost above the policy's, and Conflict if all its transactions are
        mined.
        """
        if cost > self._policy.max_cost:
            raise Rejected(
                "funding_above_limit",
                f"Field required: {cost} wei is above what one transaction may cost, "
                f"{self._policy.max_cost} wei (MINTLINE_MAX_TRANSACTION_COST).",
            )
        # Not the reserver's guess, which another copy of the builder may have overtaken.
        last = await self._accounts.last_nonce(wallet)
        if last is None:
            raise Rejected(
                "wallet_unknown",
                f"Field wallet: {wallet} is no wallet on record, since no nonce of it was ever reserved.",
            )
        balance, mined = await asyncio.gather(
            self._chain.balance(wallet), self._chain.transaction_count(wallet)
        )
        in_flight = last + 1 - mined
        if in_flight <= 0:
            raise Conflict("all of the wallet's transactions are mined")
        required = in_flight * cost
        # What a message says of the balance counts only up to what the wallet does hold.
        if required <= (known := min(refused_at, balance)):
            required = known + cost
        return FundingCheck(required, balance, 0, mined)

    async def check(self, wallet: str, cost: int) -> FundingCheck:
        """Check whether `wallet` can pay one more mint of `cost` wei, on top of those in flight.

        In flight is what is reserved and not mined, and what this process holds. Other copies of the builder
        may hold more, so the check can be too optimistic: then the node refuses, and the wallet is topped up.
        """
        balance, in_flight, mined = await self._read_wallet(wallet)
        in_flight += self._held[wallet]
        return FundingCheck((in_flight + 1) * cost, balance, cost, mined, in_flight)

    async def _read_wallet(self, wallet: str) -> tuple[int, int, int]:
        """Return a wallet's balance, how many nonces are reserved and not mined, and how many are mined."""
        balance, mined = await asyncio.gather(
            self._chain.balance(wallet), self._chain.transaction_count(wallet)
        )
        in_flight = await self._reserver.next_nonce(wallet, mined) - mined
        return balance, in_flight, mined

    @contextmanager
    def held(self, wallet: str) -> Iterator[None]:
        """Count one mint of `wallet` as in flight until its nonce is reserved."""
        self._held[wallet] += 1
        try:
            yield
        finally:
            self._held[wallet] -= 1
            if not self._held[wallet]:
                del self._held[wallet]

    async def top_up(self, wallet: str, funding: FundingCheck, *, trace: str = "") -> None:
        """Start a top-up of `wallet`, unless one is under way.

        Raises Waiting, with nothing reserved, when the treasury itself is low, or the wallet's budget of the
        day is used up.
        """
        if wallet == self._treasury.address:
            self._warn_low(funding.balance, funding.required)
            return
        if wallet in self._under_way:
            return
        self._under_way.add(wallet)
        try:
            await self._top_up(wallet, funding, trace)
        finally:
            self._under_way.discard(wallet)

    async def _top_up(self, wallet: str, funding: FundingCheck, trace: str) -> None:
        account = await self._accounts.get(wallet) or Account()
        latest, given = self._latest(account), account.gas_given
        before = None if latest is None else await self._accounts.transaction(latest)
        balance = funding.balance
        if latest is not None:
            if not await self._is_mined(latest):
                if before is not None:
                    await self._send_again(before)
                return
            # The balance in `funding` may have been read before the top-up arrived.
            balance = await self._chain.balance(wallet)
            if balance >= funding.required:
                return
        # Read after the balance, so that a wallet that has spent is never taken for one that got nothing.
        count, gas, fees = await asyncio.gather(
            self._chain.transaction_count(wallet), self._top_up_gas(wallet), self._fees()
        )
        sent = None if before is None else before.top_up
        if before is not None and sent is not None and balance < sent.value and count == sent.recipient_count:
            self._wait_after_miss(before, sent)
            given -= sent.value
        now = self._clock()
        today = int(now // DAY)
        if account.gas_day != today:
            given = 0
        value = self._within_budget(
            self._policy.value(funding, before, now), given, funding.required - balance
        )
        claim = TopUpClaim(
            treasury=self._treasury,
            wallet=wallet,
            replaces=account.top_up_nonce,
            value=value,
            gas=gas,
            fees=fees,
            at=to_ms(now),
            wallet_count=count,
            gas_day=today,
            gas_given=given + value,
            trace=trace,
        )
        await self._reserve(claim)

    async def refill(self, relayer: str, funding: FundingCheck, refill: Refill) -> None:
        """Top up a relayer that lacks ether by `refill`, unless a top-up of it is under way.

        A relayer's balance changes with every batch, so it does not show whether the latest one arrived: the
        next is reserved a minute after it at the earliest. Raises Deferred until then, and as `top_up` does.
        """
        if relayer in self._under_way:
            return
        self._under_way.add(relayer)
        try:
            await self._refill(relayer, funding, refill)
        finally:
            self._under_way.discard(relayer)

    async def _refill(self, relayer: str, funding: FundingCheck, refill: Refill) -> None:
        account = await self._accounts.get(relayer) or Account()
        latest = self._latest(account)
        before = None if latest is None else await self._accounts.transaction(latest)
        if latest is not None and not await self._is_mined(latest):
            if before is not None:
                await self._send_again(before)
            return
        if before is not None and before.reserved_at / 1000 + MISSED_RETRY > self._clock():
            raise Deferred("the relayer was topped up within the last minute", retry_after=MISSED_RETRY)
        # The balance in `funding` may have been read before the latest top-up arrived.
        balance, count, gas, fees = await asyncio.gather(
            self._chain.balance(relayer),
            self._chain.transaction_count(relayer),
            self._top_up_gas(relayer),
            self._fees(),
        )
        value = min(refill.value(balance, funding.required), self._policy.max_value)
        if not value:
            return
        now = self._clock()
        claim = TopUpClaim(
            treasury=self._treasury,
            wallet=relayer,
            replaces=account.top_up_nonce,
            value=value,
            gas=gas,
            fees=fees,
            at=to_ms(now),
            wallet_count=count,
            gas_day=account.gas_day,
            gas_given=account.gas_given,
        )
        await self._reserve(claim)

    async def _reserve(self, claim: TopUpClaim) -> None:
        """Reserve a treasury's nonce for a top-up, and have it signed; raises Waiting if it cannot pay."""
        mined = await self._check_treasury(claim.value + claim.gas * claim.fees.max_fee_per_gas)
        try:
            nonce = await self._reserver.reserve(self._treasury.address, claim, floor=mined)
        except Conflict:
            # Another copy, or a try of ours whose answer was lost, recorded one: it is found as pending next
            # time.
            return
        self._metrics.top_ups.inc()
        log.info("top_up_reserved", wallet=claim.wallet, nonce=nonce, value=str(claim.value))
        await self._send(claim.transaction(nonce))

    def _latest(self, account: Account) -> Place | None:
        """Return which transaction is the latest top-up; earlier versions did not note the treasury."""
        if account.top_up_nonce is None:
            return None
        treasury = account.top_up_treasury or self._treasury.address
        return Place(scoped(self._treasury.chain_id, treasury), account.top_up_nonce)

    def _within_budget(self, value: int, given: int, missing: int) -> int:
        """Return what of `value` the budget allows; raises Waiting if that is less than `missing`."""
        left = self._policy.day_budget - given
        if left < min(value, missing):
            raise Waiting(GAS_BUDGET_REACHED)
        return min(value, left)

    async def _top_up_gas(self, wallet: str) -> int:
        """Return the gas limit of a transfer to a wallet: some chains ask more for one that is new to them.

        Any value is priced alike. The treasury's balance is assumed, as whether it can pay is checked later.
        """
        transfer = Call(sender=self._treasury.address, to=wallet, data=b"", value=1)
        rich = {self._treasury.address: Override(balance=2**127)}
        try:
            needed = await self._chain.estimate_gas(transfer, rich)
        except Rejected as refusal:
            # No mint ends because of its wallet's top-up.
            raise Unavailable(f"a top-up of {wallet} cannot be estimated: {refusal.reason}") from refusal
        return gas_limit(self._gas, needed, "A top-up")

    def _wait_after_miss(self, top_up: Transaction, sent: TopUpPayload) -> None:
        """Raise Deferred until it is time to try again, after a top-up whose nonce a no-op has taken."""
        left = top_up.reserved_at / 1000 + MISSED_RETRY - self._clock()
        if left > 0:
            log.warning("top_up_missed", wallet=sent.recipient, nonce=top_up.nonce, value=str(sent.value))
            raise Deferred("the wallet's top-up never arrived", retry_after=min(left, TREASURY_LOW_RETRY))

    async def _is_mined(self, top_up: Place) -> bool:
        return await self._chain.transaction_count(address_of(top_up.sender_id)) > top_up.nonce

    async def _check_treasury(self, cost: int) -> int:
        """Return how many of the treasury's transactions are mined; raises Deferred if it cannot pay."""
        address = self._treasury.address
        balance, in_flight, mined = await self._read_wallet(address)
        self._metrics.treasury_balance.set(balance)
        promised = in_flight + len(self._under_way)
        required = promised * cost
        self._log_balance(balance, max(0, balance // cost - promised))
        if balance < required:
            self._warn_low(balance, required)
            raise Waiting(TREASURY_EMPTY)
        return mined

    def _log_balance(self, balance: int, top_ups_left: int) -> None:
        """Log what the treasury holds (wei), and for how many more top-ups that is: at most once a minute."""
        now = self._clock()
        if now - self._logged_at >= LOGGED_EVERY:
            self._logged_at = now
            log.info("treasury_balance", balance=str(balance), top_ups_left=top_ups_left)

    def _warn_low(self, balance: int, required: int) -> None:
        self._metrics.treasury_low.inc()
        log.warning(
            "treasury_low", address=self._treasury.address, balance=str(balance), required=str(required)
        )

    async def _send_again(self, top_up: Transaction) -> None:
        """Send on a top-up that was not sent to the chain, as its first message may be lost."""
        due = max(self._sent.get(top_up.place, 0), top_up.reserved_at / 1000) + RESEND_AFTER
        if top_up.state is TransactionState.RESERVED and self._clock() >= due:
            await self._send(top_up)

    async def _send(self, top_up: Transaction) -> None:
        now = self._clock()
        self._sent = {place: at for place, at in self._sent.items() if now - at < RESEND_AFTER}
        self._sent[top_up.place] = now
        message = first_intent(top_up)
        await self._outbox.send(SIGN, message, group=group_of(message), dedup=dedup_id(message))
