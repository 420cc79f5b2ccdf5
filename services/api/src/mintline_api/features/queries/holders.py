"""Who holds a collection's tokens, and how many: counted while the list is read, so nothing can drift."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

from mintline.query_keys import AFTER_OWNER, FIRST_OWNER, HOLDER_SHARDS, holder_shard
from mintline_api.features.queries.ports import QueryIndex
from mintline_api.features.tokens.use_cases import MOST_COUNTED

PER_READ = 1000
"""Tokens that are read at once."""
MOST_READ = 5000
"""Tokens that one request reads, but for those that its last holder has beyond."""


@dataclass(frozen=True, slots=True)
class Holder:
    """An owner, and how many tokens of the collection they have: at least so many if there may be `more`."""

    owner: str
    balance: int
    more: bool = False


@dataclass(frozen=True, slots=True)
class HolderPage:
    """Some of a collection's holders; `after` is the owner that the list goes on after, None at its end."""

    holders: tuple[Holder, ...]
    after: str | None


@dataclass(slots=True)
class _Walk:
    """A walk through a collection's tokens in the order of their owners."""

    index: QueryIndex
    contract: str
    items: bool
    read: int = 0
    """Tokens so far."""

    async def holders(self, shard: int, start: str) -> AsyncIterator[Holder]:
        """Yield the holders of one shard, each once all its tokens are counted, or as many as are counted."""
        owner, counted = "", 0
        after: str | None = start
        while after is not None:
            part = await self.index.owners_in(
                self.contract, shard, items=self.items, after=after, limit=PER_READ
            )
            self.read += len(part.owners)
            after = part.after
            for address in part.owners:
                if address != owner and counted:
                    yield Holder(owner, counted)
                    counted = 0
                owner, counted = address, counted + 1
                if counted == MOST_COUNTED:
                    yield Holder(owner, counted, more=True)
                    after, counted = owner + AFTER_OWNER, 0
                    break
        if counted:
            yield Holder(owner, counted)


@dataclass(frozen=True, slots=True)
class ItemHolder:
    """Who has how much of a token."""

    owner: str
    quantity: int


@dataclass(frozen=True, slots=True)
class ItemHolderPage:
    """Some of an item's holders; `after` is the one that the list goes on after, None at its end."""

    holders: tuple[ItemHolder, ...]
    after: str | None


async def read_item_holders(
    index: QueryIndex, contract: str, token_id: int, *, limit: int, after: str | None
) -> ItemHolderPage:
    """Return an item's holders by address, after one of them."""
    holders: list[ItemHolder] = []
    first = 0 if after is None else holder_shard(after)
    for shard in range(first, HOLDER_SHARDS):
        left = limit - len(holders)
        part = await index.holders_in(contract, token_id, shard, after=after, limit=left)
        holders += [ItemHolder(owner, quantity) for owner, quantity in part.holders]
        after = None
        if part.after is not None:
            return ItemHolderPage(tuple(holders), part.after)
        if len(holders) == limit:
            return ItemHolderPage(tuple(holders), holders[-1].owner if shard < HOLDER_SHARDS - 1 else None)
    return ItemHolderPage(tuple(holders), None)


async def read_holders(
    index: QueryIndex, contract: str, *, limit: int, after: str | None, items: bool = False
) -> HolderPage:
    """Return a collection's holders after one of them; a page may be short, as what it reads is bounded."""
    walk = _Walk(index, contract, items)
    holders: list[Holder] = []
    start = FIRST_OWNER if after is None else after + AFTER_OWNER
    for shard in range(0 if after is None else holder_shard(after), HOLDER_SHARDS):
        async for holder in walk.holders(shard, start):
            holders.append(holder)
            if len(holders) == limit or walk.read >= MOST_READ:
                return HolderPage(tuple(holders), holder.owner)
        start = FIRST_OWNER
    return HolderPage(tuple(holders), None)
