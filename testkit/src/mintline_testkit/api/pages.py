"""Pages of lists, cut as the tables cut them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from mintline_api.features.pages import Page

T = TypeVar("T")


def page_of(items: Iterable[tuple[str, T]], *, limit: int, after: str | None, newest_first: bool) -> Page[T]:
    """Return up to `limit` items in the order of their keys, from `after` on."""
    ordered = sorted(items, key=lambda item: item[0], reverse=newest_first)
    if after is not None:
        ordered = [item for item in ordered if (item[0] < after if newest_first else item[0] > after)]
    return Page(tuple(ordered[:limit]), more=len(ordered) > limit)
