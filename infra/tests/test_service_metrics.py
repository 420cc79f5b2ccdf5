"""The services' own metrics on AWS: the tasks write them, and the dashboard finds each."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from mintline.emf import PUBLISHED
from mintline_infra.costs import SMALL, STANDARD, monthly
from policies import text
from synthesis import Templates, properties, small, synthesized

TASKS = ("api", "builder", "broadcaster", "indexer", "notifier", "reconciler")
VARIABLE = "MINTLINE_METRICS_NAMESPACE"
NAMESPACE = "Mintline/acme-mintline"


def namespaces(templates: Templates) -> dict[str, str | None]:
    """Return the namespace that each stack's tasks get."""
    by_stack: dict[str, str | None] = {}
    for stack in TASKS:
        (task,) = properties(templates[stack], "AWS::ECS::TaskDefinition")
        (container,) = task["ContainerDefinitions"]
        named = {variable["Name"]: variable["Value"] for variable in container["Environment"]}
        by_stack[stack] = named.get(VARIABLE)
    return by_stack


def searched(templates: Templates) -> list[str]:
    """Return the searches for metrics on the dashboard."""
    (dashboard,) = properties(templates["watch"], "AWS::CloudWatch::Dashboard")
    body: dict[str, Any] = json.loads(parts(dashboard["DashboardBody"]))
    return [
        metric[0]["expression"]
        for widget in body["widgets"]
        for metric in widget["properties"].get("metrics", ())
        if isinstance(metric[0], dict) and "SEARCH" in metric[0].get("expression", "")
    ]


def parts(value: Any) -> str:
    """Return a joined value, with a name in place of what only AWS knows."""
    return (
        text(value)
        if isinstance(value, str)
        else "".join(part if isinstance(part, str) else "x" for part in value["Fn::Join"][1])
    )


def test_tasks__when_the_deployment_is_standard__then_they_write_their_metrics_for_cloudwatch(
    templates: Templates,
) -> None:
    assert namespaces(templates) == dict.fromkeys(TASKS, NAMESPACE)
    assert f"{VARIABLE}={NAMESPACE}" in json.dumps(templates["signer"])


def test_dashboard__when_a_metric_is_published__then_it_is_searched_for_by_its_own_dimensions(
    templates: Templates,
) -> None:
    searches = searched(templates)

    assert len(searches) == len(PUBLISHED)
    for each in PUBLISHED:
        dimensions = "service" if each.label is None else f"service,{each.label}"
        wanted = f"SEARCH('{{{NAMESPACE},{dimensions}}} MetricName=\"{each.name}\"', '{each.statistic}', 60)"
        assert wanted in searches


def test_small__when_it_has_no_dashboard__then_no_metric_is_written_or_paid(tmp_path: Path) -> None:
    templates = synthesized(small(), tmp_path)

    assert namespaces(templates) == dict.fromkeys(TASKS)
    assert VARIABLE not in json.dumps(templates["signer"])
    row = "Logs, alarms, metrics"
    # 40 series of the services' own, and what they take in the logs.
    assert monthly(0, shape=STANDARD)[row] - monthly(0, shape=SMALL)[row] > 40 * 0.30
