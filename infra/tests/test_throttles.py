"""Lines of throttled services and of API Gateway, replayed through metric filters and thresholds."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

import pytest
from botocore.exceptions import ClientError

from mintline.aws.errors import map_error
from mintline.aws.throttles import THROTTLES
from mintline.errors import Throttled
from synthesis import ROOT, Templates, properties, small, synthesized

PREFIX = "acme-mintline-"
SERVICES = {"api", "builder", "signer", "broadcaster", "indexer", "notifier", "reconciler"}
Line = Mapping[str, str]


@pytest.fixture(scope="module", params=["standard", "small"])
def either(
    request: pytest.FixtureRequest, templates: Templates, tmp_path_factory: pytest.TempPathFactory
) -> Templates:
    """Templates of a deployment of each size."""
    if request.param == "standard":
        return templates
    return synthesized(small(), tmp_path_factory.mktemp("small"))


def alarm(templates: Templates, name: str) -> dict[str, Any]:
    (matching,) = (
        each
        for each in properties(templates["watch"], "AWS::CloudWatch::Alarm")
        if each["AlarmName"] == PREFIX + name
    )
    return matching


def filters(templates: Templates, metric: str) -> list[dict[str, Any]]:
    return [
        each
        for each in properties(templates["watch"], "AWS::Logs::MetricFilter")
        if each["MetricTransformations"][0]["MetricName"] == metric
    ]


def matches(pattern: str, line: Line) -> bool:
    """Tell whether a pattern of `||` or `&&` over comparisons of text takes a line, as CloudWatch does."""
    terms = re.findall(r'\(\$\.(\w+) (=|!=) "([^"]*)"\)', pattern)
    taken = [
        field in line
        and (operator == "=") is bool(re.fullmatch(re.escape(value).replace(r"\*", ".*"), line[field]))
        for field, operator, value in terms
    ]
    joined = re.sub(r'\(\$\.\w+ !?= "[^"]*"\)', "", pattern).split()
    assert len(taken) > 1
    assert set(joined) in ({"{", "}", "||"}, {"{", "}", "&&"})
    return all(taken) if "&&" in joined else any(taken)


def counted(templates: Templates, name: str, service: str, lines: list[tuple[int, Line]]) -> Counter[int]:
    """Return how many of the lines, each with its second, the metric of an alarm counts, by its periods."""
    watching = alarm(templates, name)
    patterns = [
        each["FilterPattern"]
        for each in filters(templates, watching["MetricName"])
        if f"logs{service}" in str(each["LogGroupName"]) or service == "access"
    ]
    assert patterns
    counts: Counter[int] = Counter()
    for second, line in lines:
        counts[second // watching["Period"]] += sum(matches(pattern, line) for pattern in patterns)
    return counts


def fires(templates: Templates, name: str, counts: Counter[int]) -> bool:
    watching = alarm(templates, name)
    assert (watching["Statistic"], watching["EvaluationPeriods"]) == ("Sum", 1)
    assert watching["ComparisonOperator"] == "GreaterThanOrEqualToThreshold"
    assert watching["TreatMissingData"] == "notBreaching"
    return any(count >= watching["Threshold"] for count in counts.values())


def throttle(code: str = "ProvisionedThroughputExceededException") -> Throttled:
    """Return what the library raises once DynamoDB's client has used up its attempts."""
    response: Any = {"Error": {"Code": code, "Message": "slow"}, "ResponseMetadata": {"HTTPStatusCode": 400}}
    error = map_error(ClientError(response, "PutItem"))
    assert isinstance(error, Throttled)
    return error


def lines_of(error: Throttled) -> dict[str, Line]:
    """Return the lines that services write of an error, by a service that does."""
    return {
        "api": {"event": "dependency_unavailable", "reason": f"{type(error).__name__}: {error}"},
        "builder": {"event": "message_refused", "error": str(error)},
        "indexer": {"event": "round_failed", "error": type(error).__name__, "reason": str(error)},
    }


@pytest.mark.parametrize("code", sorted(THROTTLES))
def test_aws_throttles__when_aws_throttles_by_any_of_its_codes__then_each_services_line_is_counted_once(
    templates: Templates, code: str
) -> None:
    for service, line in lines_of(throttle(code)).items():
        assert counted(templates, "aws-throttles", service, [(0, line)]).total() == 1


def test_aws_throttles__when_what_a_batch_left_undone_is_told__then_it_is_counted(
    templates: Templates,
) -> None:
    texts = [
        text
        for path in (ROOT / "shared/src/mintline/aws").glob("*.py")
        for text in re.findall(r'Throttled\("([^"]*)"\)', path.read_text())
    ]

    assert len(texts) >= 2
    for text in texts:
        line = {"event": "message_refused", "error": text}
        assert counted(templates, "aws-throttles", "builder", [(0, line)]).total() == 1


