"""What the delivery of webhooks counts."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from mintline_notifier.webhooks.ports import Reply

OUTCOMES = ("acknowledged", "refused", "unreachable")


class WebhookMetrics:
    """Metrics of one process's deliveries, exported as `mintline_webhook_…`."""

    def __init__(self, registry: CollectorRegistry) -> None:
        prefix = "mintline_webhook"
        self._attempts = Counter(
            f"{prefix}_attempts",
            "Attempts to deliver an event, by what came of them; `unreachable` had no response.",
            ("outcome",),
            registry=registry,
        )
        for outcome in OUTCOMES:
            self._attempts.labels(outcome)
        self._seconds = Histogram(
            f"{prefix}_attempt_seconds",
            "How long receivers took to answer.",
            buckets=(0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15),
            registry=registry,
        )
        self._age = Histogram(
            f"{prefix}_delivery_seconds",
            "Age of events when their receivers acknowledged them.",
            buckets=(1, 2, 5, 10, 30, 60, 300, 3_600, 21_600, 86_400, 259_200),
            registry=registry,
        )
        self.disabled = Counter(
            f"{prefix}_disabled", "Webhooks disabled for what their receivers did.", registry=registry
        )
        self.shards = Gauge(
            f"{prefix}_shards", "Shards of webhooks for which this process delivers.", registry=registry
        )

    def note(self, reply: Reply, *, age_ms: int) -> None:
        """Count an attempt; `age_ms` is the event's age after it."""
        if reply.acknowledged:
            outcome = "acknowledged"
            self._age.observe(age_ms / 1000)
        else:
            outcome = "unreachable" if reply.status_code is None else "refused"
        self._attempts.labels(outcome).inc()
        self._seconds.observe(reply.latency_ms / 1000)
