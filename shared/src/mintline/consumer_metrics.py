"""What a consumer counts, for Prometheus."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

OUTCOMES = (
    "done",
    "duplicate",
    "deferred",
    "unsupported",
    "retried",
    "rejected",
    "failed",
    "exhausted",
    "abandoned",
)
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_AGES = (0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0)


class ConsumerMetrics:
    """Messages by queue and outcome, the handlers' seconds, and the age at which messages were done.

    One per process, shared by its consumers.
    """

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
        self._ages = Histogram(
            "mintline_message_age_seconds",
            "From when a message was sent to when it was done: waiting, deferrals and all attempts.",
            ("queue",),
            buckets=_AGES,
            registry=registry,
        )
        self._intake = Gauge(
            "mintline_intake_width",
            "Messages taken in at once at most: fewer while something that handlers need is throttled.",
            ("queue",),
            registry=registry,
        )

    def expect(self, queue: str) -> None:
        """Begin every outcome of a queue at zero: the first dead letter is an increase, and fires."""
        for outcome in OUTCOMES:
            self._messages.labels(queue, outcome)

    def observe(self, queue: str, outcome: str, seconds: float, *, age: float) -> None:
        """Count one handled message; `age` is in seconds since it was sent."""
        self._messages.labels(queue, outcome).inc()
        self._seconds.labels(queue).observe(seconds)
        if outcome == "done":
            self._ages.labels(queue).observe(age)

    def intake(self, queue: str, width: int) -> None:
        """Note how many messages are taken in at once."""
        self._intake.labels(queue).set(width)
