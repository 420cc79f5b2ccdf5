"""Text that somebody else chose, made fit to be logged, stored, shown and printed.

A node's error, a contract's revert reason, a header or a queue's message may be of any length, and may hold
characters that a terminal obeys or that reverse the text around them. It is bounded where it enters.
"""

from __future__ import annotations

import re
from unicodedata import category

LIMIT = 1000
"""Characters of one such text."""

_ESCAPED = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Control (C0, C1), format (bidirectional, zero-width, BOM), lone surrogate, line and paragraph separator."""
_SUSPECT = re.compile(r"[^\x20-\x7e]")


def bounded(text: str, limit: int = LIMIT) -> str:
    """Return the text escaped and at most `limit` characters long; a cut ends with the text's own length."""
    shown = escaped(text[:limit])
    if len(text) <= limit and len(shown) <= limit:
        return shown
    mark = f"… ({len(text)} characters)"
    room = max(0, limit - len(mark))
    pieces: list[str] = []
    for character in text[:room]:
        piece = escaped(character)
        room -= len(piece)
        if room < 0:
            break
        pieces.append(piece)
    return ("".join(pieces) + mark)[:limit]


def escaped(text: str, *, keep: str = "") -> str:
    r"""Return the text with control, format and separator characters and lone surrogates as `\uXXXX`.

    Characters of `keep` stay as they are: a terminal's line ends, for example.
    """
    if text.isprintable():
        return text
    return _SUSPECT.sub(lambda match: match[0] if match[0] in keep else _escape(match[0]), text)


def _escape(character: str) -> str:
    if category(character) not in _ESCAPED:
        return character
    code = ord(character)
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
