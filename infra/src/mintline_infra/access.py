"""Who may do what: one role per service, with the requests that its code makes and nothing else.

Resources are named by ARN, so that the roles stand before what they open: a key policy may only name
principals that exist. KMS is absent here: the key policy says by itself who may use the wallets' key.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from constructs import Construct

from mintline.resource_types import Table
from mintline.resources import (
    QUEUES,
    REDRIVE,
)
from mintline_infra.deployment import Deployment
from mintline_infra.nag import acknowledge_finding
from mintline_infra.object_access import objects
from mintline_infra.permissions import (
    INSTANCE,
    PERMISSIONS,
    QUERY,
    QUERY_SPARSE,
    RECEIVE,
    SEND,
    STREAM,
    Permissions,
)

SESSION = (
    "ssm:UpdateInstanceInformation",
    "ssmmessages:CreateControlChannel",
    "ssmmessages:CreateDataChannel",
    "ssmmessages:OpenControlChannel",
    "ssmmessages:OpenDataChannel",
    "ec2messages:AcknowledgeMessage",
    "ec2messages:DeleteMessage",
    "ec2messages:FailMessage",
    "ec2messages:GetEndpoint",
    "ec2messages:GetMessages",
    "ec2messages:SendReply",
)
"""What Systems Manager's agent asks for: the way in, since there is no SSH."""


CHILDREN = (
    "Wallet secrets and metadata objects come into being one by one; the wildcard stands behind the "
    "deployment's own prefix or bucket."
)
NODES = "A request to a node of Amazon Managed Blockchain names no resource; AWS offers none."
GROUP = (
    "{0.arns}:autoscaling:{0.region}:{0.account}:autoScalingGroup:*:autoScalingGroupName/{0.prefix}-signer"
)
MACHINERY_WILDCARDS = {
    GROUP: "A group's ARN has an id of AWS's own before its name.",
    "*": "ecr:GetAuthorizationToken and the agent's channels name no resource; AWS offers none.",
    "{0.arns}:logs:{0.region}:{0.account}:log-group:/{0.prefix}/signer:log-stream:*": (
        "One stream a container, in the service's own group."
    ),
    "{0.arns}:s3:::{0.prefix}-audit/*": "The trail's files come one by one, in a bucket of their own.",
    "{0.arns}:s3:::{0.prefix}-artifacts/*": "Enclave images come one by one, in a bucket of their own.",
}


POLICY_SIZE = 5_500
"""Characters of statements in one policy: IAM takes 6,144 in a managed one, and 10,240 in all that are a
role's own. Source: IAM user guide, "IAM and AWS STS quotas"."""


