"""The stacks of the services that run on Fargate: api, builder, broadcaster, indexer, notifier."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_elasticloadbalancingv2 as balancing
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk.aws_apigatewayv2 import HttpStage
from constructs import Construct

from mintline.resource_types import Queue
from mintline.resources import BROADCAST, BUILD, MEDIA, REDRIVE
from mintline_infra import edge, fargate, firewall
from mintline_infra.data import DataStack
from mintline_infra.deployment import RECONCILER, Deployment
from mintline_infra.deployment_fields import Size
from mintline_infra.deployment_parts import Minting
from mintline_infra.identity import IdentityStack
from mintline_infra.platform import PlatformStack

API_PORT = 8080
RECONCILE_EVERY = cdk.Duration.minutes(15)
RECONCILED_BLOCKS: Mapping[Size, int] = {"standard": 1_000, "small": 500}
"""Newest final blocks of one pass, by the deployment's size: it takes a query for each shard of a block. A
second pass has them too, on chains down to two seconds a block."""
PATIENCE = 10
"""Seconds of work that may wait for each running task before another one is started."""
BUILDER_RATE = 70.0
"""Mints a second and task: half of what 3.6 ms of CPU each, measured, allow on half a vCPU."""
BROADCASTER_RATE = 85.0
"""The same, at 1.4 ms on a quarter of a vCPU."""


@dataclass(frozen=True, slots=True)
class Environment:
    """What every service's stack is built on."""

    deployment: Deployment
    env: cdk.Environment
    data: DataStack
    platform: PlatformStack
    minting: Minting

    @property
    def public_url(self) -> str:
        """Where clients reach the API."""
        return self.deployment.public_url or self.platform.http_api.api_endpoint

    @property
    def media_url(self) -> str:
        """What the permanent addresses of uploaded files begin with."""
        if self.deployment.media_url is not None:
            return self.deployment.media_url
        host = self.deployment.front_host or self.data.distributions[MEDIA].distribution_domain_name
        return f"https://{host}/media"


def _rpc_urls(environment: Environment) -> dict[str, ecs.Secret]:
    return {"MINTLINE_RPC_URLS": ecs.Secret.from_secrets_manager(environment.data.rpc_urls)}


def _api_settings(
    stack: cdk.Stack, environment: Environment, identity: IdentityStack | None
) -> dict[str, str]:
    """Return the settings of the api's tasks that are no secrets."""
    deployment = environment.deployment
    factory = deployment.chain.factory
    return {
        "MINTLINE_API_HOST": "0.0.0.0",  # noqa: S104 - only the balancer is let in
        "MINTLINE_API_PORT": str(API_PORT),
        # API Gateway's link, which leads to a small deployment's tasks, takes no certificate of one's own.
        "MINTLINE_API_TLS": json.dumps(not deployment.small),
        "MINTLINE_PUBLIC_URL": environment.public_url,
        "MINTLINE_MEDIA_URL": environment.media_url,
        "MINTLINE_CHAIN_ID": str(deployment.chain.chain_id),
        "MINTLINE_DEFAULT_COLLECTION": environment.minting.default_collection,
        **({"MINTLINE_FACTORY": factory.model_dump_json(exclude_none=True)} if factory else {}),
        "MINTLINE_USER_RATE": str(deployment.limits.user_rate),
        "MINTLINE_USER_GAS_BUDGET": str(deployment.limits.user_gas_budget),
        "MINTLINE_SPONSORED_MINT_GAS": str(deployment.limits.sponsored_mint_gas),
        "MINTLINE_DROP_USERS_PER_SECOND": str(deployment.limits.drop_users_per_second),
        "MINTLINE_DROP_GRACE": str(deployment.limits.drop_grace),
        "MINTLINE_QUERY_INDEXES": json.dumps(deployment.query_indexes),
        "MINTLINE_SIGN_IN_DOMAINS": json.dumps(deployment.sign_in_domains),
        "MINTLINE_CORS_ORIGINS": json.dumps(deployment.cors_origins),
        **_other_issuers(deployment),
        **({} if identity is None else _user_pool(identity)),
        "MINTLINE_WALLET_STORE": deployment.wallet_store,
        "MINTLINE_TREASURY_ADDRESS": environment.minting.treasury.address,
        "MINTLINE_RELAYER_ADDRESSES": json.dumps([key.address for key in environment.minting.pool]),
        "MINTLINE_REDRIVE_ROLE_ARN": deployment.role_arn(REDRIVE),
        "MINTLINE_WALLET_KEY_ARNS": stack.to_json_string(
            [key.key_arn for key in environment.data.wallet_keys]
        ),
        "MINTLINE_INTAKE_KEY": environment.minting.intake_key,
        "MINTLINE_AUTHORIZATION_KEY": environment.minting.authorization_key.public_key,
    }


