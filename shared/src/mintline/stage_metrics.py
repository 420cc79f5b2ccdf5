"""What every service counts of the mints that pass through it, for Prometheus."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Histogram

from mintline.states import MintStatus

_SECONDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1200.0, 3600.0)
"""From an idle pipeline on a development chain to the finality of a proof-of-stake one."""


class StageMetrics:
    """Mints by the status that they reached, and how long the stage before it took; one per process.

    Observed once per mint and status, right after the transition was written, by the service that wrote it.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._mints = Counter(
            "mintline_mints", "Mints, by the status that they reached.", ("status",), registry=registry
        )
        self._seconds = Histogram(
            "mintline_stage_seconds",
            "Seconds from the stage before to this status.",
            ("status",),
            buckets=_SECONDS,
            registry=registry,
        )

        # From zero: else the first of a kind would be no increase, and no alert would see it.
        self._reached = {status: self._mints.labels(status.value) for status in MintStatus}

    def reached(self, status: MintStatus, *, after: float | None = None, count: int = 1) -> None:
        """Count mints that reached `status`, `after` so many seconds in the stage before, if known."""
        self._reached[status].inc(count)
        if after is not None:
            self._seconds.labels(status.value).observe(after)
