"""Tables whose secondary indexes lag: a scan answers as of a moment in the past, a look-up as of now.

The in-memory ports scan a table where the real ones query an index, so it is the scan that lags. DynamoDB's
global secondary indexes are eventually consistent
(https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/GSI.html).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

K = TypeVar("K")
V = TypeVar("V")

OFTEN = 0.5
"""The share of the scans that lag, while any do."""


class Lag:
    """How far indexes are behind; `clock` is in seconds, `counted` hears of each answer out of the past."""

    def __init__(
        self, *, clock: Callable[[], float], rng: random.Random, counted: Callable[[], None]
    ) -> None:
        self.clock = clock
        self.most = 0.0
        """The longest that an index is behind, in seconds."""
        self._rng = rng
        self._counted = counted

    def moment(self) -> float | None:
        """Return as of when a scan answers, None if that is now."""
        if self.most <= 0 or self._rng.random() >= OFTEN:
            return None
        self._counted()
        return self.clock() - self._rng.uniform(0, self.most)


class LaggingTable(dict[K, V]):
    """A table that remembers what each item was, and when."""

    def __init__(self, lag: Lag) -> None:
        super().__init__()
        self._lag = lag
        self._past: dict[K, list[tuple[float, V]]] = {}

    def __setitem__(self, key: K, value: V) -> None:
        self._past.setdefault(key, []).append((self._lag.clock(), value))
        super().__setitem__(key, value)

    def setdefault(self, key: K, default: V) -> V:
        """Put an item unless there is one; return the one that there is."""
        if key not in self:
            self[key] = default
        return self[key]

    def values(self) -> Any:
        """Scan the table as an index of it does."""
        moment = self._lag.moment()
        return super().values() if moment is None else list(self._as_of(moment))

    def _as_of(self, moment: float) -> Iterator[V]:
        for versions in self._past.values():
            known = [value for at, value in versions if at <= moment]
            if known:
                yield known[-1]
