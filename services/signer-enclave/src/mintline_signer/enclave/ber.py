"""The least of BER (X.690) that KMS's envelopes take: one element, its children, and nothing after it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NoReturn

MAX_DEPTH = 12
_CONSTRUCTED = 0x20
_INDEFINITE = 0x80
_END = b"\x00\x00"


class MalformedBer(ValueError):  # noqa: N818 - named for what was found
    """The bytes are not what they should be."""


@dataclass(frozen=True, slots=True)
class Element:
    """A tag with its class and its form, and either a content or children."""

    tag: int
    content: bytes = b""
    children: tuple[Element, ...] = field(default=())

    def whole(self, tag: int, count: int | None = None) -> tuple[Element, ...]:
        """Return the children of a constructed element with this tag; raises MalformedBer."""
        if self.tag != tag or (count is not None and len(self.children) != count):
            _refuse("another element was expected")
        return self.children

    def plain(self, tag: int) -> bytes:
        """Return the content of a primitive element with this tag; raises MalformedBer."""
        if self.tag != tag:
            _refuse("another element was expected")
        return self.content

    def octets(self, tag: int) -> bytes:
        """Return a string of octets with this tag, in one piece or in chunks; raises MalformedBer."""
        if self.tag == tag | _CONSTRUCTED:
            return b"".join(child.plain(0x04) for child in self.children)
        return self.plain(tag)


def parse(data: bytes) -> Element:
    """Return the one element that `data` is; raises MalformedBer."""
    reader = _Reader(data)
    element = reader.element(MAX_DEPTH)
    if reader.place != len(data):
        _refuse("something follows")
    return element


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self.place = 0

    def _take(self, count: int) -> bytes:
        taken = self._data[self.place : self.place + count]
        if len(taken) != count:
            _refuse("cut short")
        self.place += count
        return taken

    def element(self, depth: int) -> Element:
        tag = self._take(1)[0]
        if tag & 0x1F == 0x1F or depth == 0:
            _refuse("a tag or a depth that is not spoken here")
        length = self._length()
        if not tag & _CONSTRUCTED:
            if length is None:
                _refuse("a primitive of no length")
            return Element(tag, content=self._take(length))
        return Element(tag, children=tuple(self._children(length, depth - 1)))

    def _length(self) -> int | None:
        """Return a length, or None for one that is indefinite."""
        first = self._take(1)[0]
        if first < _INDEFINITE:
            return first
        if first == _INDEFINITE:
            return None
        if first > _INDEFINITE + 3:
            _refuse("a length beyond reason")
        return int.from_bytes(self._take(first - _INDEFINITE), "big")

    def _children(self, length: int | None, depth: int) -> Iterator[Element]:
        end = None if length is None else self.place + length
        while self.place != end:
            if end is None and self._data.startswith(_END, self.place):
                self.place += len(_END)
                return
            yield self.element(depth)
            if end is not None and self.place > end:
                _refuse("a child longer than its parent")


def _refuse(why: str) -> NoReturn:
    raise MalformedBer(why)
