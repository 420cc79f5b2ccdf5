"""Gas money: whether a wallet can pay, and its top-up from the treasury when it cannot.

The wallet's account names its latest top-up, so that there is one per wallet at a time. A no-op may have
consumed the nonce of a top-up that the enclave refused: then the wallet waits before the next try.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import structlog

from mintline.chain.gas import GasBound
from mintline.clock import DAY, UnixSeconds, to_ms
from mintline.errors import Conflict, Deferred, MintlineError, Rejected
from mintline.messages.parts import Fees, KeyRef
from mintline.notices import Notices
from mintline.records.transactions import TopUpPayload, Transaction
from mintline_builder.claims import TopUpClaim
from mintline_builder.funding_policy import Demand, FundingCheck, Refill, TopUpPolicy
from mintline_builder.metrics import Metrics
from mintline_builder.ports import Account, Accounts, ChainReader, Outbox
from mintline_builder.reserver import Reserver
from mintline_builder.treasury import Treasury
from mintline_builder.waiting import GAS_BUDGET_REACHED, Waiting

TREASURY_LOW_RETRY = 15.0
MISSED_RETRY = 60.0
"""Seconds from a top-up that never arrived to the next: each try burns a no-op of the treasury's."""
AHEAD_PAUSE = 0.5
"""Seconds between two looks whether a wallet has a top-up under way before it lacks money."""

