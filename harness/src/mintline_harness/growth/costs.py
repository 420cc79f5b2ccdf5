"""What a call costs: requests to DynamoDB, items that it reads, CPU and memory of the process that asks."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from mintline_harness.growth.ordered_tables import OrderedTables


@dataclass(frozen=True, slots=True)
class Cost:
    """What one call came to; `peak_mb` is what it held at once, at most."""

    name: str
    requests: int
    items_read: int
    cpu_ms: float
    peak_mb: float


@dataclass(frozen=True, slots=True)
class Meter:
    """Measures calls to tables."""

    tables: OrderedTables

    async def page(self, name: str, call: Callable[[], Awaitable[object]]) -> Cost:
        """Return the cost of a call that may be repeated; it is made once before, so that all is warm."""
        await call()
        spent = await self.once(name, call)
        tracemalloc.start()
        await call()
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return Cost(name, spent.requests, spent.items_read, spent.cpu_ms, round(peak / 1e6, 2))

    async def once(
        self, name: str, call: Callable[[], Awaitable[object]], *, traced: bool = False, parts: float = 1
    ) -> Cost:
        """Return the cost of one call, divided by `parts`; `traced`, its CPU says nothing."""
        requests, read = self.tables.requests, self.tables.items_read
        if traced:
            tracemalloc.start()
        started = time.process_time()
        await call()
        cpu = (time.process_time() - started) * 1000
        peak = tracemalloc.get_traced_memory()[1] if traced else 0
        if traced:
            tracemalloc.stop()
        return Cost(
            name,
            round((self.tables.requests - requests) / parts),
            round((self.tables.items_read - read) / parts),
            round(cpu / parts, 1),
            round(peak / 1e6, 2),
        )


def table(costs: Mapping[int, Sequence[Cost]]) -> str:
    """Return the costs as aligned lines: a call each, by the number of records."""
    sizes = sorted(costs)
    columns = ("requests", "items read", "CPU ms", "peak MB")
    lines = [" " * 40 + "".join(f"{f'{size:,} records':>48}" for size in sizes)]
    lines.append(" " * 40 + "".join(f"{column:>12}" for _ in sizes for column in columns))
    for row in zip(*(costs[size] for size in sizes), strict=True):
        cells = "".join(
            f"{cost.requests:>12,}{cost.items_read:>12,}{cost.cpu_ms:>12,}{cost.peak_mb:>12,}" for cost in row
        )
        lines.append(f"{row[0].name:<40}{cells}")
    return "\n".join(lines)
