"""Tracebacks without their texts: an error's message may quote what must not be logged."""

from __future__ import annotations

import hashlib
import traceback


def frames(error: BaseException, *, limit: int = 8) -> list[str]:
    """Return where an error came from, innermost last: `module.py:line function`."""
    return [
        f"{frame.filename.rpartition('/')[2]}:{frame.lineno} {frame.name}"
        for frame in traceback.extract_tb(error.__traceback__)[-limit:]
    ]


def digest_of_traceback(error: BaseException) -> str:
    """Return 16 hex digits that errors of one kind from one place share."""
    text = "|".join([type(error).__qualname__, *frames(error)])
    return hashlib.sha256(text.encode()).hexdigest()[:16]
