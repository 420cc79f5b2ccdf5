"""Which lines of a drop repeat something: known by short hashes, so that 100,000 lines fit in memory.

Marks of a part: a line's number in 4 bytes, then the hashes of its recipient, of the line and of its external
id (0: it has none), 8 bytes each; in a drop of items another one, of recipient and item.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from mintline.drop_records import Repetition, Upload
from mintline_api.features.drops.lines import StoredLine

_MARK = struct.Struct(">LQQQ")
_ITEM_MARK = struct.Struct(">LQQQQ")


@dataclass(slots=True)
class Seen:
    """What the lines so far have: each hash, with the number of the first line that has it."""

    items: bool = False
    recipients: dict[int, int] = field(default_factory=dict)
    shares: dict[int, int] = field(default_factory=dict)
    """In a drop of items: recipient and item."""
    lines: dict[int, int] = field(default_factory=dict)
    external_ids: dict[int, int] = field(default_factory=dict)

    @property
    def _mark(self) -> struct.Struct:
        return _ITEM_MARK if self.items else _MARK

    def load(self, marks: bytes) -> None:
        """Take in the marks of a part."""
        for number, recipient, line, external, *share in self._mark.iter_unpack(marks):
            for mark in share:
                self.shares.setdefault(mark, number)
            self.recipients.setdefault(recipient, number)
            self.lines.setdefault(line, number)
            if external:
                self.external_ids.setdefault(external, number)

    def first_with_external_id(self, line: StoredLine) -> int | None:
        """Return the number of the first line that has a line's external id; note it if there is none."""
        mark = line.external_mark()
        if mark is None:
            return None
        first = self.external_ids.setdefault(mark, line.line)
        return None if first == line.line else first

    def count(self, upload: Upload, lines: Iterable[StoredLine]) -> Upload:
        """Return the summary with more accepted lines in it."""
        kinds = {"addresses": upload.addresses, "users": upload.users, "emails": upload.emails}
        repeated_lines, repeated_recipients = upload.repeated_lines, upload.repeated_recipients
        for line in lines:
            number = line.line
            first = self.recipients.setdefault(line.recipient_mark(), number)
            if first == number:
                kinds["addresses" if line.address else "users" if line.user else "emails"] += 1
            if self.items:
                first = self.shares.setdefault(line.share_mark(), number)
            if first != number:
                repeated_recipients = repeated_recipients.and_also(Repetition(line=number, first=first))
            if (first := self.lines.setdefault(line.mark(), number)) != number:
                repeated_lines = repeated_lines.and_also(Repetition(line=number, first=first))
        return upload.evolve(repeated_lines=repeated_lines, repeated_recipients=repeated_recipients, **kinds)

    def marks_of(self, lines: Iterable[StoredLine]) -> bytes:
        """Return the marks of a part's lines."""
        return b"".join(self._packed(lines))

    def _packed(self, lines: Iterable[StoredLine]) -> Iterator[bytes]:
        for line in lines:
            share = (line.share_mark(),) if self.items else ()
            marks = (line.recipient_mark(), line.mark(), line.external_mark() or 0)
            yield self._mark.pack(line.line, *marks, *share)