class AccessStack(cdk.Stack):
    """The services' roles."""

    def __init__(self, scope: Construct, name: str, deployment: Deployment, env: cdk.Environment) -> None:
        super().__init__(
            scope,
            name,
            env=env,
            description="Mintline: one role per service.",
            termination_protection=deployment.holds_something,
        )
        self.roles = {
            service: self._role(service, permissions, deployment)
            for service, permissions in PERMISSIONS.items()
        }
        for statement in machinery(deployment):
            self.roles["signer"].add_to_policy(statement)
        self.roles[REDRIVE] = self._redrive(deployment)
        for output, role in self.roles.items():
            # A key's policy that named a role never holds for another one of the same name.
            role.apply_removal_policy(cdk.RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE)
            cdk.CfnOutput(self, f"{output}-role", value=role.role_arn)
        cdk.CfnOutput(
            self,
            "enclave-pcr3",
            value=deployment.pcr3(),
            description="What an enclave on the signer's instances has in PCR3.",
        )

    def _role(self, service: str, permissions: Permissions, deployment: Deployment) -> iam.Role:
        role = iam.Role(
            self,
            service,
            role_name=deployment.role_name(service),
            assumed_by=iam.ServicePrincipal(
                permissions.principal, conditions=_on_behalf_of(permissions, deployment)
            ),
            description=f"Mintline's {service}: what it asks of AWS.",
        )
        granted = [*statements(permissions, deployment), *queue_access(service, deployment)]
        _grant(role, granted)
        for statement in granted:
            for resource in statement.resources:
                if "*" in resource and statement.effect == iam.Effect.ALLOW:
                    acknowledge_finding(role, f"IAM5[Resource::{resource}]", CHILDREN)
        if permissions.asks_chain and deployment.chain.managed_blockchain:
            role.add_to_policy(
                iam.PolicyStatement(sid="Nodes", actions=["managedblockchain:POST"], resources=["*"])
            )
            acknowledge_finding(role, "IAM5[Resource::*]", NODES)
        if permissions.assumes_redrive:
            role.add_to_policy(
                iam.PolicyStatement(
                    sid="Redrive", actions=["sts:AssumeRole"], resources=[deployment.role_arn(REDRIVE)]
                )
            )
        if permissions.principal == INSTANCE:
            for resource, reason in MACHINERY_WILDCARDS.items():
                acknowledge_finding(role, f"IAM5[Resource::{resource.format(deployment)}]", reason)
        return role

    def _redrive(self, deployment: Deployment) -> iam.Role:
        """Make the role that operators assume to read dead letters and to send them back."""
        role = iam.Role(
            self,
            REDRIVE,
            role_name=deployment.role_name(REDRIVE),
            assumed_by=iam.AccountPrincipal(deployment.account),
            description="Mintline: operators read dead letters under it, and send them back.",
        )
        for statement in queue_access(REDRIVE, deployment):
            role.add_to_policy(statement)
        return role


def _grant(role: iam.Role, granted: list[iam.PolicyStatement]) -> None:
    """Give a role its statements: what fits into its own policy, and managed policies for the rest."""
    parts: list[list[iam.PolicyStatement]] = [[]]
    used = 0
    for statement in granted:
        size = len(json.dumps(cdk.Stack.of(role).resolve(statement.to_json()), separators=(",", ":")))
        if used + size > POLICY_SIZE:
            parts.append([])
            used = 0
        parts[-1].append(statement)
        used += size
    for statement in parts[0]:
        role.add_to_policy(statement)
    for number, further in enumerate(parts[1:], start=1):
        iam.ManagedPolicy(
            role,
            f"more-{number}",
            description="Mintline: what does not fit into the role's own policy.",
            statements=further,
            roles=[role],
        )


def _on_behalf_of(permissions: Permissions, deployment: Deployment) -> dict[str, dict[str, str]]:
    """Keep ECS from lending the role to another account's tasks; EC2 sends no such context."""
    if permissions.principal == INSTANCE:
        return {}
    return {"StringEquals": {"aws:SourceAccount": deployment.account}}


def machinery(deployment: Deployment) -> list[iam.PolicyStatement]:
    """Return what a signer's instance needs to be one, in addition to what the service asks of AWS.

    In a small deployment its image comes from S3, nobody logs in to it, and it is replaced once it stops.
    """
    region_account = f"{deployment.region}:{deployment.account}"
    group = f"{deployment.arns}:logs:{region_account}:log-group:{deployment.log_group_name('signer')}"
    repository = f"{deployment.arns}:ecr:{region_account}:repository/{deployment.repository_name('signer')}"
    pull = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
    artifacts = f"{deployment.arns}:s3:::{deployment.artifact_bucket_name()}/*"
    fleet = GROUP.format(deployment)
    writing = ["logs:CreateLogStream", "logs:PutLogEvents"]
    trail = f"{deployment.arns}:s3:::{deployment.audit_bucket_name()}/*"
    own = [
        # It may add to the trail, and neither read, replace nor delete any of it.
        iam.PolicyStatement(
            sid="AuditTrail",
            actions=["s3:PutObject"],
            resources=[trail],
            conditions={"Null": {"s3:if-none-match": "false"}},
        ),
        iam.PolicyStatement(sid="EnclaveImage", actions=["s3:GetObject"], resources=[artifacts]),
        iam.PolicyStatement(sid="Logs", actions=writing, resources=[group, f"{group}:log-stream:*"]),
    ]
    if deployment.small:
        return own
    return [
        iam.PolicyStatement(sid="Session", actions=[*SESSION], resources=["*"]),
        iam.PolicyStatement(sid="Registry", actions=["ecr:GetAuthorizationToken"], resources=["*"]),
        iam.PolicyStatement(sid="Image", actions=pull, resources=[repository]),
        iam.PolicyStatement(sid="Health", actions=["autoscaling:SetInstanceHealth"], resources=[fleet]),
        *own,
    ]


