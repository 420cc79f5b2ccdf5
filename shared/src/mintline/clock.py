"""Units of time, as types that keep them apart: a value of one unit does not pass for another.

A difference of two times, and what is added to one, is a plain number of the same unit.
"""

from __future__ import annotations

import time
from typing import NewType

UnixMs = NewType("UnixMs", int)
"""Milliseconds since 1970: what records and messages hold."""
UnixSeconds = NewType("UnixSeconds", float)
"""Seconds since 1970: what the chain, tokens and TTLs hold."""
Monotonic = NewType("Monotonic", float)
"""Seconds since an arbitrary moment: for durations within one process."""

HOUR = 3_600
"""Seconds."""
DAY = 86_400
"""Seconds."""
HOUR_MS = 1000 * HOUR
DAY_MS = 1000 * DAY


def unix_ms() -> UnixMs:
    """Return the wall clock's time in milliseconds."""
    return UnixMs(time.time_ns() // 1_000_000)


def unix_seconds() -> UnixSeconds:
    """Return the wall clock's time in seconds."""
    return UnixSeconds(time.time())


def monotonic() -> Monotonic:
    """Return the monotonic clock's time."""
    return Monotonic(time.monotonic())


def to_ms(seconds: UnixSeconds) -> UnixMs:
    """Return the same moment in milliseconds, rounded down."""
    return UnixMs(int(seconds * 1000))
