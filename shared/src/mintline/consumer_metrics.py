"""What a consumer counts, for Prometheus."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Histogram

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class ConsumerMetrics:
    """Messages by queue and outcome, and the handlers' seconds; one per process, shared by its consumers."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._messages = Counter(
            "mintline_messages", "Messages handled, by outcome.", ("queue", "outcome"), registry=registry
        )
        self._seconds = Histogram(
            "mintline_handler_seconds",
            "How long handlers took.",
            ("queue",),
            buckets=_SECONDS,
            registry=registry,
        )

    def observe(self, queue: str, outcome: str, seconds: float) -> None:
        """Count one handled message."""
        self._messages.labels(queue, outcome).inc()
        self._seconds.labels(queue).observe(seconds)