def _user_pool(identity: IdentityStack) -> dict[str, str]:
    settings = {
        "MINTLINE_COGNITO_ISSUER": identity.issuer,
        "MINTLINE_COGNITO_USERINFO_URL": f"{identity.sign_in_url}/oauth2/userInfo",
        "MINTLINE_COGNITO_CLIENT_ID": identity.client.user_pool_client_id,
    }
    if (operators := identity.operators_client) is not None:
        settings["MINTLINE_COGNITO_OPERATOR_CLIENT_ID"] = operators.user_pool_client_id
    return settings


def _other_issuers(deployment: Deployment) -> dict[str, str]:
    """Return the setting of other issuers, if there are any; sets in order, so that it stays the same."""
    described = [
        {
            name: sorted(value) if isinstance(value, frozenset) else value
            for name, value in issuer.model_dump(exclude_none=True).items()
        }
        for issuer in deployment.other_issuers
    ]
    return {"MINTLINE_OTHER_ISSUERS": json.dumps(described)} if described else {}


class ApiStack(cdk.Stack):
    """The api behind API Gateway, a VPC link, WAF and a balancer; scales on CPU.

    In a small deployment the link leads to the tasks themselves, which Cloud Map knows, and nothing scales.
    """

    def __init__(
        self, scope: Construct, name: str, environment: Environment, *, identity: IdentityStack | None
    ) -> None:
        super().__init__(scope, name, env=environment.env, description="Mintline: the api and its edge.")
        deployment, vpc = environment.deployment, environment.platform.vpc
        self.http_api = edge.imported_api(self, environment.platform.http_api)
        self.access_log = edge.access_log(self)
        self.targets: balancing.ApplicationTargetGroup | None = None
        found_by = edge.registry(self, vpc, deployment, API_PORT) if deployment.small else None
        self.service = fargate.service(
            self,
            deployment,
            environment.platform,
            fargate.Task(
                service="api",
                cpu=512,
                memory=1024,
                port=API_PORT,
                scales=True,
                found_by=found_by,
                settings=_api_settings(self, environment, identity),
                secrets={
                    "MINTLINE_CURSOR_SECRET": ecs.Secret.from_secrets_manager(environment.data.cursor_secret),
                    "MINTLINE_EMAIL_SECRET": ecs.Secret.from_secrets_manager(environment.data.email_secret),
                    **_rpc_urls(environment),
                },
            ),
        )
        if deployment.small:
            stage = edge.to_tasks(
                self,
                self.http_api,
                self.service,
                vpc,
                environment.platform.task_subnets,
                log=self.access_log,
            )
        else:
            stage = self._balanced(environment)
        if deployment.api_host is not None:
            edge.map_name(self, deployment.api_host, self.http_api, stage)

    def _balanced(self, environment: Environment) -> HttpStage:
        """Put balancer and firewall before the tasks, and have them scale."""
        vpc = environment.platform.vpc
        behind = edge.balancer(self, vpc, environment.data.logs, environment.deployment.inner_certificate)
        stage = edge.to_balancer(self, self.http_api, behind, vpc, log=self.access_log)
        secret = environment.data.front_secret
        firewall.firewall(self, behind, f"{environment.deployment.prefix}-api", secret)
        self.targets = behind.listener.add_targets(
            "tasks",
            port=API_PORT,
            protocol=balancing.ApplicationProtocol.HTTPS,
            targets=[self.service],
            deregistration_delay=cdk.Duration.seconds(20),
            health_check=balancing.HealthCheck(
                path="/healthz", interval=cdk.Duration.seconds(10), protocol=balancing.Protocol.HTTPS
            ),
        )
        count = self.service.auto_scale_task_count(min_capacity=2, max_capacity=20)
        count.scale_on_cpu_utilization(
            "cpu",
            target_utilization_percent=60,
            scale_in_cooldown=cdk.Duration.seconds(120),
            scale_out_cooldown=cdk.Duration.seconds(30),
        )
        return stage


