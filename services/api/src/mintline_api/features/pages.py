"""Parts of lists, and where each goes on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from aiohttp import web

from mintline.aws.dynamo import Dynamo, Item
from mintline.resource_types import Index, Table
from mintline_api.http.context import HTTP
from mintline_api.http.models import PageQuery

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Part of a list: items with the position of each, and whether more may follow."""

    items: tuple[tuple[str, T], ...]
    more: bool
    last: str | None = None
    """The position of the last row that was read, if others follow the last item: those are unreadable."""

    @property
    def end(self) -> str | None:
        """The position that the list goes on after; None for a page without rows."""
        if self.last is not None:
            return self.last
        return self.items[-1][0] if self.items else None


@dataclass(frozen=True, slots=True)
class PageRequest:
    """Which part of a list: at most `limit` items, those after a position if one is given."""

    limit: int
    after: str | None


def text_of(item: Item, name: str) -> str:
    """Return a member of an item that is always a text."""
    value = item[name]
    assert isinstance(value, str)
    return value


async def newest_first(
    dynamo: Dynamo, table: Table, index: Index, owner: str, *, limit: int, after: str | None
) -> Page[str]:
    """Return the ids of an owner's records, newest first; the index lags behind writes by moments.

    The index is sorted by `created_key`, which is the position of each.
    """
    id_name = table.partition.name
    start: Item | None = None
    if after is not None:
        start = {id_name: after.partition("#")[2], index.partition.name: owner, "created_key": after}
    page = await dynamo.query(table, index=index, partition=owner, forward=False, limit=limit, start=start)
    return Page(
        tuple((text_of(item, "created_key"), text_of(item, id_name)) for item in page.items),
        more=page.next is not None,
    )


def read_page(request: web.Request, bound: Sequence[str], query: PageQuery) -> PageRequest:
    """Return which part of a list a request asks for; `bound` names the list, its reader and its filters."""
    after = request.app[HTTP].cursors.read(bound, query.cursor) if query.cursor else None
    return PageRequest(limit=query.limit, after=after)


def next_cursor(request: web.Request, bound: Sequence[str], page: Page[T]) -> str | None:
    """Return the cursor that continues a list after a page, None at its end."""
    end = page.end
    return request.app[HTTP].cursors.issue(bound, end) if page.more and end is not None else None
