"""What the notifier counts."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge

from mintline.aws.session import AwsCalls
from mintline.set_aside import SetAside
from mintline_notifier.webhooks.metrics import WebhookMetrics


class Metrics:
    """The metrics of one notifier process."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.aws = AwsCalls(registry)
        self.set_aside = SetAside(registry)
        self.webhooks = WebhookMetrics(registry)
        self.events = Counter(
            "mintline_events", "Events that were appended to a log.", ("type",), registry=registry
        )
        self.changes = Counter(
            "mintline_event_changes",
            "Changes of records that were read from a table's stream.",
            ("table",),
            registry=registry,
        )
        self.lag = Gauge(
            "mintline_event_lag_seconds",
            "Age of the oldest change whose events are not in the logs yet; 0 while there is none, and while "
            "this instance stands by.",
            registry=registry,
        )
        self.leader = Gauge(
            "mintline_event_reader",
            "1 while this instance reads the change streams, 0 while it stands by.",
            registry=registry,
        )
        self.gaps = Counter(
            "mintline_event_gaps",
            "Times that changes had left a stream unread: records were compared with the logs instead.",
            registry=registry,
        )
        self.late = Counter(
            "mintline_event_late",
            "Events that were appended by comparing records with the logs.",
            registry=registry,
        )
