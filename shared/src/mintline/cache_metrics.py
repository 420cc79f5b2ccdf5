"""How often caches have what is asked of them, for Prometheus."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from prometheus_client import CollectorRegistry, Counter

LookedUp: TypeAlias = Callable[[bool], None]
"""Called once per lookup: True for a hit."""


class CacheMetrics:
    """Lookups by cache and result; one per process, shared by its caches."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._lookups = Counter(
            "mintline_cache_lookups", "Lookups in caches, by result.", ("cache", "result"), registry=registry
        )

    def of(self, cache: str) -> LookedUp:
        """Return what one cache is to call at each lookup."""
        hits, misses = self._lookups.labels(cache, "hit"), self._lookups.labels(cache, "miss")

        def looked_up(hit: bool) -> None:  # noqa: FBT001 - a callback's only argument
            (hits if hit else misses).inc()

        return looked_up
