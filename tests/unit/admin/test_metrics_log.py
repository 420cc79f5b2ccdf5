"""Metrics as lines that CloudWatch reads: what is counted since the last line, and nothing that was not."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from structlog.testing import capture_logs

from mintline.admin import Admin
from mintline.emf import EVERY, PUBLISHED, MetricsLog, Published, publishing

DASHBOARD = Path(__file__).resolve().parents[3] / "observability/grafana/mintline.json"
ENDED, AGE, HELD, SLOWEST = (
    Published("Ended", "ended_total", "Sum", label="status"),
    Published("Age", "age_seconds", "p95", "Seconds"),
    Published("Held", "held", "Maximum", "None"),
    Published("Slowest", "slowest", "Minimum", "None"),
)


class Pipeline:
    """A registry with one metric of each kind, and the lines that were written of it."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.ended = Counter("ended", "", ["status", "code"], registry=self.registry)
        self.age = Histogram("age_seconds", "", ["queue"], buckets=(1, 5), registry=self.registry)
        self.held = Gauge("held", "", ["key"], registry=self.registry)
        self.slowest = Gauge("slowest", "", ["key"], registry=self.registry)
        self.unpublished = Counter("other", "", registry=self.registry)
        self.lines: list[dict[str, Any]] = []
        self.log = MetricsLog(
            self.registry,
            "Mintline/acme",
            write=lambda event, **fields: self.lines.append({"event": event, **fields}),
            now=lambda: 1_700_000_000.5,
            published=(ENDED, AGE, HELD, SLOWEST),
        )

    def published(self) -> dict[str, dict[str, Any]]:
        """Publish, and return what the lines say by their label's value."""
        self.lines.clear()
        self.log.publish()
        hidden = ("_aws", "event")
        return {
            line.get("status", ""): {name: value for name, value in line.items() if name not in hidden}
            for line in self.lines
        }


def test_line__when_read_by_cloudwatch__then_its_directive_names_namespace_dimensions_and_units() -> None:
    pipeline = Pipeline()
    pipeline.ended.labels("finalized", "").inc()

    pipeline.log.publish()

    (line,) = (line for line in pipeline.lines if "status" in line)
    assert line["event"] == "metrics"
    assert line["_aws"] == {
        "Timestamp": 1_700_000_000_500,
        "CloudWatchMetrics": [
            {
                "Namespace": "Mintline/acme",
                "Dimensions": [["service", "status"]],
                "Metrics": [{"Name": "ended_total", "Unit": "Count"}],
            }
        ],
    }
    json.dumps(line)


def test_counter__when_published_again__then_only_what_was_counted_since_over_all_other_labels() -> None:
    pipeline = Pipeline()
    pipeline.ended.labels("rejected", "a").inc(2)
    pipeline.ended.labels("rejected", "b").inc(3)
    pipeline.unpublished.inc()

    first = pipeline.published()
    quiet = pipeline.published()
    pipeline.ended.labels("rejected", "a").inc()
    later = pipeline.published()

    assert first["rejected"] == {"status": "rejected", "ended_total": 5}
    assert "rejected" not in quiet
    assert later["rejected"] == {"status": "rejected", "ended_total": 1}
    assert "other_total" not in str(first)


def test_histogram__when_published__then_new_observations_by_their_buckets_bound() -> None:
    pipeline = Pipeline()
    for queue, seconds in (("build", 0.5), ("sign", 0.7), ("build", 4), ("build", 60)):
        pipeline.age.labels(queue).observe(seconds)

    first = pipeline.published()[""]["age_seconds"]
    quiet = pipeline.published()
    pipeline.age.labels("sign").observe(2)
    later = pipeline.published()[""]["age_seconds"]

    # What is above the greatest bound counts as that.
    assert first == {"Values": [1.0, 5.0], "Counts": [2.0, 2.0]}
    assert "age_seconds" not in quiet.get("", {})
    assert later == {"Values": [5.0], "Counts": [1.0]}


def test_gauge__when_it_has_several_values__then_the_one_that_its_statistic_asks_for() -> None:
    pipeline = Pipeline()
    for gauge in (pipeline.held, pipeline.slowest):
        gauge.labels("a").set(3)
        gauge.labels("b").set(8)

    published = pipeline.published()[""]

    assert (published["held"], published["slowest"]) == (8, 3)


async def test_publishing__when_a_task_ends_within_a_minute__then_its_metrics_are_written_at_the_end() -> (
    None
):
    pipeline = Pipeline()
    slept: list[float] = []
    enough = asyncio.Event()

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 3:
            enough.set()
            await asyncio.Event().wait()

    async with publishing(pipeline.log, sleep):
        await enough.wait()
        pipeline.lines.clear()
        pipeline.ended.labels("finalized", "").inc()

    assert slept == [EVERY] * 3
    assert [line["ended_total"] for line in pipeline.lines if "ended_total" in line] == [1]


async def test_publishing__when_a_collector_breaks__then_that_is_logged_and_the_next_minute_is_written() -> (
    None
):
    pipeline = Pipeline()
    tried: list[float] = []
    enough = asyncio.Event()

    def broken() -> float:
        tried.append(0)
        if len(tried) in (1, 3):
            raise ZeroDivisionError
        return 7

    async def sleep(_: float) -> None:
        if len(tried) == 2:
            enough.set()
            await asyncio.Event().wait()

    pipeline.held.labels("a").set_function(broken)
    with capture_logs() as lines:
        async with asyncio.timeout(5), publishing(pipeline.log, sleep):
            await enough.wait()

    broke = [line["error"] for line in lines if line["event"] == "metrics_not_written"]
    assert (broke, len(tried)) == (["ZeroDivisionError"] * 2, 3)
    assert [line["held"] for line in pipeline.lines] == [7]


@pytest.mark.parametrize("namespace", [None, "Mintline/acme"])
async def test_admin__when_a_namespace_is_set__then_the_services_metrics_are_logged(
    namespace: str | None,
) -> None:
    registry = CollectorRegistry()
    Gauge("process_resident_memory_bytes", "", registry=registry).set(7)
    admin = Admin(host="127.0.0.1", port=0, checks={}, registry=registry, metrics_namespace=namespace)

    with capture_logs() as lines:
        await admin._publishing.__aenter__()
        await admin._publishing.__aexit__(None, None, None)

    assert [line["process_resident_memory_bytes"] for line in lines] == ([] if namespace is None else [7])


def test_published__when_compared_with_grafanas_dashboard__then_each_is_in_the_panel_of_its_title() -> None:
    panels = {
        panel["title"]: " ".join(target["expr"] for target in panel.get("targets", ()))
        for panel in json.loads(DASHBOARD.read_text())["panels"]
    }

    assert {each.name for each in PUBLISHED if each.name not in panels[each.panel]} == set()
    assert len({each.name for each in PUBLISHED}) == len(PUBLISHED)
    reserved = {"service", "event", "level", "timestamp", "_aws"}
    assert not reserved & {each.label for each in PUBLISHED}
