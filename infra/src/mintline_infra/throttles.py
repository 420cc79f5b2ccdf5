"""Who asks for fewer requests: AWS of the services, and API Gateway's stage of all callers together.

Both are counted in logs. CloudWatch's own metrics of DynamoDB's throttles are one for each table and index,
which no alarm can sum up by search, and count what the SDK's next attempt makes good. API Gateway has one
metric for all of 4xx.
"""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_logs as logs
from constructs import Construct

from mintline.aws.throttles import THROTTLES

THROTTLED = "throttled"
STAGE_REFUSED = "stage-refused"
METRICS = (THROTTLED, STAGE_REFUSED)
ENDINGS = (*sorted(THROTTLES), "unprocessed items", "unprocessed keys")
"""What follows the operation in a service's line once the SDK's attempts are used up."""
FIELDS = ("error", "reason")
"""Where a service's lines have it: those of messages and passes, and those of requests and rounds."""


def throttled(scope: Construct, namespace: str, groups: dict[str, logs.LogGroup]) -> cloudwatch.IMetric:
    """Count what services gave up for now because AWS asked for fewer requests; not what nodes ask for."""
    counted, *_ = [
        _counts(
            scope,
            f"counts-{THROTTLED}-{service}-{field}",
            log_group=group,
            filter_pattern=logs.FilterPattern.any(
                *(logs.FilterPattern.string_value(f"$.{field}", "=", f"*: {ending}") for ending in ENDINGS)
            ),
            metric_namespace=namespace,
            metric_name=THROTTLED,
        )
        for service, group in groups.items()
        for field in FIELDS
    ]
    return counted


def stage_refused(scope: Construct, namespace: str, access_log: logs.LogGroup) -> cloudwatch.IMetric:
    """Count the requests that the stage itself answered with 429; the api answers so for a user's limits."""
    return _counts(
        scope,
        f"counts-{STAGE_REFUSED}",
        log_group=access_log,
        filter_pattern=logs.FilterPattern.all(
            logs.FilterPattern.string_value("$.status", "=", "429"),
            logs.FilterPattern.string_value("$.integrationStatus", "!=", "429"),
        ),
        metric_namespace=namespace,
        metric_name=STAGE_REFUSED,
    )


def _counts(
    scope: Construct,
    name: str,
    *,
    log_group: logs.LogGroup,
    filter_pattern: logs.IFilterPattern,
    metric_namespace: str,
    metric_name: str,
) -> cloudwatch.IMetric:
    counting = logs.MetricFilter(
        scope,
        name,
        log_group=log_group,
        filter_pattern=filter_pattern,
        metric_namespace=metric_namespace,
        metric_name=metric_name,
        metric_value="1",
    )
    return counting.metric(period=cdk.Duration.minutes(5), statistic="Sum")
