"""Metrics as lines of the log that CloudWatch reads as metrics: its embedded metric format (EMF).

CloudWatch bills each combination of a metric and its dimensions, so only some metrics are written, with one
label at most; what else they have is summed up. Source: Amazon CloudWatch user guide, "Specification:
Embedded metric format".
"""

from __future__ import annotations

import asyncio
import math
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import structlog
from prometheus_client import CollectorRegistry, Metric

from mintline.tracebacks import frames

log = structlog.get_logger(__name__)

EVERY = 60.0
"""Seconds between two lines: CloudWatch's resolution of metrics that cost the least."""
MOST_VALUES = 100
"""Distinct values of one metric in a line; a histogram has fewer buckets."""

Statistic: TypeAlias = Literal["Sum", "Maximum", "Minimum", "p95"]
Unit: TypeAlias = Literal["Count", "Seconds", "Bytes", "None"]
Series: TypeAlias = tuple[str, str]
"""A metric's name, and the value of its label, which may be empty."""


@dataclass(frozen=True, slots=True)
class Published:
    """A metric that goes to CloudWatch, and where it stands on the dashboard."""

    panel: str
    """The title of its panel, as on the dashboard for Grafana."""
    name: str
    statistic: Statistic
    unit: Unit = "Count"
    label: str | None = None
    """The label that becomes a dimension beside the service."""


PUBLISHED: tuple[Published, ...] = (
    Published("Mints per second, by status reached", "mintline_mints_total", "Sum", label="status"),
    Published("Stage latency, 95th percentile", "mintline_stage_seconds", "p95", "Seconds", "status"),
    Published("Failed mints per minute", "mintline_builder_mints_rejected_total", "Sum", label="code"),
    Published("Request latency, 99th percentile", "mintline_http_request_seconds", "p95", "Seconds"),
    Published("Messages per second, by outcome", "mintline_messages_total", "Sum", label="outcome"),
    Published("Age when done, 95th percentile", "mintline_message_age_seconds", "p95", "Seconds", "queue"),
    Published("Handler time, 95th percentile", "mintline_handler_seconds", "p95", "Seconds", "queue"),
    Published("Node responses to transactions", "mintline_broadcaster_sends_total", "Sum", label="fact"),
    Published("Treasury and relayers", "mintline_builder_treasury_balance_wei", "Minimum", "None"),
    Published("Treasury and relayers", "mintline_builder_relayer_balance_wei", "Minimum", "None"),
    Published(
        "Oldest mint that is not mined", "mintline_broadcaster_oldest_open_seconds", "Maximum", "Seconds"
    ),
    Published("Age of the newest blocks", "mintline_indexer_head_age_seconds", "Maximum", "Seconds"),
    Published("Age of the newest blocks", "mintline_indexer_finalized_age_seconds", "Maximum", "Seconds"),
    Published("Node failures per second", "mintline_rpc_calls_total", "Sum", label="outcome"),
    Published("Endpoints in service, and contradicted", "mintline_rpc_endpoint_up", "Minimum", "None"),
    Published("Reconcile findings", "mintline_reconcile_findings", "Maximum", label="kind"),
    Published("Events per second, by type", "mintline_events_total", "Sum"),
    Published("Event lag", "mintline_event_lag_seconds", "Maximum", "Seconds"),
    Published("Webhook attempts per second, by outcome", "mintline_webhook_attempts_total", "Sum"),
    Published("AWS requests per second", "mintline_aws_requests_total", "Sum"),
    Published("CPU", "process_cpu_seconds_total", "Sum", "Seconds"),
    Published("Memory", "process_resident_memory_bytes", "Maximum", "Bytes"),
)
"""What the dashboard on CloudWatch shows; docs/metrics.md has all metrics."""


