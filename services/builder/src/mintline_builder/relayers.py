"""The pool of relayers: which of them sends the next batch, and its refill from the treasury.

The relayer with the fewest open transactions comes first, of several the one that was used longest ago. One
that cannot pay is passed over while another can. What a relayer lacks the treasury sends it, by a top-up on
record like any other, one in progress for each relayer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog

from mintline.clock import UnixSeconds, to_ms
from mintline.errors import Deferred, MintlineError
from mintline.messages.parts import KeyRef
from mintline.notices import LOW_PAYMENTS, Notices, RelayerLow
from mintline_builder.funding_policy import FundingCheck, Refill
from mintline_builder.funds import Funds
from mintline_builder.metrics import Metrics
from mintline_builder.waiting import NO_RELAYER, RELAYER_EMPTY, RELAYER_NOT_ALLOWED, Waiting

LOGGED_EVERY = 60.0
"""Seconds between two lines of the log about one relayer's balance."""
REFILL_WAIT = 2.0
"""Seconds after which mints look again that wait for a relayer's top-up, or for what it has open."""
BARRED_FOR = 60.0
"""Seconds for which a relayer that a collection refused is not tried there again, while there are others."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Payer:
    """A relayer that was picked, and its funds as they were then."""

    key: KeyRef
    funding: FundingCheck

    def affords(self, cost: int, *, more: int = 0) -> bool:
        """Tell whether it can pay `cost` wei for one more batch, with `more` picked since it was read.

        What is reserved and not mined is taken to cost as much each.
        """
        return self.funding.balance >= (self.funding.in_flight + more + 1) * cost


class Relayers:
    """Picks relayers and keeps them funded."""

    def __init__(
        self,
        keys: Sequence[KeyRef],
        *,
        refill: Refill,
        funds: Funds,
        notices: Notices,
        metrics: Metrics,
        clock: Callable[[], UnixSeconds],
    ) -> None:
        self.keys = tuple(keys)
        self._refill = refill
        self._funds = funds
        self._notices = notices
        self._metrics = metrics
        self._clock = clock
        self._uses = 0
        self._used: dict[str, int] = {}
        """By address, the number of its latest use in this process."""
        self._barred: dict[tuple[str, str], float] = {}
        """By contract and address, since when."""
        self._logged: dict[str, float] = {}

    def require(self) -> None:
        """Raise Waiting if there is no relayer."""
        if not self.keys:
            raise Waiting(NO_RELAYER)

    def owns(self, address: str) -> bool:
        """Tell whether an address is a relayer's."""
        return any(key.address == address for key in self.keys)

    async def pick(self, contract: str, cost: int, *, barred: frozenset[str] = frozenset()) -> Payer:
        """Return the relayer for a batch of `cost` wei, none of `barred` addresses.

        Raises Waiting if none can pay, and Deferred if one will soon.
        """
        self.require()
        keys = [key for key in self.keys if key.address not in barred]
        if not keys:
            raise Waiting(RELAYER_NOT_ALLOWED)
        keys = [key for key in keys if not self._is_barred(contract, key.address)] or keys
        checks = await asyncio.gather(*(self._funds.check(key.address, cost) for key in keys))
        payers = [Payer(key, funding) for key, funding in zip(keys, checks, strict=True)]
        payers.sort(key=lambda payer: (payer.funding.in_flight, self._used.get(payer.key.address, 0)))
        coming = [await self._keep_funded(payer.key.address, payer.funding) for payer in payers]
        for payer, refilled in zip(payers, coming, strict=True):
            self._record(payer, cost)
            if not refilled:
                self._note_low(payer, cost)
        able = next((payer for payer in payers if payer.affords(cost)), None)
        if able is not None:
            self._uses += 1
            self._used[able.key.address] = self._uses
            return able
        for payer in payers:
            self._warn_low(payer.key.address, payer.funding)
        if any(coming) or any(payer.funding.balance >= cost for payer in payers):
            raise Deferred("the relayers wait for gas money", retry_after=REFILL_WAIT)
        raise Waiting(RELAYER_EMPTY)

    def bar(self, contract: str, address: str) -> None:
        """Prefer other relayers at a collection for a minute, as it refused this one."""
        log.warning("relayer_not_allowed", contract=contract, address=address)
        self._barred[contract, address] = self._clock()

    def _is_barred(self, contract: str, address: str) -> bool:
        return self._clock() - self._barred.get((contract, address), -BARRED_FOR) < BARRED_FOR

    async def was_refused(self, address: str, required: int) -> None:
        """Refill a relayer whose transaction of `required` wei a node refused for lack of funds."""
        funding = await self._funds.check(address, required)
        self._warn_low(address, funding)
        await self._keep_funded(address, funding)

    async def _keep_funded(self, address: str, funding: FundingCheck) -> bool:
        """Have the treasury top a relayer up that has too little; tell whether ether is on its way.

        What stops a top-up stops no batch.
        """
        if not self._refill.value(funding.balance, funding.required):
            return False
        try:
            await self._funds.refill(address, funding, self._refill)
        except Deferred:
            return False
        except MintlineError as error:
            log.warning("refill_failed", address=address, error=str(error))
            return False
        return True

    def _record(self, payer: Payer, cost: int) -> None:
        """Export a relayer's balance, and log it at most once a minute: an alarm reads the log."""
        address, balance = payer.key.address, payer.funding.balance
        self._metrics.relayer_balance.labels(address).set(balance)
        self._metrics.relayer_batches_left.labels(address).set(balance // cost)
        now = self._clock()
        if now - self._logged.get(address, -LOGGED_EVERY) >= LOGGED_EVERY:
            self._logged[address] = now
            log.info("relayer_balance", address=address, balance=str(balance), batches_left=balance // cost)

    def _note_low(self, payer: Payer, cost: int) -> None:
        """Tell operators of a relayer that can pay for few batches of `cost` wei."""
        left = payer.funding.balance // cost
        if left < LOW_PAYMENTS:
            notice = RelayerLow(
                chain_id=payer.key.chain_id,
                address=payer.key.address,
                balance=payer.funding.balance,
                batches_left=left,
                at=to_ms(self._clock()),
            )
            self._notices.note(notice)

    def _warn_low(self, address: str, funding: FundingCheck) -> None:
        self._metrics.relayer_low.inc()
        log.warning(
            "relayer_low", address=address, balance=str(funding.balance), required=str(funding.required)
        )
