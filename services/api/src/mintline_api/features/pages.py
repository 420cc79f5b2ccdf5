"""Parts of lists, and where each goes on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from mintline.aws.dynamo import Item

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Part of a list: items with the position of each, and whether more may follow."""

    items: tuple[tuple[str, T], ...]
    more: bool


def text_of(item: Item, name: str) -> str:
    """Return a member of an item that is always a text."""
    value = item[name]
    assert isinstance(value, str)
    return value
