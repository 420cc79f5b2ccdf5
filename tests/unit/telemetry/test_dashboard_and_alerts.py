"""The dashboard and the alert rules, against the metrics that the services really have."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.metrics import MetricWrapperBase

from mintline.admin import process_registry
from mintline.chain.send_facts import SendFact
from mintline.states import MintStatus
from mintline_api.metrics import Metrics as ApiMetrics
from mintline_broadcaster.metrics import Metrics as BroadcasterMetrics
from mintline_builder.metrics import Metrics as BuilderMetrics
from mintline_devstack.ports import Ports
from mintline_devstack.services import ADMIN_PORTS
from mintline_indexer.metrics import Metrics as IndexerMetrics
from mintline_indexer.reconciler.findings import Kind
from mintline_indexer.reconciler.metrics import Metrics as ReconcilerMetrics
from mintline_notifier.metrics import Metrics as NotifierMetrics
from mintline_notifier.webhooks.metrics import OUTCOMES
from mintline_signer.host.metrics import Metrics as HostMetrics
from mintline_signer.protocol import Statistics

ROOT = Path(__file__).parents[3]
DASHBOARD = ROOT / "observability/grafana/mintline.json"
ALERTS = ROOT / "observability/prometheus/alerts.yaml"
SCRAPES = ROOT / "observability/prometheus/prometheus.yaml"
METRICS = ROOT / "docs/metrics.md"
RUNBOOK = ROOT / "docs/alerts.md"
SERVICES = {
    "api": ApiMetrics,
    "builder": BuilderMetrics,
    "signer-host": HostMetrics,
    "broadcaster": BroadcasterMetrics,
    "indexer": IndexerMetrics,
    "reconciler": ReconcilerMetrics,
    "notifier": NotifierMetrics,
}
PROMETHEUS_OWN = {"up": frozenset({"job", "instance"})}
EVERYWHERE = frozenset({"job", "instance"})
WORDS = re.compile(r"\b((?:mintline|process|python)_[a-z0-9_]+|up)\b(?:\{([^}]*)\})?")
MATCHER = re.compile(r'(\w+)\s*(=~|!~|!=|=)\s*"([^"]*)"')
BY = re.compile(r"\bby\s*\(([^)]*)\)")
VALUES = {
    ("mintline_mints_total", "status"): {status.value for status in MintStatus},
    ("mintline_broadcaster_sends_total", "fact"): {fact.value for fact in SendFact},
    ("mintline_enclave", "count"): set(Statistics.model_fields) - {"type"},
    ("mintline_rpc_calls_total", "outcome"): {"answered", "refused", "failed"},
    ("mintline_cache_lookups_total", "result"): {"hit", "miss"},
    ("mintline_webhook_attempts_total", "outcome"): set(OUTCOMES),
    ("mintline_reconcile_findings", "kind"): {kind.value for kind in Kind},
}


def series_of(registry: CollectorRegistry) -> dict[str, frozenset[str]]:
    """The registry's series with their labels, those without a sample yet included."""
    series: dict[str, frozenset[str]] = {}
    for collector in set(registry._collector_to_names):
        if not isinstance(collector, MetricWrapperBase):
            for family in collector.collect():
                series |= {sample.name: frozenset(sample.labels) for sample in family.samples}
            continue
        name, labels = collector._name, frozenset(collector._labelnames)
        if isinstance(collector, Counter):
            series[f"{name}_total"] = labels
        elif isinstance(collector, Histogram):
            series |= {f"{name}_count": labels, f"{name}_sum": labels, f"{name}_bucket": labels | {"le"}}
        else:
            series[name] = labels
    return series


@pytest.fixture(scope="module")
def series() -> dict[str, frozenset[str]]:
    """Every series of every service."""
    series_by_name = dict(PROMETHEUS_OWN)
    for make in SERVICES.values():
        registry = process_registry()
        make(registry)
        series_by_name |= series_of(registry)
    return series_by_name


def rules() -> Iterator[dict[str, Any]]:
    for group in yaml.safe_load(ALERTS.read_text())["groups"]:
        yield from group["rules"]


def panels() -> list[dict[str, Any]]:
    return [panel for panel in json.loads(DASHBOARD.read_text())["panels"] if panel["type"] != "row"]


QUERIES = [
    *(pytest.param(rule["expr"], id=rule["alert"]) for rule in rules()),
    *(
        pytest.param(target["expr"], id=f"{panel['title']}-{target['refId']}")
        for panel in panels()
        for target in panel["targets"]
    ),
]


@pytest.mark.parametrize("query", QUERIES)
def test_query__when_it_names_a_metric__finds_it_and_its_labels_in_a_service(
    query: str, series: dict[str, frozenset[str]]
) -> None:
    named = list(WORDS.finditer(query))
    assert named
    for match in named:
        name, selector = match[1], match[2] or ""
        assert name in series
        for label, _, value in MATCHER.findall(selector):
            assert label in series[name] | EVERYWHERE
            if (name, label) in VALUES:
                assert set(value.split("|")) <= VALUES[name, label]
    grouped = {label.strip() for group in BY.findall(query) for label in group.split(",")}
    assert all(grouped <= series[match[1]] | EVERYWHERE for match in named)


@pytest.mark.parametrize("rule", [pytest.param(rule, id=rule["alert"]) for rule in rules()])
def test_rule__when_it_fires__says_what_is_wrong_and_has_a_runbook_line(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in ("critical", "warning")
    assert rule["annotations"]["summary"]
    assert rule["annotations"]["description"]
    assert rule["annotations"]["runbook_url"] == f"docs/alerts.md#{rule['alert'].lower()}"
    sections = RUNBOOK.read_text().split(f"\n### {rule['alert']}\n")
    assert len(sections) == 2
    assert len(sections[1].split("\n#")[0].strip()) > 40


def test_findings_rule__when_a_kind_needs_somebody__then_it_fires_and_for_no_other() -> None:
    (expr,) = (rule["expr"] for rule in rules() if rule["alert"] == "MintlineReconcileFindings")
    ((label, operator, quiet),) = MATCHER.findall(expr)

    assert (label, operator) == ("kind", "!~")
    assert set(quiet.split("|")) == {kind.value for kind in Kind if not kind.is_alarming}


def test_runbook__when_its_rule_is_gone__is_gone_too() -> None:
    headings = re.findall(r"^### (Mintline\w+)$", RUNBOOK.read_text(), re.MULTILINE)
    assert headings == [rule["alert"] for rule in rules()]


def test_manual__when_a_service_has_a_metric_of_ours__explains_it(series: dict[str, frozenset[str]]) -> None:
    explained = set(re.findall(r"`(mintline_[a-z_]+)", METRICS.read_text()))
    bases = {re.sub(r"_(bucket|sum|count)$", "", name) for name in series if name.startswith("mintline_")}
    assert bases == explained


def test_dashboard__when_it_is_laid_out__overlaps_no_panel_and_uses_its_data_source() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in json.loads(DASHBOARD.read_text())["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken
        assert at["x"] + at["w"] <= 24
        taken |= cells
    assert {panel["datasource"]["uid"] for panel in panels()} == {"${datasource}"}


def test_scrapes__when_the_line_has_its_default_ports__reach_every_service() -> None:
    jobs = yaml.safe_load(SCRAPES.read_text())["scrape_configs"]
    scraped = {job["job_name"]: job["static_configs"][0]["targets"] for job in jobs}
    ports = Ports()
    assert scraped == {
        f"mintline-{name}": [f"127.0.0.1:{getattr(ports, port)}"] for name, port in ADMIN_PORTS.items()
    }
