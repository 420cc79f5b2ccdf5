"""Counts the write units of each partition key, second by second.

DynamoDB serves 1,000 write units a second and partition key, of a table as of an index, and throttles what
exceeds them. The emulator serves any number: here they are counted, and throttled if a limit is named.
Source: developer guide, "Designing partition keys to distribute your workload".
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from mintline.resource_types import Table
from mintline_harness.write_units import Attributes, KeyWrite, WriteMeter, key_writes

KEY_LIMIT = 1000
"""Write units a second that DynamoDB serves of one partition key."""


@dataclass(frozen=True, slots=True)
class HotKey:
    """One partition key, and the write units that it took."""

    name: str
    """The table's name, or `table/index`."""
    partition: str
    units: int
    peak: int
    """Most in one second of the clock."""
    refused: int = 0
    """Requests that were throttled for it."""

    @property
    def throttled(self) -> bool:
        """Tell whether DynamoDB would have throttled it in its peak second."""
        return self.peak > KEY_LIMIT

    def limit(self, mints: int) -> float:
        """Return the mints a second at which it reaches its limit, if so many mints took its units."""
        return KEY_LIMIT * mints / self.units


class KeyCounts:
    """Write units by partition key and second."""

    def __init__(self) -> None:
        self._seconds: defaultdict[tuple[str, str], Counter[int]] = defaultdict(Counter)
        self._refused: Counter[tuple[str, str]] = Counter()

    def add(self, write: KeyWrite, *, second: int) -> None:
        """Count one write."""
        self._seconds[write.name, write.partition][second] += write.units

    def full(self, write: KeyWrite, *, second: int, limit: int) -> bool:
        """Tell whether a write's key has had its units of this second, and count a refusal if so."""
        key = (write.name, write.partition)
        full = self._seconds[key][second] >= limit
        self._refused[key] += full
        return full

    def hottest(self, most: int) -> list[HotKey]:
        """Return the keys with the most write units in a second, and of those the most in all, first."""
        keys = [
            HotKey(name, partition, units=seconds.total(), peak=max(seconds.values()), refused=refused)
            for (name, partition), seconds in self._seconds.items()
            if (refused := self._refused[name, partition]) or seconds.total()
        ]
        return sorted(keys, key=lambda key: (-key.peak, -key.units, key.name, key.partition))[:most]


class KeyMeter(WriteMeter):
    """Passes requests on to an AWS emulator, and counts the write units of each partition key.

    Writes of one item go one at a time, so that what is read before and after each of them is what it did;
    writes of different items do not wait for each other.

    With a `limit` of units a second and key, a request that writes to a key which has had them is throttled
    as a whole, whatever else it writes, until the next second of the clock. An index counts for items that
    are in it before the write. DynamoDB also serves short bursts above its limit, and splits what stays hot.
    """

    def __init__(
        self,
        upstream: str,
        *,
        prefix: str,
        clock: Callable[[], float] = time.time,
        limit: int | None = None,
    ) -> None:
        super().__init__(upstream, prefix=prefix)
        self._limit = limit
        self.keys = KeyCounts()
        self._clock = clock
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    def _alone(self, written: Sequence[tuple[Table, Attributes]]) -> AbstractAsyncContextManager[Any]:
        return self._locked(sorted({f"{table.name} {sorted(key.items())}" for table, key in written}))

    @asynccontextmanager
    async def _locked(self, items: Sequence[str]) -> AsyncIterator[None]:
        """Lock items in the one order in which all do, so that no two wait for each other."""
        async with AsyncExitStack() as stack:
            for item in items:
                await stack.enter_async_context(self._locks[item])
            yield

    def _throttled(
        self, written: Sequence[tuple[Table, Attributes]], before: Sequence[Attributes | None]
    ) -> Sequence[bool]:
        if self._limit is None:
            return super()._throttled(written, before)
        limit, second = self._limit, int(self._clock())
        return [
            any(
                self.keys.full(write, second=second, limit=limit)
                for write in key_writes(table, key, old, None)
            )
            for (table, key), old in zip(written, before, strict=True)
        ]

    def _count(self, write: KeyWrite) -> None:
        super()._count(write)
        self.keys.add(write, second=int(self._clock()))
