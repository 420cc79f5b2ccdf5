"""One service on Fargate: its task, its settings, its deployment, and how it scales."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import aws_cdk as cdk
from aws_cdk import aws_applicationautoscaling as scaling
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_iam as iam
from constructs import Construct

from mintline_infra import service_metrics
from mintline_infra.deployment import Deployment
from mintline_infra.nag import acknowledge_finding
from mintline_infra.platform import PlatformStack

ADMIN_PORT = 9100
SMALLEST = (256, 512)
"""CPU and memory of Fargate's smallest task, which every service of a small deployment has."""
GRACE = cdk.Duration.seconds(30)
"""Between SIGTERM and SIGKILL: a consumer finishes what it has in hand in 25 seconds."""
HEALTHY = (
    "import urllib.request; "
    f"urllib.request.urlopen('http://127.0.0.1:{ADMIN_PORT}/healthz', timeout=2).read()"
)


@dataclass(frozen=True, slots=True)
class Task:
    """What one service's tasks are; CPU in 1/1024 of a vCPU, memory in MiB."""

    service: str
    cpu: int
    memory: int
    settings: Mapping[str, str]
    image: str | None = None
    """The service whose image it is, if that is another's."""
    entry_point: tuple[str, ...] = ()
    """What to run instead of the image's own."""
    secrets: Mapping[str, ecs.Secret] = field(default_factory=dict)
    port: int | None = None
    scales: bool = False
    """Whether scaling decides how many run, which a deployment must not set back."""
    found_by: ecs.CloudMapOptions | None = None
    """Where its tasks are registered, if they are found by that."""
    spot: int = 0
    """Weight of Spot capacity against one of on-demand, beyond the first task."""


def common_settings(deployment: Deployment) -> dict[str, str]:
    """Return what every networked service reads."""
    return {
        "MINTLINE_AWS_REGION": deployment.region,
        "MINTLINE_RESOURCE_PREFIX": deployment.prefix,
        "MINTLINE_ADMIN_HOST": "0.0.0.0",  # noqa: S104 - the security groups let nobody in
        "MINTLINE_ADMIN_PORT": str(ADMIN_PORT),
        **service_metrics.settings(deployment),
    }


def service(
    scope: Construct, deployment: Deployment, platform: PlatformStack, task: Task
) -> ecs.FargateService:
    """Declare a service that replaces itself safely: a deployment that does not come up is rolled back."""
    task_definition = definition(scope, deployment, platform, task)
    return ecs.FargateService(
        scope,
        "service",
        service_name=task.service,
        cluster=platform.cluster,
        task_definition=task_definition,
        desired_count=_desired(deployment, task),
        min_healthy_percent=50,
        max_healthy_percent=200,
        circuit_breaker=ecs.DeploymentCircuitBreaker(enable=True, rollback=True),
        capacity_provider_strategies=_capacity(task),
        cloud_map_options=task.found_by,
        vpc_subnets=platform.task_subnets,
        assign_public_ip=platform.public_tasks,
        propagate_tags=ecs.PropagatedTagSource.SERVICE,
    )


def _desired(deployment: Deployment, task: Task) -> int | None:
    """Return how many tasks run: of a small deployment one, and as many as it has zones of the api."""
    if deployment.small:
        return deployment.copies if task.port is not None else 1
    return None if task.scales else 2


def _capacity(task: Task) -> list[ecs.CapacityProviderStrategy]:
    on_demand = ecs.CapacityProviderStrategy(capacity_provider="FARGATE", base=1, weight=1)
    if not task.spot:
        return [on_demand]
    return [on_demand, ecs.CapacityProviderStrategy(capacity_provider="FARGATE_SPOT", weight=task.spot)]


