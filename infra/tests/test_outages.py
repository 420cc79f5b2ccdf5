"""Logs of outages, replayed through the metric filters, statistics and thresholds of the stack."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import pytest
from mintline_signer.host.outage import Outage

from synthesis import Templates, properties

PREFIX = "acme-mintline-"


def alarm(templates: Templates, name: str) -> dict[str, Any]:
    (matching,) = (
        each
        for each in properties(templates["watch"], "AWS::CloudWatch::Alarm")
        if each["AlarmName"] == PREFIX + name
    )
    return matching


def measured(
    templates: Templates, metric: str, lines: Iterable[tuple[float, dict[str, Any]]]
) -> dict[int, list[float]]:
    """Return the numbers that a metric's filter takes from lines, each with its second, in five minutes."""
    ((pattern, selector),) = {
        (each["FilterPattern"], each["MetricTransformations"][0]["MetricValue"])
        for each in properties(templates["watch"], "AWS::Logs::MetricFilter")
        if each["MetricTransformations"][0]["MetricName"] == metric
    }
    by_period: dict[int, list[float]] = {}
    for second, line in lines:
        if pattern == f"{{ $.event = {json.dumps(line['event'])} }}":
            by_period.setdefault(int(second) // 300, []).append(line[selector.removeprefix("$.")])
    return by_period


def outage(begins: int, seconds: int) -> list[tuple[float, dict[str, Any]]]:
    """Return what a host logs while its enclave is away: it tries again every two seconds."""
    now = float(begins)
    reports = Outage(clock=lambda: now)
    lines: list[tuple[float, dict[str, Any]]] = [(begins, {"event": "enclave_connection_lost"})]
    while now < begins + seconds:
        if (lasted := reports.goes_on()) is not None:
            lines.append((now, {"event": "enclave_unreachable", "seconds": round(lasted)}))
        now += 2
    return lines


@pytest.mark.parametrize(
    ("lines", "fires"),
    [
        ([], False),
        (outage(10, 100), True),
        (outage(250, 400), True),
        (outage(10, 20), False),
        # Both instances are rolled, each away for half a minute, or for most of one.
        ([*outage(10, 28), *outage(80, 28)], False),
        ([*outage(10, 55), *outage(80, 55)], False),
        ([*outage(10, 55), *outage(80, 90)], True),
    ],
    ids=["none", "100 seconds", "across two periods", "20 seconds", "a roll", "a slow roll", "a failed roll"],
)
def test_enclave_unreachable__when_a_host_logs_an_outage__then_it_fires_after_a_minute_and_not_for_a_roll(
    templates: Templates,
    lines: list[tuple[float, dict[str, Any]]],
    fires: bool,  # noqa: FBT001 - the table's last column
) -> None:
    outage_alarm = alarm(templates, "enclave-unreachable")

    numbers = measured(templates, outage_alarm["MetricName"], lines)

    assert outage_alarm["ComparisonOperator"] == "GreaterThanOrEqualToThreshold"
    assert (outage_alarm["Statistic"], outage_alarm["Period"], outage_alarm["EvaluationPeriods"]) == (
        "Maximum",
        300,
        1,
    )
    assert outage_alarm["TreatMissingData"] == "notBreaching"
    assert any(max(each) >= outage_alarm["Threshold"] for each in numbers.values()) is fires


def test_signer_not_running__when_no_instance_is_in_service_or_nothing_is_measured__then_it_fires(
    templates: Templates,
) -> None:
    """The group measures itself only once it is told to."""
    signer_alarm = alarm(templates, "signer-not-running")
    (group,) = properties(templates["signer"], "AWS::AutoScaling::AutoScalingGroup")

    assert signer_alarm["Dimensions"] == [
        {"Name": "AutoScalingGroupName", "Value": group["AutoScalingGroupName"]}
    ]
    assert (signer_alarm["Namespace"], signer_alarm["MetricName"]) == (
        "AWS/AutoScaling",
        "GroupInServiceInstances",
    )
    assert group["MetricsCollection"] == [{"Granularity": "1Minute"}]
    assert (signer_alarm["Statistic"], signer_alarm["Threshold"]) == ("Minimum", 1)
    assert signer_alarm["ComparisonOperator"] == "LessThanThreshold"
    assert signer_alarm["TreatMissingData"] == "breaching"
    assert signer_alarm["Period"] * signer_alarm["EvaluationPeriods"] == 180
