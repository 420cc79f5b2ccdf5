"""Counts the write units of each partition key, second by second.

DynamoDB serves 1,000 write units a second and partition key, of a table as of an index, and throttles what
exceeds them. The emulator serves any number: here they are counted, and nothing is throttled. Source:
developer guide, "Designing partition keys to distribute your workload".
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
from mintline_harness.write_units import Attributes, KeyWrite, WriteMeter

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

    def add(self, write: KeyWrite, *, second: int) -> None:
        """Count one write."""
        self._seconds[write.name, write.partition][second] += write.units

    def hottest(self, most: int) -> list[HotKey]:
        """Return the keys with the most write units in a second, and of those the most in all, first."""
        found = [
            HotKey(name, partition, units=seconds.total(), peak=max(seconds.values()))
            for (name, partition), seconds in self._seconds.items()
        ]
        return sorted(found, key=lambda key: (-key.peak, -key.units, key.name, key.partition))[:most]


class KeyMeter(WriteMeter):
    """Passes requests on to an AWS emulator, and counts the write units of each partition key.

    Writes of one item go one at a time, so that what is read before and after each of them is what it did;
    writes of different items do not wait for each other.
    """

    def __init__(self, upstream: str, *, prefix: str, clock: Callable[[], float] = time.time) -> None:
        super().__init__(upstream, prefix=prefix)
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

    def _count(self, write: KeyWrite) -> None:
        super()._count(write)
        self.keys.add(write, second=int(self._clock()))