def definition(
    scope: Construct, deployment: Deployment, platform: PlatformStack, task: Task
) -> ecs.FargateTaskDefinition:
    """Declare a task: one container, with the service's own role, logs and settings."""
    task_definition = ecs.FargateTaskDefinition(
        scope,
        "task",
        family=f"{deployment.prefix}-{task.service}",
        cpu=SMALLEST[0] if deployment.small else task.cpu,
        memory_limit_mib=SMALLEST[1] if deployment.small else task.memory,
        runtime_platform=ecs.RuntimePlatform(
            cpu_architecture=ecs.CpuArchitecture.ARM64,
            operating_system_family=ecs.OperatingSystemFamily.LINUX,
        ),
        task_role=iam.Role.from_role_arn(scope, "role", deployment.role_arn(task.service), mutable=False),
    )
    task_definition.add_container(
        task.service,
        image=ecs.ContainerImage.from_ecr_repository(
            platform.repositories[task.image or task.service],
            deployment.image_version(task.image or task.service),
        ),
        entry_point=list(task.entry_point) or None,
        environment={**common_settings(deployment), **task.settings},
        secrets=dict(task.secrets),
        logging=ecs.LogDrivers.aws_logs(
            stream_prefix=task.service,
            log_group=platform.logs[task.service],
            mode=ecs.AwsLogDriverMode.NON_BLOCKING,
        ),
        health_check=ecs.HealthCheck(
            command=["CMD", "python", "-c", HEALTHY],
            interval=cdk.Duration.seconds(10),
            timeout=cdk.Duration.seconds(5),
            start_period=cdk.Duration.seconds(30),
        ),
        port_mappings=[] if task.port is None else [ecs.PortMapping(container_port=task.port)],
        readonly_root_filesystem=True,
        stop_timeout=GRACE,
    )
    acknowledge_finding(
        task_definition,
        "ECS2",
        "Settings that are no secret are plain variables; the secrets come from Secrets Manager.",
    )
    execution = task_definition.execution_role
    assert execution is not None, "a task that is pulled from a registry has one"
    acknowledge_finding(
        execution, "IAM5[Resource::*]", "ecr:GetAuthorizationToken names no resource; AWS offers none."
    )
    return task_definition


def scale_on_backlog(
    fargate_service: ecs.FargateService, *, queue_name: str, cluster: str, per_task: float, most: int
) -> None:
    """Keep `per_task` messages waiting for each running task, between 1 and `most` tasks.

    Source: Amazon ECS developer guide, target tracking with metric math on backlog per task.
    """
    target = fargate_service.auto_scale_task_count(min_capacity=1, max_capacity=most)
    metric = scaling.CfnScalingPolicy
    scaling.CfnScalingPolicy(
        fargate_service,
        "backlog-per-task",
        policy_name="backlog-per-task",
        policy_type="TargetTrackingScaling",
        scaling_target_id=target.node.find_child("Target").scalable_target_id,  # type: ignore[attr-defined] # the construct behind the L2
        target_tracking_scaling_policy_configuration=metric.TargetTrackingScalingPolicyConfigurationProperty(
            target_value=per_task,
            scale_in_cooldown=120,
            scale_out_cooldown=30,
            customized_metric_specification=metric.CustomizedMetricSpecificationProperty(
                metrics=[
                    _stat(
                        "waiting", "AWS/SQS", "ApproximateNumberOfMessagesVisible", {"QueueName": queue_name}
                    ),
                    _stat(
                        "running",
                        "ECS/ContainerInsights",
                        "RunningTaskCount",
                        {"ClusterName": cluster, "ServiceName": fargate_service.service_name},
                    ),
                    metric.TargetTrackingMetricDataQueryProperty(
                        id="backlog", expression="waiting / IF(running > 0, running, 1)", return_data=True
                    ),
                ]
            ),
        ),
    )


def _stat(
    name: str, namespace: str, metric_name: str, dimensions: Mapping[str, str]
) -> scaling.CfnScalingPolicy.TargetTrackingMetricDataQueryProperty:
    kinds = scaling.CfnScalingPolicy
    return kinds.TargetTrackingMetricDataQueryProperty(
        id=name,
        return_data=False,
        metric_stat=kinds.TargetTrackingMetricStatProperty(
            stat="Average",
            metric=kinds.TargetTrackingMetricProperty(
                namespace=namespace,
                metric_name=metric_name,
                dimensions=[
                    kinds.TargetTrackingMetricDimensionProperty(name=key, value=value)
                    for key, value in dimensions.items()
                ],
            ),
        ),
    )