@pytest.mark.parametrize(
    "line",
    [
        {"event": "round_failed", "error": "Throttled", "reason": "node.example asks for fewer requests"},
        {"event": "dependency_unavailable", "reason": "Throttled: node.example asks for fewer requests"},
        {"event": "message_refused", "error": "PutItem: InternalServerError"},
        {"event": "message_refused", "error": "the transaction kept meeting other writers"},
        {"event": "message_done"},
    ],
    ids=["a node, round", "a node, request", "an outage", "contention", "nothing"],
)
def test_aws_throttles__when_something_else_is_logged__then_it_is_not_counted(
    templates: Templates, line: Line
) -> None:
    for service in ("api", "builder", "indexer"):
        assert counted(templates, "aws-throttles", service, [(0, line)]).total() == 0


def test_aws_throttles__when_any_service_is_throttled__then_one_alarm_counts_it(either: Templates) -> None:
    groups = Counter(
        service
        for each in filters(either, "throttled")
        for service in SERVICES
        if f"logs{service}" in str(each["LogGroupName"])
    )

    # A filter for each of two fields.
    assert groups == dict.fromkeys(SERVICES, 2)
    # CloudWatch's limit of a pattern.
    assert max(len(each["FilterPattern"]) for each in filters(either, "throttled")) <= 1024


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (range(9), False),
        (range(0, 900, 60), False),
        (range(10), True),
        (range(0, 300, 30), True),
    ],
    ids=["a few at once", "one a minute", "ten at once", "one in 30 seconds"],
)
def test_aws_throttles__when_work_fails_by_it__then_ten_times_in_five_minutes_fire(
    either: Templates,
    seconds: range,
    expected: bool,  # noqa: FBT001 - the table's last column
) -> None:
    line = lines_of(throttle())["builder"]
    counts = counted(either, "aws-throttles", "builder", [(second, line) for second in seconds])

    assert fires(either, "aws-throttles", counts) is expected


REFUSED = {"status": "429", "integrationStatus": "-"}
"""As API Gateway writes it: a variable without a value is a dash."""
OF_THE_API = {"status": "429", "integrationStatus": "429"}
SERVED = {"status": "202", "integrationStatus": "202"}


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([(second, SERVED) for second in range(300)], False),
        ([(second, OF_THE_API) for second in range(300)], False),
        ([(1, REFUSED)] * 99, False),
        ([(1, REFUSED)] * 100, True),
        ([(second, REFUSED) for second in range(0, 300, 3)], True),
    ],
    ids=["served", "a user's own limit", "a short burst", "a burst", "all the time"],
)
def test_stage_throttles__when_the_stage_itself_refuses_a_hundred_in_five_minutes__then_it_fires(
    either: Templates,
    lines: list[tuple[int, Line]],
    expected: bool,  # noqa: FBT001 - the table's last column
) -> None:
    counts = counted(either, "stage-throttles", "access", lines)

    assert fires(either, "stage-throttles", counts) is expected


def test_stage_throttles__when_the_stage_logs_a_request__then_its_line_has_what_the_filter_reads(
    either: Templates,
) -> None:
    (stage,) = properties(either["api"], "AWS::ApiGatewayV2::Stage")
    ((group, _),) = (
        (name, each)
        for name, each in either["api"]["Resources"].items()
        if each["Type"] == "AWS::Logs::LogGroup"
    )
    (measured,) = filters(either, "stage-refused")

    for field in REFUSED:
        assert f'"{field}": "$context.{field}"' in stage["AccessLogSettings"]["Format"]
    assert stage["AccessLogSettings"]["DestinationArn"] == {"Fn::GetAtt": [group, "Arn"]}
    assert group in str(measured["LogGroupName"])


def test_deployment_notice__when_ecs_gives_a_deployment_up__then_the_topic_is_told_of_our_services_alone(
    either: Templates,
) -> None:
    (rule,) = (
        each
        for each in properties(either["watch"], "AWS::Events::Rule")
        if each["Name"] == f"{PREFIX}deployment-failed"
    )
    (unattested,) = (
        each
        for each in properties(either["watch"], "AWS::Events::Rule")
        if each["Name"] == f"{PREFIX}decrypt-unattested"
    )

    assert rule["EventPattern"] == {
        "source": ["aws.ecs"],
        "detail-type": ["ECS Deployment State Change"],
        "resources": [{"prefix": "arn:aws:ecs:us-east-1:111122223333:service/acme-mintline/"}],
        "detail": {"eventName": ["SERVICE_DEPLOYMENT_FAILED"]},
    }
    assert rule["State"] == "ENABLED"
    # The topic's and its key's policies let EventBridge tell of the others.
    assert [each["Arn"] for each in rule["Targets"]] == [each["Arn"] for each in unattested["Targets"]]


def test_deployment_notice__when_a_service_is_declared__then_ecs_watches_its_deployments(
    either: Templates,
) -> None:
    """Without the circuit breaker there would be no event."""
    for service in SERVICES - {"signer", "reconciler"}:
        (declared,) = properties(either[service], "AWS::ECS::Service")
        breaker = declared["DeploymentConfiguration"]["DeploymentCircuitBreaker"]
        assert breaker == {"Enable": True, "Rollback": True}
        assert declared["ServiceName"] == service
    (cluster,) = properties(either["platform"], "AWS::ECS::Cluster")
    assert cluster["ClusterName"] == "acme-mintline"