log = structlog.get_logger(__name__)


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
        notices: Notices,
        metrics: Metrics,
        clock: Callable[[], UnixSeconds],
    ) -> None:
        self._treasury = Treasury(
            treasury,
            gas=gas,
            reserver=reserver,
            chain=chain,
            outbox=outbox,
            notices=notices,
            metrics=metrics,
            clock=clock,
        )
        self._policy = policy
        self._accounts = accounts
        self._chain = chain
        self._fees = fees
        self._clock = clock
        self._held: Counter[str] = Counter()
        self._under_way: set[str] = set()
        self._demand = Demand(clock=clock)
        self._ahead: dict[str, float] = {}
        self._usual = 0
        """Wei of a top-up of the usual number of mints, as last known; 0 before any."""

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
        balance, in_flight, mined = await self._treasury.read_wallet(wallet)
        in_flight += self._held[wallet]
        return FundingCheck((in_flight + 1) * cost, balance, cost, mined, in_flight)

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

    async def top_up(
        self, wallet: str, funding: FundingCheck, *, trace: str = "", operation_id: str | None = None
    ) -> None:
        """Start a top-up of `wallet`, unless one is under way; `operation_id` waits for it.

        Raises Waiting, with nothing reserved, when the treasury itself is low, or the wallet's budget of the
        day is used up.
        """
        if wallet == self._treasury.address:
            self._treasury.warn_low(funding.balance, funding.required)
            return
        if operation_id is not None:
            self._demand.note(wallet, operation_id)
        with self._alone(wallet) as free:
            if free:
                await self._top_up(wallet, funding, trace)

    async def top_up_ahead(self, wallet: str, funding: FundingCheck, *, trace: str = "") -> None:
        """Start a top-up of a wallet that can pay, but sends so much that it will soon not be able to.

        Whatever keeps it from being started, nothing waits for it yet.
        """
        needed, now = funding.needed_soon, self._clock()
        if needed is None or wallet == self._treasury.address or now < self._ahead.get(wallet, now):
            return
        self._ahead = {other: until for other, until in self._ahead.items() if now < until}
        self._ahead[wallet] = now + AHEAD_PAUSE
        try:
            with self._alone(wallet) as free:
                if free:
                    await self._top_up(wallet, needed, trace, urgent=False)
        except MintlineError as error:
            log.info("top_up_not_ahead", wallet=wallet, reason=str(error))

    @contextmanager
    def _alone(self, wallet: str) -> Iterator[bool]:
        """Tell whether no other top-up of a wallet is being started; meanwhile there is none."""
        if wallet in self._under_way:
            yield False
            return
        self._under_way.add(wallet)
        try:
            yield True
        finally:
            self._under_way.discard(wallet)

    async def _top_up(self, wallet: str, funding: FundingCheck, trace: str, *, urgent: bool = True) -> None:
        account = await self._accounts.get(wallet) or Account()
        latest, given = self._treasury.latest(account), account.gas_given
        before = None if latest is None else await self._accounts.transaction(latest)
        balance = funding.balance
        if latest is not None:
            if not await self._treasury.is_mined(latest):
                if before is not None:
                    await self._treasury.send_again(before)
                return
            # The balance in `funding` may have been read before the top-up arrived.
            balance = await self._chain.balance(wallet)
            if balance >= funding.required:
                return
        # Read after the balance, so that a wallet that has spent is never taken for one that got nothing.
        count, gas, fees = await asyncio.gather(
            self._chain.transaction_count(wallet), self._treasury.gas_of(wallet), self._fees()
        )
        sent = None if before is None else before.top_up
        if before is not None and sent is not None and balance < sent.value and count == sent.recipient_count:
            self._wait_after_miss(before, sent)
            given -= sent.value
        now = self._clock()
        # Counted now, as others have come to wait meanwhile.
        funding = replace(funding, waiting=self._demand.of(wallet))
        today = int(now // DAY)
        if account.gas_day != today:
            given = 0
        value = self._within_budget(
            self._policy.value(funding, before, now), given, funding.required - balance
        )
        claim = TopUpClaim(
            treasury=self._treasury.key,
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
        self._usual = self._policy.mints * funding.cost or self._usual
        least = min(value, self._policy.least(funding))
        await self._treasury.reserve(claim, least=least, usual=self._usual or value, urgent=urgent)

    async def refill(self, relayer: str, funding: FundingCheck, refill: Refill) -> None:
        """Top up a relayer that lacks ether by `refill`, unless a top-up of it is under way.

        A relayer's balance changes with every batch, so it does not show whether the latest one arrived: the
        next is reserved a minute after it at the earliest. Raises Deferred until then, and as `top_up` does.
        """
        with self._alone(relayer) as free:
            if free:
                await self._refill(relayer, funding, refill)

    async def _refill(self, relayer: str, funding: FundingCheck, refill: Refill) -> None:
        account = await self._accounts.get(relayer) or Account()
        latest = self._treasury.latest(account)
        before = None if latest is None else await self._accounts.transaction(latest)
        if latest is not None and not await self._treasury.is_mined(latest):
            if before is not None:
                await self._treasury.send_again(before)
            return
        if before is not None and before.reserved_at / 1000 + MISSED_RETRY > self._clock():
            raise Deferred("the relayer was topped up within the last minute", retry_after=MISSED_RETRY)
        # The balance in `funding` may have been read before the latest top-up arrived.
        balance, count, gas, fees = await asyncio.gather(
            self._chain.balance(relayer),
            self._chain.transaction_count(relayer),
            self._treasury.gas_of(relayer),
            self._fees(),
        )
        value = min(refill.value(balance, funding.required), self._policy.max_value)
        if not value:
            return
        now = self._clock()
        claim = TopUpClaim(
            treasury=self._treasury.key,
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
        await self._treasury.reserve(claim, least=value, usual=value)

    def _within_budget(self, value: int, given: int, missing: int) -> int:
        """Return what of `value` the budget allows; raises Waiting if that is less than `missing`."""
        left = self._policy.day_budget - given
        if left < min(value, missing):
            raise Waiting(GAS_BUDGET_REACHED)
        return min(value, left)

    def _wait_after_miss(self, top_up: Transaction, sent: TopUpPayload) -> None:
        """Raise Deferred until it is time to try again, after a top-up whose nonce a no-op has taken."""
        left = top_up.reserved_at / 1000 + MISSED_RETRY - self._clock()
        if left > 0:
            log.warning("top_up_missed", wallet=sent.recipient, nonce=top_up.nonce, value=str(sent.value))
            raise Deferred("the wallet's top-up never arrived", retry_after=min(left, TREASURY_LOW_RETRY))
