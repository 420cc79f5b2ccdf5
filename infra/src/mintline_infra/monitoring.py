"""Alarms, notices and one dashboard. What to do about each of them: docs/aws-alarms.md."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_logs as logs
from constructs import Construct

from mintline.resources import KMS_KEYS, QUEUES
from mintline_infra import service_metrics, throttles
from mintline_infra.alarms import LOG_ALARMS, POLICY_ALARMS, VALUE_ALARMS, LogAlarm, ValueAlarm
from mintline_infra.canary import NAME as CANARY
from mintline_infra.canary import CanaryStack
from mintline_infra.services import ApiStack, Environment

MINUTE = cdk.Duration.minutes(1)
FIVE_MINUTES = cdk.Duration.minutes(5)
OLDEST = 300
"""Seconds that a message may wait before someone should know."""
TASKS = ("api", "builder", "broadcaster", "indexer", "notifier")


class MonitoringStack(cdk.Stack):
    """All alarms lead to one topic."""

    def __init__(
        self, scope: Construct, name: str, environment: Environment, *, api: ApiStack, canary: CanaryStack
    ) -> None:
        super().__init__(scope, name, env=environment.env, description="Mintline: alarms and the dashboard.")
        self._environment = environment
        self._prefix = environment.deployment.prefix
        self._action = actions.SnsAction(environment.platform.alarms)
        self._alarms: list[cloudwatch.IAlarm] = []
        for queue in QUEUES:
            self._queue_alarms(queue.name)
        self._log_groups = {**environment.platform.logs, CANARY: canary.log_group}
        policy_alarms = POLICY_ALARMS if environment.deployment.signing_policy else ()
        for alarm in (*LOG_ALARMS, *policy_alarms):
            self._log_alarm(alarm)
        for value_alarm in VALUE_ALARMS:
            self._value_alarm(value_alarm)
        self._edge_alarms(api)
        self._throttle_alarms(api)
        self._capacity_alarms()
        self._notices()
        if not environment.deployment.small:
            self._dashboard(api)

    def _queue_alarms(self, name: str) -> None:
        data = self._environment.data
        ((queue, sqs_queue),) = (
            (queue, sqs_queue) for queue, sqs_queue in data.queues.items() if queue.name == name
        )
        self._alarm(
            f"{name}-dead-letters",
            data.dead_letters[queue].metric_approximate_number_of_messages_visible(
                period=MINUTE, statistic="Maximum"
            ),
            threshold=1,
            text=f"Messages of {name} were dead-lettered.",
        )
        self._alarm(
            f"{name}-oldest-message",
            sqs_queue.metric_approximate_age_of_oldest_message(period=MINUTE, statistic="Maximum"),
            threshold=OLDEST,
            periods=3,
            text=f"A message of {name} has waited for more than {OLDEST} seconds.",
        )

    def _log_alarm(self, alarm: LogAlarm) -> None:
        counted, *_ = [
            logs.MetricFilter(
                self,
                f"counts-{alarm.name}" if service == alarm.service else f"counts-{alarm.name}-{service}",
                log_group=self._log_groups[service],
                filter_pattern=logs.FilterPattern.string_value("$.event", "=", alarm.event),
                metric_namespace=f"Mintline/{self._prefix}",
                metric_name=alarm.metric,
                metric_value="1",
            )
            for service in alarm.services
        ]
        less = cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD
        more = cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD
        missing = cloudwatch.TreatMissingData
        self._alarm(
            alarm.name,
            counted.metric(period=FIVE_MINUTES, statistic="Sum"),
            threshold=alarm.threshold,
            periods=alarm.periods,
            text=alarm.text,
            comparison=less if alarm.below else more,
            missing=missing.BREACHING if alarm.below else missing.NOT_BREACHING,
        )

    def _value_alarm(self, alarm: ValueAlarm) -> None:
        counted = logs.MetricFilter(
            self,
            f"measures-{alarm.name}",
            log_group=self._environment.platform.logs[alarm.service],
            filter_pattern=logs.FilterPattern.string_value("$.event", "=", alarm.event),
            metric_namespace=f"Mintline/{self._prefix}",
            metric_name=f"{alarm.service}-{alarm.field}",
            metric_value=f"$.{alarm.field}",
        )
        less = cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD
        more = cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD
        missing = cloudwatch.TreatMissingData
        greatest = alarm.now_and_then or alarm.while_wrong
        if alarm.below or alarm.now_and_then:
            unknown = missing.IGNORE
        else:
            unknown = missing.NOT_BREACHING if alarm.while_wrong else missing.BREACHING
        self._alarm(
            alarm.name,
            counted.metric(period=FIVE_MINUTES, statistic="Maximum" if greatest else "Minimum"),
            threshold=alarm.threshold,
            text=alarm.text,
            comparison=less if alarm.below else more,
            missing=unknown,
        )

    def _edge_alarms(self, api: ApiStack) -> None:
        self._alarm(
            "api-errors",
            api.http_api.metric_server_error(period=FIVE_MINUTES, statistic="Sum"),
            threshold=10,
            text="The API answers with server errors.",
        )
        if api.targets is None:
            return
        self._alarm(
            "api-unhealthy",
            api.targets.metrics.unhealthy_host_count(period=MINUTE, statistic="Maximum"),
            threshold=1,
            periods=5,
            text="A task of the api fails its health check.",
            # CloudFormation replaces no target group that another stack imports.
            scope=api,
        )

    def _throttle_alarms(self, api: ApiStack) -> None:
        namespace, groups = f"Mintline/{self._prefix}", self._environment.platform.logs
        self._alarm(
            "aws-throttles",
            throttles.throttled(self, namespace, groups),
            threshold=10,
            text="AWS asks the services for fewer requests, and the SDK's further attempts did not help.",
        )
        self._alarm(
            "stage-throttles",
            throttles.stage_refused(self, namespace, api.access_log),
            threshold=100,
            text="API Gateway refuses requests with 429: all callers together send too many.",
        )

    def _capacity_alarms(self) -> None:
        for service in TASKS:
            self._alarm(
                f"{service}-not-running",
                self._running(service),
                threshold=1,
                periods=3,
                text=f"No task of the {service} runs.",
                comparison=cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD,
                missing=cloudwatch.TreatMissingData.BREACHING,
            )
        self._alarm(
            "signer-not-running",
            self._signers(),
            threshold=1,
            periods=3,
            text="No instance of the signer is in service.",
            comparison=cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD,
            missing=cloudwatch.TreatMissingData.BREACHING,
        )

    def _running(self, service: str) -> cloudwatch.Metric:
        """Return how many tasks run; without Container Insights, how many report their use of CPU.

        Source: Amazon ECS developer guide, "Service RUNNING task count".
        """
        if self._environment.deployment.small:
            return cloudwatch.Metric(
                namespace="AWS/ECS",
                metric_name="CPUUtilization",
                dimensions_map={"ClusterName": self._prefix, "ServiceName": service},
                period=MINUTE,
                statistic="SampleCount",
            )
        return cloudwatch.Metric(
            namespace="ECS/ContainerInsights",
            metric_name="RunningTaskCount",
            dimensions_map={"ClusterName": self._prefix, "ServiceName": service},
            period=MINUTE,
            statistic="Minimum",
        )

    def _signers(self) -> cloudwatch.Metric:
        return cloudwatch.Metric(
            namespace="AWS/AutoScaling",
            metric_name="GroupInServiceInstances",
            dimensions_map={"AutoScalingGroupName": f"{self._prefix}-signer"},
            period=MINUTE,
            statistic="Minimum",
        )

    def _alarm(
        self,
        name: str,
        metric: cloudwatch.IMetric,
        *,
        threshold: float,
        text: str,
        periods: int = 1,
        comparison: cloudwatch.ComparisonOperator = (
            cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD
        ),
        missing: cloudwatch.TreatMissingData = cloudwatch.TreatMissingData.NOT_BREACHING,
        scope: cdk.Stack | None = None,
    ) -> None:
        """Make an alarm, in another stack than this one if `scope` is it."""
        alarm_name = f"{self._prefix}-{name}"
        alarm = cloudwatch.Alarm(
            scope or self,
            name,
            alarm_name=alarm_name,
            alarm_description=f"{text} Runbook: docs/aws-alarms.md, {name}.",
            metric=metric,
            threshold=threshold,
            evaluation_periods=periods,
            datapoints_to_alarm=periods,
            comparison_operator=comparison,
            treat_missing_data=missing,
        )
        alarm.add_alarm_action(self._action)
        alarm.add_ok_action(self._action)
        self._alarms.append(
            cloudwatch.Alarm.from_alarm_name(self, f"{name}-elsewhere", alarm_name) if scope else alarm
        )

    def _notices(self) -> None:
        """Tell of what was done to the keys in KMS, the queues and the trail, as CloudTrail records it."""
        data = self._environment.data
        wallet_keys = [key.key_arn for key in data.wallet_keys]
        others = [key.key_arn for key in (data.intake_key, data.webhook_key, data.storage_key)]
        self._notices_of_use(wallet_keys, [*wallet_keys, *others])
        self._notices_of_keys([*wallet_keys, *others])
        self._notice(
            "queue-policy-changed",
            "A queue's attributes were changed, its policy perhaps, or it was deleted.",
            {
                "eventName": ["SetQueueAttributes", "AddPermission", "RemovePermission", "DeleteQueue"],
                "requestParameters": {
                    "queueUrl": [{"wildcard": f"*/{self._environment.deployment.account}/{self._prefix}-*"}]
                },
            },
            service="sqs",
        )
        self._notice(
            "trail-stopped",
            "A trail of CloudTrail was stopped, deleted or changed: notices may not come any more.",
            {"eventName": ["StopLogging", "DeleteTrail", "UpdateTrail", "PutEventSelectors"]},
            service="cloudtrail",
        )
        self._notice_of_deployments()

    def _notices_of_use(self, wallet_keys: list[str], every_key: list[str]) -> None:
        """Tell of requests that KMS refused, the canary's apart, and of answers that it must never give."""
        deployment = self._environment.deployment
        canary = deployment.role_name(CANARY)
        session = f"{deployment.arns}:sts::{deployment.account}:assumed-role/{canary}/"
        self._notice(
            "kms-denied",
            "KMS refused a request for one of the deployment's keys, not the canary's.",
            {
                "errorCode": [{"prefix": "AccessDenied"}],
                "resources": {"ARN": every_key},
                # Of another account's callers CloudTrail may know no ARN.
                "$or": [
                    {"userIdentity": {"arn": [{"anything-but": {"prefix": session}}]}},
                    {"userIdentity": {"arn": [{"exists": False}]}},
                ],
            },
        )
        self._notice(
            "decrypt-unattested",
            "KMS unwrapped a key for a caller that did not attest.",
            {
                "eventName": ["Decrypt"],
                "errorCode": [{"exists": False}],
                "resources": {"ARN": wallet_keys},
                "additionalEventData": {
                    "recipient": {"attestationDocumentEnclaveImageDigest": [{"exists": False}]}
                },
            },
        )

    def _notices_of_keys(self, every_key: list[str]) -> None:
        """Tell of changes to the keys themselves, their policies and their names."""
        self._notice(
            "key-policy-changed",
            "The policy of one of the deployment's KMS keys, or the key itself, was changed.",
            {
                "eventName": [
                    "PutKeyPolicy",
                    "CreateGrant",
                    "DisableKey",
                    "EnableKey",
                    "ScheduleKeyDeletion",
                    "CancelKeyDeletion",
                ],
                "resources": {"ARN": every_key},
            },
        )
        self._notice(
            "key-alias-changed",
            "The alias of one of the deployment's KMS keys was moved, deleted or made.",
            {
                "eventName": ["UpdateAlias", "DeleteAlias", "CreateAlias"],
                "requestParameters": {"aliasName": [key.alias(self._prefix) for key in KMS_KEYS]},
            },
        )

    def _notice(self, name: str, text: str, detail: dict[str, object], *, service: str = "kms") -> None:
        rule = events.Rule(
            self,
            name,
            rule_name=f"{self._prefix}-{name}",
            description=f"{text} Runbook: docs/aws-alarms.md, {name}.",
            event_pattern=events.EventPattern(
                source=[f"aws.{service}"],
                detail_type=["AWS API Call via CloudTrail"],
                detail={"eventSource": [f"{service}.amazonaws.com"], **detail},
            ),
            targets=[targets.SnsTopic(self._environment.platform.alarms)],
        )
        resource = rule.node.default_child
        assert isinstance(resource, events.CfnRule)
        # Decrypt reads: rules see reading calls only when they ask for them.
        resource.state = "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS"

    def _notice_of_deployments(self) -> None:
        """Tell of deployments that ECS gave up. Only the service's ARN tells the cluster."""
        deployment = self._environment.deployment
        services = f"{deployment.arns}:ecs:{deployment.region}:{deployment.account}:service/{self._prefix}/"
        events.Rule(
            self,
            "deployment-failed",
            rule_name=f"{self._prefix}-deployment-failed",
            description="ECS gave a service's deployment up. Runbook: docs/aws-alarms.md, deployment-failed.",
            event_pattern=events.EventPattern(
                source=["aws.ecs"],
                detail_type=["ECS Deployment State Change"],
                resources=events.Match.prefix(services),
                detail={"eventName": ["SERVICE_DEPLOYMENT_FAILED"]},
            ),
            targets=[targets.SnsTopic(self._environment.platform.alarms)],
        )

    def _dashboard(self, api: ApiStack) -> None:
        data = self._environment.data
        depth = [q.metric_approximate_number_of_messages_visible(period=MINUTE) for q in data.queues.values()]
        age = [q.metric_approximate_age_of_oldest_message(period=MINUTE) for q in data.queues.values()]
        dead = [
            q.metric_approximate_number_of_messages_visible(period=MINUTE) for q in data.dead_letters.values()
        ]
        cloudwatch.Dashboard(
            self,
            "dashboard",
            dashboard_name=self._prefix,
            widgets=[
                [cloudwatch.AlarmStatusWidget(title="Alarms", alarms=self._alarms, width=24, height=4)],
                [
                    cloudwatch.GraphWidget(title="Waiting", left=depth),
                    cloudwatch.GraphWidget(title="Oldest message, seconds", left=age),
                    cloudwatch.GraphWidget(title="Dead letters", left=dead),
                ],
                [
                    cloudwatch.GraphWidget(title="Requests", left=[api.http_api.metric_count(period=MINUTE)]),
                    cloudwatch.GraphWidget(
                        title="Latency, ms",
                        left=[
                            api.http_api.metric_latency(period=MINUTE, statistic=statistic)
                            for statistic in ("p50", "p99")
                        ],
                    ),
                    cloudwatch.GraphWidget(
                        title="Running", left=[*(self._running(name) for name in TASKS), self._signers()]
                    ),
                ],
                *service_metrics.widgets(f"Mintline/{self._prefix}"),
            ],
        )