class WorkerStack(cdk.Stack):
    """A service that takes from a queue; scales on the backlog per running task, on Spot but for one task."""

    def __init__(
        self,
        scope: Construct,
        name: str,
        environment: Environment,
        *,
        task: fargate.Task,
        queue: Queue,
        rate: float,
    ) -> None:
        super().__init__(scope, name, env=environment.env, description=f"Mintline: the {task.service}.")
        self.service = fargate.service(self, environment.deployment, environment.platform, task)
        if environment.deployment.small:
            return
        fargate.scale_on_backlog(
            self.service,
            queue_name=queue.queue_name(environment.deployment.prefix),
            cluster=environment.deployment.prefix,
            per_task=rate * PATIENCE,
            most=20,
        )


class IndexerStack(cdk.Stack):
    """The indexer: two copies, of which the checkpoint lets one write; the other takes over in 15 seconds."""

    def __init__(self, scope: Construct, name: str, environment: Environment) -> None:
        super().__init__(scope, name, env=environment.env, description="Mintline: the indexer.")
        deployment = environment.deployment
        task = fargate.Task(
            service="indexer",
            cpu=256,
            memory=512,
            settings={"MINTLINE_CHAIN_ID": str(deployment.chain.chain_id)},
            secrets=_rpc_urls(environment),
        )
        self.service = fargate.service(self, deployment, environment.platform, task)


class NotifierStack(cdk.Stack):
    """The notifier: two copies, of which a lease lets one read; the other takes over in 15 seconds."""

    def __init__(self, scope: Construct, name: str, environment: Environment) -> None:
        super().__init__(scope, name, env=environment.env, description="Mintline: the notifier.")
        task = fargate.Task(
            service="notifier",
            cpu=256,
            memory=512,
            settings={"MINTLINE_PUBLIC_URL": environment.public_url},
        )
        self.service = fargate.service(self, environment.deployment, environment.platform, task)