class MetricsLog:
    """Writes what became of a registry's metrics since the last time."""

    def __init__(
        self,
        registry: CollectorRegistry,
        namespace: str,
        *,
        write: Callable[..., object],
        now: Callable[[], float],
        published: Iterable[Published] = PUBLISHED,
    ) -> None:
        """`write` takes an event and its fields, as a logger's `info` does; `now` is Unix time in seconds."""
        self._registry = registry
        self._namespace = namespace
        self._write = write
        self._now = now
        self._published = {each.name: each for each in published}
        self._before: dict[tuple[str, str, str], float] = {}

    def publish(self) -> None:
        """Write a line for each value of a label, with the counts since the last one and gauges as they are.

        A counter or histogram in which nothing was counted is left out, and costs nothing then.
        """
        lines: dict[tuple[str | None, str], dict[str, Any]] = defaultdict(dict)
        for family in self._registry.collect():
            for (name, value), number in self._of(family).items():
                lines[self._published[name].label, value][name] = number
        for (label, value), numbers in lines.items():
            self._line(label, value, numbers)

    def _line(self, label: str | None, value: str, numbers: Mapping[str, Any]) -> None:
        dimensions = ["service"] if label is None else ["service", label]
        metrics = [{"Name": name, "Unit": self._published[name].unit} for name in numbers]
        directive = {"Namespace": self._namespace, "Dimensions": [dimensions], "Metrics": metrics}
        aws = {"Timestamp": int(self._now() * 1000), "CloudWatchMetrics": [directive]}
        labels = {} if label is None else {label: value}
        self._write("metrics", _aws=aws, **labels, **numbers)

    def _of(self, family: Metric) -> dict[Series, Any]:
        if family.type == "histogram":
            return self._histogram(family)
        collected: dict[Series, list[float]] = defaultdict(list)
        for sample in family.samples:
            if (published := self._published.get(sample.name)) is not None:
                collected[sample.name, sample.labels.get(published.label or "", "")].append(sample.value)
        if family.type == "counter":
            counted = {series: self._since(series, "", sum(values)) for series, values in collected.items()}
            return {series: number for series, number in counted.items() if number}
        return {series: self._gauge(series[0], values) for series, values in collected.items()}

    def _gauge(self, name: str, values: list[float]) -> float:
        return min(values) if self._published[name].statistic == "Minimum" else max(values)

    def _histogram(self, family: Metric) -> dict[Series, Any]:
        """Return each series' buckets with what came into them; above the greatest bound counts as that."""
        published = self._published.get(family.name)
        if published is None:
            return {}
        reached: dict[str, dict[float, float]] = defaultdict(lambda: defaultdict(float))
        for sample in family.samples:
            if sample.name == f"{family.name}_bucket":
                value = sample.labels.get(published.label or "", "")
                reached[value][float(sample.labels["le"])] += sample.value
        histograms: dict[Series, Any] = {}
        for value, buckets in reached.items():
            if counts := self._new_in(family.name, value, buckets):
                histograms[family.name, value] = {"Values": [*counts], "Counts": [*counts.values()]}
        return histograms

    def _new_in(self, name: str, value: str, buckets: Mapping[float, float]) -> dict[float, float]:
        """Return by each finite bound how many came between it and the one below, since the last time."""
        counts: dict[float, float] = defaultdict(float)
        below, greatest = 0.0, max((bound for bound in buckets if math.isfinite(bound)), default=0.0)
        for bound in sorted(buckets):
            new = self._since((name, value), str(bound), buckets[bound])
            if new > below:
                counts[min(bound, greatest)] += new - below
            below = new
        return dict(counts)

    def _since(self, series: Series, bound: str, number: float) -> float:
        before = self._before.get((*series, bound), 0.0)
        self._before[*series, bound] = number
        return number - before


@asynccontextmanager
async def publishing(
    metrics: MetricsLog, sleep: Callable[[float], Any] = asyncio.sleep
) -> AsyncIterator[None]:
    """Write the metrics every minute while this lasts, and once at its end: a task may end sooner.

    What breaks in that is logged, and ends neither the next minute's nor the service.
    """

    async def write() -> None:
        while True:
            await sleep(EVERY)
            _publish(metrics)

    task = asyncio.create_task(write())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        _publish(metrics)


def _publish(metrics: MetricsLog) -> None:
    try:
        metrics.publish()
    except Exception as error:  # noqa: BLE001 - a collector may raise anything
        log.error("metrics_not_written", error=type(error).__name__, frames=frames(error))  # noqa: TRY400
