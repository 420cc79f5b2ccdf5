"""Notices: what ran low or was reached, once in a period, for the notifier to make events of.

Nothing else in the records says it: balances are the chain's, and a request that a budget refuses leaves no
record. Each copy of a service that notices writes the same item, whose key is the fact with its period, and
one of them creates it. A notice that cannot be written within seconds is written at the next occasion.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from contextvars import Context
from typing import Annotated, Literal, Protocol, TypeAlias

import structlog
from pydantic import Field, TypeAdapter

from mintline.clock import DAY_MS
from mintline.errors import MintlineError
from mintline.fields import Address, Wei
from mintline.frozen import Frozen
from mintline.tracebacks import frames

LOW_PAYMENTS = 100
"""What pays for fewer batches of the latest one's cost, or top-ups of the usual size, runs low."""
WRITE_SECONDS = 5.0
"""How long one is written at most: the caller has other things to do."""
_REMEMBERED = 10_000
AT_ONCE = 100
"""How many are written in the background at once; those beyond wait for their next occasion."""

log = structlog.get_logger(__name__)


class FundsNotice(Frozen):
    """An address of the platform's runs low; noted once a UTC day while it does."""

    chain_id: int
    address: Address
    balance: Wei
    at: int
    """Unix milliseconds."""
    type: str

    @property
    def notice_id(self) -> str:
        """Key of its item: the fact with its period."""
        return f"{self.type}#{self.chain_id}#{self.address}#{self.at // DAY_MS}"


class RelayerLow(FundsNotice):
    """A relayer can pay for few batches, and no ether is on its way to it."""

    type: Literal["relayer.low"] = "relayer.low"
    batches_left: int = Field(ge=0)
    """For how many batches of the latest one's cost its balance is enough."""


class TreasuryLow(FundsNotice):
    """The treasury can pay for few top-ups."""

    type: Literal["treasury.low"] = "treasury.low"
    top_ups_left: int = Field(ge=0)
    """For how many top-ups of the usual size its balance is enough, in addition to those under way."""


class BudgetReached(Frozen):
    """A budget of a machine client's refused a request; noted once in its window, an hour or a UTC day."""

    type: Literal["client.budget_reached"] = "client.budget_reached"
    client_id: str
    budget: Literal["mints_per_hour", "wei_per_day"]
    limit: Wei
    """Mints or wei, by the budget."""
    resets_at: int
    """Unix milliseconds."""
    at: int
    """Unix milliseconds."""

    @property
    def notice_id(self) -> str:
        """Key of its item: the fact with its period."""
        return f"{self.type}#{self.client_id}#{self.budget}#{self.resets_at}"


Notice: TypeAlias = RelayerLow | TreasuryLow | BudgetReached
NOTICE: TypeAdapter[Notice] = TypeAdapter(Annotated[Notice, Field(discriminator="type")])


class NoticeStore(Protocol):
    """The notices on record."""

    async def add(self, notice: Notice) -> bool:
        """Put a notice on record; False if it is there already."""


class Notices:
    """One process's notices: each is written once, and again only if that failed."""

    def __init__(self, store: NoticeStore) -> None:
        self._store = store
        self._recorded: OrderedDict[str, None] = OrderedDict()
        self._writing: set[asyncio.Task[None]] = set()

    def note(self, notice: Notice) -> None:
        """Do what `record` does in the background: the caller does not wait for the write."""
        if notice.notice_id in self._recorded or len(self._writing) >= AT_ONCE:
            return
        task = asyncio.create_task(self.record(notice), name="notice", context=Context())
        self._writing.add(task)
        task.add_done_callback(self._written)

    async def aclose(self) -> None:
        """Wait for what is being written, WRITE_SECONDS at most."""
        while self._writing:
            await asyncio.wait(self._writing)

    def _written(self, task: asyncio.Task[None]) -> None:
        self._writing.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("notice_broke", error=type(error).__name__, frames=frames(error))

    async def record(self, notice: Notice) -> None:
        """Put a notice on record, unless this process did; what fails or hangs is tried the next time."""
        key = notice.notice_id
        if key in self._recorded:
            return
        self._recorded[key] = None
        if len(self._recorded) > _REMEMBERED:
            self._recorded.popitem(last=False)
        try:
            async with asyncio.timeout(WRITE_SECONDS):
                added = await self._store.add(notice)
        except (MintlineError, TimeoutError) as error:
            self._recorded.pop(key, None)
            log.warning("notice_not_written", notice=notice.type, error=type(error).__name__)
        except BaseException:
            self._recorded.pop(key, None)
            raise
        else:
            if added:
                log.info("notice_written", notice=notice.type)
