"""Bounded caches, and one flight for many who ask for the same."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from contextlib import suppress
from typing import Generic, TypeVar

from cachetools import TLRUCache

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class BoundedCache(Generic[K, V]):
    """The least recently used entries go when the sum of weights passes `max_weight`.

    `weight` defaults to 1 an entry. An entry past its deadline (on `clock`, in seconds) is as good as absent.
    `looked_up` is called for each lookup with whether it found something.
    """

    def __init__(
        self,
        *,
        max_weight: int,
        clock: Callable[[], float],
        weight: Callable[[V], int] = lambda _: 1,
        looked_up: Callable[[bool], None] = lambda _: None,
    ) -> None:
        self._looked_up = looked_up
        self._entries: TLRUCache[K, tuple[V, float]] = TLRUCache(
            max_weight,
            ttu=lambda _, entry, now: now + entry[1],
            timer=clock,
            getsizeof=lambda entry: weight(entry[0]),
        )

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: K) -> V | None:
        """Return the entry, unless it is absent or past its deadline."""
        entry = self._entries.get(key)
        self._looked_up(entry is not None)
        return None if entry is None else entry[0]

    def put(self, key: K, value: V, *, ttl: float = float("inf")) -> None:
        """Keep `value` for `ttl` seconds at most; one heavier than the whole cache is not kept."""
        self.discard(key)
        with suppress(ValueError):  # heavier than the whole cache
            self._entries[key] = (value, ttl)

    def discard(self, key: K) -> None:
        """Forget the entry, if there is one."""
        self._entries.pop(key, None)


class SingleFlight(Generic[K, V]):
    """Runs one piece of work per key at a time; all who ask meanwhile get its outcome.

    The work is nobody's in particular: a caller who is cancelled leaves it running for the others.
    """

    def __init__(self) -> None:
        self._flights: dict[K, asyncio.Task[V]] = {}

    async def run(self, key: K, work: Callable[[], Awaitable[V]]) -> V:
        """Return the outcome of the flight for `key`, starting `work` if none is in the air."""
        flight = self._flights.get(key)
        if flight is None:
            flight = asyncio.create_task(self._fly(work), name=f"flight-{key}")
            self._flights[key] = flight
            flight.add_done_callback(lambda _: self._flights.pop(key, None))
            flight.add_done_callback(_retrieve)
        return await asyncio.shield(flight)

    @staticmethod
    async def _fly(work: Callable[[], Awaitable[V]]) -> V:
        return await work()


def _retrieve(flight: asyncio.Task[V]) -> None:
    """Mark the exception as seen: every caller may have gone."""
    if not flight.cancelled():
        flight.exception()