def queue_access(role: str, deployment: Deployment) -> list[iam.PolicyStatement]:
    """Return what a role may do with queues, as `mintline.resources` declares who sends and who receives."""
    prefix, operator = deployment.prefix, role == REDRIVE
    received = [queue for queue in QUEUES if queue.receiver == role]
    grants = {
        "Take": (RECEIVE, [queue.queue_name(prefix) for queue in received]),
        "DeadLetter": (SEND, [queue.dead_letter_name(prefix) for queue in received]),
        "Send": (SEND, [q.queue_name(prefix) for q in QUEUES if operator or role in q.senders]),
        "ReadDeadLetters": (
            (*RECEIVE, "sqs:GetQueueAttributes"),
            [queue.dead_letter_name(prefix) for queue in QUEUES if operator],
        ),
    }
    if role in PERMISSIONS and PERMISSIONS[role].counts_messages:
        counted = [name for q in QUEUES for name in (q.queue_name(prefix), q.dead_letter_name(prefix))]
        grants["Count"] = (("sqs:GetQueueAttributes", "sqs:GetQueueUrl"), counted)
    arn = f"{deployment.arns}:sqs:{deployment.region}:{deployment.account}:"
    return [
        iam.PolicyStatement(sid=sid, actions=sorted(actions), resources=[arn + name for name in names])
        for sid, (actions, names) in grants.items()
        if names
    ]


def statements(permissions: Permissions, deployment: Deployment) -> list[iam.PolicyStatement]:
    """Return the IAM statements that grant `permissions`; `queue_access` has those for queues."""
    region_account = f"{deployment.region}:{deployment.account}"
    allowed: list[iam.PolicyStatement] = []

    def allow(sid: str, service: str, actions: tuple[str, ...], *resources: str) -> None:
        allowed.append(
            iam.PolicyStatement(
                sid=sid,
                actions=sorted(f"{service}:{action}" for action in set(actions)),
                resources=list(resources),
            )
        )

    def arn_of(table: Table) -> str:
        return f"{deployment.arns}:dynamodb:{region_account}:table/{table.table_name(deployment.prefix)}"

    for table, actions in permissions.tables.items():
        allow(f"Table{table.name.title().replace('-', '')}", "dynamodb", actions, arn_of(table))

    def arns_of(indexes: Mapping[Table, tuple[str, ...]]) -> list[str]:
        return [
            f"{arn_of(table)}/index/{table.index(name).name}"
            for table, names in indexes.items()
            for name in names
        ]

    if permissions.indexes:
        allow("Indexes", "dynamodb", QUERY, *arns_of(permissions.indexes))
    if permissions.sparse_indexes:
        allow("SparseIndexes", "dynamodb", QUERY_SPARSE, *arns_of(permissions.sparse_indexes))
    if permissions.streams:
        streams = [f"{arn_of(table)}/stream/*" for table in permissions.streams]
        allow("Streams", "dynamodb", STREAM, *streams)
    allowed += objects(permissions, deployment)
    secrets = f"{deployment.arns}:secretsmanager:{region_account}:secret:{deployment.prefix}"
    if permissions.wallet_secrets:
        allow("WalletSecrets", "secretsmanager", permissions.wallet_secrets, f"{secrets}/wallets/*")
    if permissions.authorization_key_secrets:
        allow(
            "AuthorizationKeySecrets",
            "secretsmanager",
            permissions.authorization_key_secrets,
            f"{secrets}/sealing/*",
        )
    return allowed