class ReconcilerStack(cdk.Stack):
    """A task that EventBridge starts: one pass over the newest final blocks, and it ends."""

    def __init__(self, scope: Construct, name: str, environment: Environment) -> None:
        super().__init__(
            scope, name, env=environment.env, description="Mintline: checks records, chain and index."
        )
        deployment, platform = environment.deployment, environment.platform
        definition = fargate.definition(
            self,
            deployment,
            platform,
            fargate.Task(
                service=RECONCILER,
                image="indexer",
                entry_point=("python", "-m", "mintline_indexer.reconciler"),
                cpu=256,
                memory=512,
                settings={
                    "MINTLINE_CHAIN_ID": str(deployment.chain.chain_id),
                    "MINTLINE_RECONCILE_EVERY": "0",
                    "MINTLINE_RECONCILE_BLOCKS": str(RECONCILED_BLOCKS[deployment.size]),
                },
                secrets=_rpc_urls(environment),
            ),
        )
        starter = iam.Role(
            self,
            "starter",
            assumed_by=iam.ServicePrincipal(
                "events.amazonaws.com",
                conditions={"StringEquals": {"aws:SourceAccount": deployment.account}},
            ),
            description="Mintline: starts the reconciler's task, and nothing else.",
        )
        execution = definition.execution_role
        assert execution is not None, "a task that is pulled from a registry has one"
        in_cluster = {"ArnEquals": {"ecs:cluster": platform.cluster.cluster_arn}}
        for sid, action, resources, conditions in (
            ("Start", "ecs:RunTask", [definition.task_definition_arn], in_cluster),
            ("LendRoles", "iam:PassRole", [execution.role_arn, deployment.role_arn(RECONCILER)], {}),
        ):
            starter.add_to_policy(
                iam.PolicyStatement(sid=sid, actions=[action], resources=resources, conditions=conditions)
            )
        group = ec2.SecurityGroup(
            self, "group", vpc=platform.vpc, description="Mintline: the reconciler, which nobody calls."
        )
        events.Rule(
            self,
            "schedule",
            rule_name=deployment.role_name(RECONCILER),
            description="Mintline: the reconciler's clock.",
            schedule=events.Schedule.rate(RECONCILE_EVERY),
            targets=[
                targets.EcsTask(
                    cluster=platform.cluster,
                    task_definition=definition,
                    subnet_selection=platform.task_subnets,
                    security_groups=[group],
                    assign_public_ip=platform.public_tasks,
                    role=starter.without_policy_updates(),
                )
            ],
        )


def builder(scope: Construct, name: str, environment: Environment) -> WorkerStack:
    """Declare the builder."""
    deployment, relayers = environment.deployment, environment.minting.pool
    task = fargate.Task(
        service="builder",
        cpu=512,
        memory=1024,
        settings={
            "MINTLINE_CHAIN_ID": str(deployment.chain.chain_id),
            "MINTLINE_ISSUER": environment.minting.issuer.model_dump_json(),
            "MINTLINE_TREASURY": environment.minting.treasury.model_dump_json(),
            **(
                {"MINTLINE_RELAYERS": json.dumps([key.model_dump(mode="json") for key in relayers])}
                if relayers
                else {}
            ),
            "MINTLINE_RELAYER_MIN_BALANCE": str(deployment.limits.relayer_min_balance),
            "MINTLINE_RELAYER_TARGET_BALANCE": str(deployment.limits.relayer_target_balance),
            "MINTLINE_USER_GAS_BUDGET": str(deployment.limits.user_gas_budget),
            "MINTLINE_MAX_TRANSACTION_COST": str(deployment.limits.max_transaction_cost),
            "MINTLINE_MAX_FEE": str(deployment.limits.max_fee),
            "MINTLINE_MAX_WAIT": str(deployment.limits.max_wait),
            "MINTLINE_MAX_CHAIN_SKEW": str(deployment.limits.max_chain_skew),
        },
        secrets=_rpc_urls(environment),
        scales=True,
        spot=4,
    )
    return WorkerStack(scope, name, environment, task=task, queue=BUILD, rate=BUILDER_RATE)


def broadcaster(scope: Construct, name: str, environment: Environment) -> WorkerStack:
    """Declare the broadcaster."""
    deployment = environment.deployment
    task = fargate.Task(
        service="broadcaster",
        cpu=256,
        memory=512,
        settings={
            "MINTLINE_CHAIN_ID": str(deployment.chain.chain_id),
            "MINTLINE_ISSUER": environment.minting.issuer.model_dump_json(),
            "MINTLINE_FEE_CAP": str(deployment.limits.fee_cap),
        },
        secrets=_rpc_urls(environment),
        scales=True,
        spot=4,
    )
    return WorkerStack(scope, name, environment, task=task, queue=BROADCAST, rate=BROADCASTER_RATE)
