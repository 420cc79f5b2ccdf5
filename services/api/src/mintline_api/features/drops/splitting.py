"""Splits what is uploaded into lines, a bounded part of it at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

MAX_LINE = 64 * 1024
"""Bytes of one line, its LF not counted."""
_HEAD = 1_000
"""Bytes that are kept of a line that is too long."""


@dataclass(frozen=True, slots=True)
class RawLine:
    """One line as it came, without its newline; its beginning alone if it is `too_long`."""

    text: bytes
    size: int
    """Bytes that were taken for it, the newline and what was dropped included."""
    too_long: bool = False


class LineSplitter:
    """Splits bytes at newlines (LF or CRLF).

    `quoted`: a newline between quotation marks is part of its line, as in CSV (RFC 4180). A line that is too
    long ends at its next newline, quoted or not: one missing quotation mark must not swallow the others.
    """

    def __init__(self, *, quoted: bool, limit: int = MAX_LINE) -> None:
        self._quoted = quoted
        self._limit = limit
        self._kept = min(_HEAD, limit)
        self._buffer = bytearray()
        self._scanned = 0
        self._quotes = 0
        self._head: bytes | None = None
        """The beginning of a line that is too long, while the rest of it is dropped."""
        self._dropped = 0

    def feed(self, data: bytes) -> Iterator[RawLine]:
        """Take more bytes; yields the lines that end within them."""
        buffer = self._buffer
        buffer += data
        start = 0
        while (newline := buffer.find(b"\n", self._scanned)) >= 0:
            if self._within_quotes(newline) and newline - start <= self._limit:
                self._scanned = newline + 1
                continue
            yield self._line(bytes(buffer[start:newline]), newline + 1 - start)
            start = self._scanned = newline + 1
            self._quotes = 0
        self._within_quotes(len(buffer))
        del buffer[:start]
        self._scanned = len(buffer)
        if len(buffer) > self._limit:
            self._drop()

    def rest(self) -> RawLine | None:
        """Return what came after the last newline as a line; None if nothing did."""
        if not self._buffer and self._head is None:
            return None
        line = self._line(bytes(self._buffer), len(self._buffer))
        self._buffer.clear()
        self._scanned = self._quotes = 0
        return line

    def _within_quotes(self, end: int) -> bool:
        """Count the quotation marks up to `end`, and tell whether one is open there."""
        if not self._quoted or self._head is not None:
            return False
        self._quotes += self._buffer.count(b'"', self._scanned, end)
        return self._quotes % 2 == 1

    def _line(self, text: bytes, size: int) -> RawLine:
        if self._head is not None or len(text) > self._limit:
            head = text if self._head is None else self._head
            line = RawLine(head[: self._kept], self._dropped + size, too_long=True)
            self._head, self._dropped = None, 0
            return line
        return RawLine(text.removesuffix(b"\r"), size)

    def _drop(self) -> None:
        if self._head is None:
            self._head = bytes(self._buffer[: self._kept])
        self._dropped += len(self._buffer)
        self._buffer.clear()
        self._scanned = self._quotes = 0
