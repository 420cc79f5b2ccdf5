"""Whether a series of samples grows: its slope, by a method that outliers do not move."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import median

WARM_UP = 0.4
"""The share of the run in which caches fill and allocators settle: not judged."""
ALLOWED = 0.05
"""The growth over the judged part, as a share of the size, that is taken for noise."""
POINTS = 200
"""Samples that are compared pair by pair; of more, every n-th is taken."""


@dataclass(frozen=True, slots=True)
class Growth:
    """How resident memory moved: `size` is its median in bytes, `slope` in bytes a second."""

    size: float
    slope: float
    seconds: float

    @property
    def grows(self) -> bool:
        """Tell whether it grew by more than noise in the time that is judged."""
        return self.slope * self.seconds > ALLOWED * self.size


def growth(samples: Sequence[tuple[float, float]]) -> Growth:
    """Judge (seconds, bytes) samples in order of time, after the warm-up.

    The slope is Theil and Sen's: the median of the slopes between all pairs.
    """
    first, last = samples[0][0], samples[-1][0]
    judged = [sample for sample in samples if sample[0] >= first + WARM_UP * (last - first)]
    judged = judged[:: max(1, len(judged) // POINTS)]
    slopes = [(b[1] - a[1]) / (b[0] - a[0]) for a, b in combinations(judged, 2) if b[0] > a[0]]
    return Growth(
        size=median(size for _, size in judged),
        slope=median(slopes) if slopes else 0.0,
        seconds=judged[-1][0] - judged[0][0],
    )
