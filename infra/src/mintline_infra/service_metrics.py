"""What the services' own metrics show on the dashboard: each panel as on the dashboard for Grafana.

The metrics are lines of the services' logs, which CloudWatch reads (`mintline.emf`).
"""

from __future__ import annotations

from aws_cdk import aws_cloudwatch as cloudwatch

from mintline.emf import EVERY, PUBLISHED, Published
from mintline_infra.deployment import Deployment

IN_A_ROW = 3
WIDTH = 8


def namespace(deployment: Deployment) -> str | None:
    """Return the namespace of the services' metrics; None in a small deployment, which does without them."""
    return None if deployment.small else f"Mintline/{deployment.prefix}"


def settings(deployment: Deployment) -> dict[str, str]:
    """Return what has the services write their metrics to the log."""
    named = namespace(deployment)
    return {} if named is None else {"MINTLINE_METRICS_NAMESPACE": named}


def widgets(named: str) -> list[list[cloudwatch.IWidget]]:
    """Return the rows of the dashboard, of the metrics in a namespace."""
    panels: dict[str, list[Published]] = {}
    for each in PUBLISHED:
        panels.setdefault(each.panel, []).append(each)
    metric_widgets: list[cloudwatch.IWidget] = [
        cloudwatch.GraphWidget(
            title=_title(title, shown), width=WIDTH, left=[_found(each, named) for each in shown]
        )
        for title, shown in panels.items()
    ]
    return [metric_widgets[i : i + IN_A_ROW] for i in range(0, len(metric_widgets), IN_A_ROW)]


def _title(title: str, shown: list[Published]) -> str:
    """Return a panel's title with what it shows here, where CloudWatch counts by the minute."""
    subject = title.partition(",")[0].removesuffix(" per second").removesuffix(" per minute")
    return f"{subject} ({shown[0].statistic} a minute)"


def _found(each: Published, named: str) -> cloudwatch.MathExpression:
    """Return every series of a metric, whatever values its label has."""
    dimensions = "service" if each.label is None else f"service,{each.label}"
    search = f'{{{named},{dimensions}}} MetricName="{each.name}"'
    return cloudwatch.MathExpression(
        expression=f"SEARCH('{search}', '{each.statistic}', {EVERY:.0f})",
        using_metrics={},
        label="",
    )
