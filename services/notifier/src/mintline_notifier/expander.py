"""From changes of records to events: what happened, who is told, and the resource as its GET has it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence

from mintline.aws.items import Item
from mintline.aws.notices import notice_of
from mintline.aws.records import from_item, operation_from
from mintline.drop_records import Drop
from mintline.events import Event, Resource
from mintline.records.operations import CollectionOperation, Mint, Operation
from mintline.records.transactions import Transaction, as_far_as, carried_by
from mintline.records.wallets import Link, Wallet
from mintline.resource_types import Table
from mintline.resources import (
    DROPS,
    LINKS,
    METADATA_VERSIONS,
    MINTS,
    NOTICES,
    TRANSACTIONS,
    TRANSFERS,
    WALLETS,
)
from mintline.set_aside import SetAside
from mintline.views.drops import drop_view
from mintline.views.mints import mint_json
from mintline.views.wallets import link_view, wallet_view
from mintline_notifier.changes import Change
from mintline_notifier.collection_events import CollectionEvents
from mintline_notifier.deriving import drops, notices, operations, ownership
from mintline_notifier.deriving.base import Fact, event_of, event_with
from mintline_notifier.known_operations import KnownOperations
from mintline_notifier.records import Records
from mintline_notifier.token_events import TokenEvents

_MINT: str = Mint.model_fields["kind"].default


class Expander:
    """Derives events from changes."""

    def __init__(
        self,
        records: Records,
        *,
        public_url: str,
        set_aside: SetAside,
    ) -> None:
        self._records = records
        self._public_url = public_url
        self._set_aside = set_aside
        self._collections = CollectionEvents(records)
        self.tokens = TokenEvents(records, public_url=public_url)
        self._operations = KnownOperations(set_aside=set_aside)

    async def expand(self, changes: Sequence[Change]) -> list[list[Event]]:
        """Return the events of each change, in order."""
        for change in changes:
            if change.table is MINTS and change.new is not None:
                self._operations.note(change.new)
        expanded: list[list[Event]] = [[] for _ in changes]
        others: list[int] = []
        for place, change in enumerate(changes):
            if _is_new_mint(change):
                expanded[place] = self._of_new_mint(change)
            elif not _is_silent(change):
                others.append(place)
        derived = await asyncio.gather(*(self._events(changes[place]) for place in others))
        for place, events in zip(others, derived, strict=True):
            expanded[place] = events
        return expanded

    def _of_new_mint(self, change: Change) -> list[Event]:
        """Return the events of a mint's first record, without the task that reading another one takes."""
        new = change.new
        assert new is not None
        with self._set_aside.guarding(change.table.name, _name(change)):
            mint = from_item(Mint, new)
            self._operations.read(mint, new)
            return self._of_mint(mint, operations.steps(None, mint, prefix=mint.kind))
        return []

    async def _events(self, change: Change) -> list[Event]:
        events: list[Event] = []
        with self._set_aside.guarding(change.table.name, _name(change)):
            events += await self._of_table(change)
        return events

    async def _of_table(self, change: Change) -> list[Event]:
        old, new = change.old, change.new
        if new is None:
            return []
        if change.table is MINTS:
            return await self._of_operation(old, new)
        if change.table is TRANSACTIONS:
            return await self._of_transaction(old, new)
        if change.table is TRANSFERS:
            return await self.tokens.of_transfer(old, new)
        if change.table is METADATA_VERSIONS:
            return await self.tokens.of_version(old, new)
        of_record = {
            DROPS: self.of_drop,
            WALLETS: self.of_wallet,
            LINKS: self.of_link,
            NOTICES: self.of_notice,
        }
        return of_record[change.table](old, new)

    async def _of_operation(self, old: Item | None, new: Item) -> list[Event]:
        operation = operation_from(new)
        self._operations.read(operation, new)
        before = None if old is None else operation_from(old)
        facts = operations.steps(before, operation, prefix=operation.kind)
        if not facts:
            return []
        place = carried_by(operation)
        if place is not None and old is not None:
            operation = as_far_as(operation, await self._records.transaction(place))
        return await self.of_facts(operation, facts)

    async def _of_transaction(self, old: Item | None, new: Item) -> list[Event]:
        after = from_item(Transaction, new)
        before = None if old is None else from_item(Transaction, old)
        if after.claiming or not after.operations or _stage(before) == _stage(after):
            return []
        known = await self._all(after.operations)
        events: list[Event] = []
        for name in after.operations:
            if name in (after.left or ()):
                continue
            if (record := known.get(name)) is None:
                continue
            was = operations.standing(record, before)
            if was != operations.standing(record, after):
                is_now = operations.carried(record, after)
                events += await self.of_facts(is_now, operations.steps(was, is_now, prefix=record.kind))
        return events

    async def of_facts(self, operation: Operation, facts: Iterable[Fact]) -> list[Event]:
        """Return the events of what happened to an operation, for everybody who is told."""
        if isinstance(operation, CollectionOperation):
            return await self._collections.of(operation, facts)
        return self._of_mint(operation, facts) if isinstance(operation, Mint) else []

    def _of_mint(self, mint: Mint, facts: Iterable[Fact]) -> list[Event]:
        resource = Resource("mint", mint.mint_id)
        return [
            event_with(fact, resource, reader, mint_json(mint, reader=reader, public_url=self._public_url))
            for fact in facts
            for reader in operations.readers(mint, fact.type)
        ]

    def of_drop(self, old: Item | None, new: Item) -> list[Event]:
        """Return what happened to a drop."""
        after = from_item(Drop, new)
        return self.of_drop_facts(after, drops.steps(None if old is None else from_item(Drop, old), after))

    def of_drop_facts(self, drop: Drop, facts: Iterable[Fact]) -> list[Event]:
        """Return the events of what happened to a drop."""
        resource = Resource("drop", drop.drop_id)
        return [event_of(fact, resource, drop.client_id, drop_view(drop, now=fact.at)) for fact in facts]

    def of_wallet(self, old: Item | None, new: Item) -> list[Event]:
        """Return that a wallet in custody is there."""
        wallet = from_item(Wallet, new)
        if not wallet.ready or (old is not None and from_item(Wallet, old).ready):
            return []
        fact = Fact("wallet.created", wallet.created_at, (wallet.wallet_id, wallet.address))
        return [event_of(fact, Resource("wallet", wallet.address), wallet.sub, wallet_view(wallet))]

    def of_link(self, old: Item | None, new: Item) -> list[Event]:
        """Return that a user linked a wallet of their own."""
        link = from_item(Link, new)
        if old is not None and old.get("sub") == link.sub and old.get("linked_at") == link.linked_at:
            return []
        fact = Fact("wallet.linked", link.linked_at, (link.link_id, link.sub, link.linked_at))
        return [event_of(fact, Resource("wallet", link.address), link.sub, link_view(link))]

    def of_notice(self, old: Item | None, new: Item) -> list[Event]:
        """Return what a notice says."""
        return notices.events_of(notice_of(new)) if old is None else []

    async def _all(self, ids: Sequence[str]) -> dict[str, Operation]:
        operations = self._operations.all(ids)
        if missing := [name for name in ids if name not in operations]:
            read = await self._records.operations(missing)
            for operation in read.values():
                self._operations.read(operation)
            operations |= read
        return operations


def _is_silent(change: Change) -> bool:
    """Tell, before any record is read, whether a change makes no event."""
    if change.new is None:
        return True
    if change.table is TRANSFERS:
        return ownership.is_mint(change.new)
    return change.table is MINTS and change.old is not None and operations.is_silent(change.old, change.new)


def _is_new_mint(change: Change) -> bool:
    if change.table is not MINTS or change.old is not None or change.new is None:
        return False
    return change.new.get("kind", _MINT) == _MINT


def _stage(transaction: Transaction | None) -> tuple[object, ...]:
    """Return what of a transaction its operations' public status depends on."""
    if transaction is None:
        return ()
    sent = bool(transaction.own_attempts)
    return (
        transaction.state if sent else None,
        sent,
        transaction.outcome,
        transaction.block_hash,
        transaction.not_made,
    )


def _name(change: Change) -> str:
    item = change.new or change.old or {}
    table: Table = change.table
    names = (table.partition.name, table.sort.name if table.sort else "")
    return "/".join(str(item.get(name)) for name in names if name)
