"""Compares records with the logs, and appends what they lack, when changes were gone before they were read.

The records say what happened to them since a moment, with one exception: what a reorg undid is not there.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence

from mintline.aws.items import Item
from mintline.aws.records import from_item, operation_from
from mintline.drop_records import Drop
from mintline.events import Event, EventLog, Placed
from mintline.records.operations import Operation
from mintline.records.transactions import Transaction, TransactionKey, as_far_as, carried_by
from mintline.resource_types import Table
from mintline.resources import DROPS, LINKS, METADATA_VERSIONS, MINTS, NOTICES, TRANSFERS, WALLETS
from mintline.set_aside import SetAside
from mintline.states import MintStatus
from mintline.tasks import for_each
from mintline_notifier.deriving import drops, operations
from mintline_notifier.expander import Expander
from mintline_notifier.records import Records

MARGIN_MS = 60_000
PAGE = 200
LOGS_AT_ONCE = 32


class LateEvents:
    """Appends events that were not appended when they happened."""

    def __init__(
        self, *, records: Records, expander: Expander, events: EventLog, set_aside: SetAside
    ) -> None:
        self._records = records
        self._expander = expander
        self._log = events
        self._set_aside = set_aside

    async def append(self, since: int) -> int:
        """Append what happened since then (Unix milliseconds) and no log has; return how much it was."""
        start, appended = since - MARGIN_MS, 0
        for table in (MINTS, DROPS, WALLETS, LINKS, TRANSFERS, METADATA_VERSIONS, NOTICES):
            async for items in _pages(self._records.every(table)):
                once = _Once(self._records)
                derived = await asyncio.gather(*(self._events(table, item, start, once) for item in items))
                by_principal: dict[str, list[Event]] = {}
                for event in (event for events in derived for event in events if event.created_at >= start):
                    by_principal.setdefault(event.principal, []).append(event)
                appended += await self._append(by_principal, start)
        return appended

    async def _append(self, by_principal: Mapping[str, Sequence[Event]], start: int) -> int:
        """Append to several logs at once, so that they share requests."""
        appended: list[Placed] = []

        async def append(principal: str) -> None:
            appended.extend(await self._log.append(principal, by_principal[principal], known_since=start))

        await for_each(by_principal, append, at_once=LOGS_AT_ONCE)
        return len(appended)

    async def _events(self, table: Table, item: Item, start: int, once: _Once) -> Sequence[Event]:
        events: Sequence[Event] = ()
        with self._set_aside.guarding(table.name, str(item.get(table.partition.name))):
            if table is MINTS:
                events = await self._of_operation(operation_from(item), start, once)
            elif table is DROPS:
                drop = from_item(Drop, item)
                facts = [fact for fact in drops.history(drop) if fact.at >= start]
                events = self._expander.of_drop_facts(drop, facts)
            elif table is WALLETS:
                events = self._expander.of_wallet(None, item)
            elif table is LINKS:
                events = self._expander.of_link(None, item)
            elif table is NOTICES:
                events = self._expander.of_notice(None, item)
            elif table is METADATA_VERSIONS and _made_since(item, start):
                events = await self._expander.tokens.of_version(None, item)
            elif table is TRANSFERS and _recent(item, start):
                events = await self._expander.tokens.of_transfer(None, item)
        return events

    async def _of_operation(self, operation: Operation, start: int, once: _Once) -> Sequence[Event]:
        place = carried_by(operation)
        if operation.updated_at < start and (place is None or operation.status is not MintStatus.BUILT):
            return ()
        if place is not None:
            operation = as_far_as(operation, await once.transaction(place))
        facts = [fact for fact in operations.history(operation, prefix=operation.kind) if fact.at >= start]
        return await self._expander.of_facts(operation, facts)


class _Once:
    """Reads a transaction once, however many of a page's operations it carries."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self._found: dict[TransactionKey, asyncio.Future[Transaction | None]] = {}

    async def transaction(self, place: TransactionKey) -> Transaction | None:
        """Return a transaction."""
        if (task := self._found.get(place)) is None:
            task = self._found[place] = asyncio.ensure_future(self._records.transaction(place))
        return await task


def _made_since(item: Item, start: int) -> bool:
    created_at = item.get("created_at")
    return isinstance(created_at, int) and created_at >= start


def _recent(item: Item, start: int) -> bool:
    timestamp = item.get("timestamp")
    return isinstance(timestamp, int) and timestamp * 1000 >= start


async def _pages(items: AsyncIterator[Item]) -> AsyncIterator[list[Item]]:
    page: list[Item] = []
    async for item in items:
        page.append(item)
        if len(page) == PAGE:
            yield page
            page = []
    if page:
        yield page
