"""Tables whose changes are streamed, and the notifier's ports onto them."""

from __future__ import annotations

import copy
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from mintline.aws.changes import item_id, key_of
from mintline.aws.items import Item
from mintline.aws.records import from_item, operation_from
from mintline.records.collections import RegisteredContract
from mintline.records.index import Token
from mintline.records.operations import Operation
from mintline.records.transactions import Transaction, TransactionKey
from mintline.records.wallets import Link
from mintline.resource_types import Table
from mintline.resources import COLLECTIONS, LINKS, MINTS, TOKENS, TRANSACTIONS
from mintline_notifier.changes import SOURCES, Change, Read, Shard, Trimmed
from mintline_notifier.cursors import Cursor


@dataclass(slots=True)
class _Stream:
    """One shard: what is in it, whether it has ended, and how much of it is gone."""

    shard: Shard
    changes: list[Change] = field(default_factory=list)
    ended: bool = False
    lost: str = ""
    """The number of the last change that is not there any more."""


class MemoryTables:
    """Items of all tables. Each write is in its table's stream; `now` is the clock of the tables."""

    def __init__(self, *, page: int = 7) -> None:
        self.items: dict[str, dict[tuple[object, ...], Item]] = defaultdict(dict)
        self.now = 1_700_000_000_000
        self.empty_pages: Counter[str] = Counter()
        """How many empty pages come next, by table, though there may be more: AWS returns such."""
        self._page = page
        self._count = 0
        self._streams: dict[str, list[_Stream]] = {
            table.name: [_Stream(Shard(table, "shard-0"))] for table in SOURCES
        }

    def put(self, table: Table, item: Item) -> None:
        """Write an item."""
        self.keep(table, copy.deepcopy(item))

    def keep(self, table: Table, new: Item) -> None:
        """Write an item that nobody changes any more."""
        known, name = self.items[table.name], item_id(table, key_of(table, new))
        old = known.get(name)
        known[name] = new
        self._count += 1
        at = self.now // 1000 * 1000
        if table in SOURCES and old != new:
            self._streams[table.name][-1].changes.append(Change(table, str(self._count), at, old, new))

    def split(self, table: Table) -> Shard:
        """End a table's shard, and return the next."""
        streams = self._streams[table.name]
        streams[-1].ended = True
        streams.append(_Stream(Shard(table, f"shard-{len(streams)}", streams[-1].shard.shard_id)))
        return streams[-1].shard

    def lose_streams(self) -> None:
        """Forget what was streamed until now, as after a day."""
        for streams in self._streams.values():
            for stream in streams:
                if stream.changes:
                    stream.lost = stream.changes[-1].number
                stream.changes.clear()

    async def shards(self) -> Sequence[Shard]:
        return [stream.shard for streams in self._streams.values() for stream in streams]

    async def read(self, shard: Shard, after: str | None) -> Read:
        """Return a page of a shard."""
        stream = next(candidate for candidate in self._streams[shard.table.name] if candidate.shard == shard)
        if stream.lost and after is not None and int(after) <= int(stream.lost):
            raise Trimmed(shard.name)
        if self.empty_pages[shard.table.name] > 0:
            self.empty_pages[shard.table.name] -= 1
            return Read((), ended=False)
        later = [change for change in stream.changes if after is None or int(change.number) > int(after)]
        more = len(later) > self._page
        return Read(later[: self._page], ended=stream.ended and not more, more=more)

    async def operations(self, ids: Iterable[str]) -> Mapping[str, Operation]:
        items = {name: self.items[MINTS.name].get((MINTS.name, name)) for name in ids}
        return {name: operation_from(item) for name, item in items.items() if item is not None}

    async def transaction(self, place: TransactionKey) -> Transaction | None:
        item = self.items[TRANSACTIONS.name].get((TRANSACTIONS.name, *place))
        return None if item is None else from_item(Transaction, item)

    async def token(self, ref: str) -> Token | None:
        item = self.items[TOKENS.name].get((TOKENS.name, ref))
        return None if item is None else from_item(Token, item)

    async def link(self, link_id: str) -> Link | None:
        item = self.items[LINKS.name].get((LINKS.name, link_id))
        return None if item is None else from_item(Link, item)

    async def collection(self, collection_id: str) -> RegisteredContract | None:
        item = self.items[COLLECTIONS.name].get((COLLECTIONS.name, collection_id))
        return None if item is None else from_item(RegisteredContract, item)

    async def every(self, table: Table) -> AsyncIterator[Item]:
        for item in list(self.items[table.name].values()):
            yield item


class MemoryCursors:
    """Cursors and the lease in memory."""

    def __init__(self) -> None:
        self.cursors: dict[str, Cursor] = {}
        self._owner, self._until = "", 0

    async def lease(self, owner: str, *, now: int, until: int) -> bool:
        """Take or keep the lease."""
        if owner != self._owner and now <= self._until:
            return False
        self._owner, self._until = owner, until
        return True

    async def release(self, owner: str) -> None:
        """End the lease."""
        if owner == self._owner:
            self._until = 0

    async def all(self) -> Mapping[str, Cursor]:
        return dict(self.cursors)

    async def save(self, shard: str, cursor: Cursor) -> None:
        self.cursors[shard] = cursor
