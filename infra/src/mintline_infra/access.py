"""Who may do what: one role per service, with the requests that its code makes and nothing else.

Resources are named by ARN, so that the roles stand before what they open: a key policy may only name
principals that exist. KMS is absent here: the key policy says by itself who may use the wallets' key.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from constructs import Construct

from mintline.object_keys import collection_object_key
from mintline.resource_types import Table
from mintline.resources import (
    ACCOUNTS,
    ATTEMPTS,
    AUTHORIZATIONS,
    BALANCES,
    BLOCKS,
    CHALLENGES,
    CHECKPOINTS,
    CLIENTS,
    COLLECTIONS,
    DROP_LINES,
    DROP_PARTS,
    DROPS,
    EVENT_CURSORS,
    EVENTS,
    EXTERNAL_IDS,
    FOLLOWED,
    LINKS,
    MEDIA,
    METADATA,
    METADATA_VERSIONS,
    MINTS,
    NOTICES,
    PACKS,
    QUEUES,
    RATES,
    REDRIVE,
    REQUESTS,
    REVOCATIONS,
    TOKENS,
    TRANSACTIONS,
    TRANSFERS,
    UPLOAD_BUCKET,
    UPLOADS,
    WALLETS,
    WEBHOOK_ATTEMPTS,
    WEBHOOK_PROGRESS,
    WEBHOOKS,
    WRAPPED_KEYS,
)
from mintline_infra.deployment import RECONCILER, Deployment
from mintline_infra.nag import acknowledge_finding

GET = ("BatchGetItem",)
QUERY = ("Query",)
SCAN = ("Scan",)
PING = ("DescribeTable",)
INSERT = ("PartiQLInsert", "PutItem")
"""A conditional put: in a PartiQL batch, or alone when the batch cannot tell what stood in its way."""
CREATE = ("PartiQLInsert",)
"""PartiQL's INSERT fails where there is an item: who may do nothing else can overwrite nothing."""
UPDATE = ("PartiQLUpdate", "UpdateItem")
COUNT = ("UpdateItem",)
"""An addition that returns what came of it."""
TOGETHER = ("UpdateItem",)
"""Within a transaction, and never alone in a PartiQL batch."""
CREATE_TOGETHER = ("PutItem",)
"""A conditional put within a transaction."""
RESERVE = ("PutItem", "UpdateItem", "ConditionCheckItem")
"""Likewise: an item is created, moved on, or only looked at."""
REPLACE = ("PutItem", "DeleteItem")
STREAM = ("DescribeStream", "GetShardIterator", "GetRecords")
"""What reads a table's stream of changes."""
PRUNE = ("BatchWriteItem",)
"""Puts and deletes without a condition."""
SEND = ("sqs:SendMessage", "sqs:GetQueueUrl")
RECEIVE = ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility", "sqs:GetQueueUrl")


@dataclass(frozen=True, slots=True)
class Permissions:
    """What one service's role may do."""

    principal: str
    """The AWS service that runs it."""
    tables: Mapping[Table, tuple[str, ...]] = field(default_factory=dict)
    streams: tuple[Table, ...] = ()
    """Tables whose streams of changes it reads."""
    reads_objects: bool = False
    """Whether it reads the metadata bucket's objects."""
    publishes: bool = False
    """Whether it stores tokens' metadata: each object once, and never a collection's own metadata."""
    packs: bool = False
    """Whether it stores packs of tokens' metadata: each once, and nothing else."""
    describes_collections: bool = False
    """Whether it stores new versions of collections' and tokens' metadata: each once, and no first one."""
    keeps_lines: bool = False
    """Whether it stores, reads and deletes the lines of drops."""
    takes_uploads: bool = False
    """Whether it signs URLs for uploads, reads what was put, and serves it as media."""
    lists_objects: bool = False
    """Without it S3 answers 403, not 404, for an object that does not exist."""
    wallet_secrets: tuple[str, ...] = ()
    sealing_secrets: tuple[str, ...] = ()
    counts_messages: bool = False
    """Whether it reads how many messages each queue and its dead-letter queue have, and none of them."""
    assumes_redrive: bool = False
    """Whether it may take the operators' role, to read dead letters and to send them back for them."""
    asks_chain: bool = False


TASK = "ecs-tasks.amazonaws.com"
INSTANCE = "ec2.amazonaws.com"

PERMISSIONS: Mapping[str, Permissions] = {
    "api": Permissions(
        principal=TASK,
        tables={
            WALLETS: GET + INSERT + UPDATE,
            WRAPPED_KEYS: CREATE,
            LINKS: GET + QUERY + REPLACE,
            CHALLENGES: PRUNE + REPLACE,
            RATES: GET + INSERT + UPDATE,
            REVOCATIONS: GET + INSERT + UPDATE,
            CLIENTS: GET + SCAN + UPDATE + REPLACE + PRUNE,
            ACCOUNTS: GET,
            MINTS: GET + INSERT + UPDATE + QUERY + PING,
            TRANSACTIONS: GET + UPDATE + QUERY,
            EXTERNAL_IDS: GET + CREATE_TOGETHER,
            AUTHORIZATIONS: INSERT + UPDATE,
            REQUESTS: GET + INSERT,
            PACKS: QUERY + INSERT,
            METADATA_VERSIONS: QUERY + CREATE_TOGETHER,
            DROPS: GET + QUERY + INSERT,
            NOTICES: CREATE,
            DROP_PARTS: GET + QUERY + CREATE_TOGETHER,
            COLLECTIONS: GET + COUNT + QUERY + CREATE_TOGETHER,
            CHECKPOINTS: GET,
            TOKENS: GET + QUERY,
            BALANCES: GET + QUERY,
            TRANSFERS: QUERY,
            UPLOADS: GET + INSERT + UPDATE,
            EVENTS: QUERY,
            WEBHOOKS: GET + QUERY + REPLACE,
            WEBHOOK_PROGRESS: GET + REPLACE,
            WEBHOOK_ATTEMPTS: QUERY,
        },
        reads_objects=True,
        packs=True,
        describes_collections=True,
        lists_objects=True,
        takes_uploads=True,
        keeps_lines=True,
        counts_messages=True,
        assumes_redrive=True,
        wallet_secrets=("CreateSecret",),
        asks_chain=True,
    ),
    "builder": Permissions(
        principal=TASK,
        tables={
            MINTS: GET + UPDATE + CREATE_TOGETHER,
            EXTERNAL_IDS: CREATE_TOGETHER,
            AUTHORIZATIONS: GET,
            TRANSACTIONS: GET + QUERY + RESERVE,
            ACCOUNTS: GET + TOGETHER + PING,
            COLLECTIONS: GET,
            NOTICES: CREATE,
        },
        reads_objects=True,
        publishes=True,
        asks_chain=True,
    ),
    "signer": Permissions(
        principal=INSTANCE,
        tables={WRAPPED_KEYS: GET, REVOCATIONS: QUERY, AUTHORIZATIONS: GET},
        wallet_secrets=("GetSecretValue",),
        sealing_secrets=("GetSecretValue",),
    ),
    "broadcaster": Permissions(
        principal=TASK,
        tables={
            ATTEMPTS: GET + INSERT,
            TRANSACTIONS: GET + INSERT + UPDATE + QUERY + PING,
            MINTS: GET + UPDATE + QUERY + PING,
            AUTHORIZATIONS: GET,
            CHECKPOINTS: GET,
            TRANSFERS: QUERY,
            TOKENS: GET,
        },
        asks_chain=True,
    ),
    "indexer": Permissions(
        principal=TASK,
        tables={
            TOKENS: GET + INSERT + UPDATE,
            BALANCES: GET + INSERT + UPDATE,
            TRANSFERS: QUERY + INSERT,
            BLOCKS: GET + QUERY + REPLACE + PRUNE,
            CHECKPOINTS: GET + INSERT + PING,
            FOLLOWED: QUERY + REPLACE,
            MINTS: GET + QUERY + UPDATE,
            TRANSACTIONS: GET + UPDATE,
            ATTEMPTS: GET,
            COLLECTIONS: SCAN + UPDATE,
        },
        asks_chain=True,
    ),
    RECONCILER: Permissions(
        principal=TASK,
        tables={
            CHECKPOINTS: GET + PING,
            FOLLOWED: QUERY,
            MINTS: GET + QUERY,
            TRANSACTIONS: GET + QUERY,
            TOKENS: GET,
            BALANCES: GET,
            TRANSFERS: GET,
            ATTEMPTS: GET,
        },
        asks_chain=True,
    ),
    "notifier": Permissions(
        principal=TASK,
        tables={
            EVENTS: QUERY + INSERT + PING,
            EVENT_CURSORS: SCAN + INSERT + UPDATE + REPLACE + PRUNE,
            MINTS: GET + SCAN + PING,
            TRANSACTIONS: GET + PING,
            TRANSFERS: SCAN + PING,
            DROPS: SCAN + PING,
            WALLETS: SCAN + PING,
            LINKS: GET + SCAN + PING,
            METADATA_VERSIONS: SCAN + PING,
            NOTICES: SCAN + PING,
            TOKENS: GET,
            COLLECTIONS: GET,
            WEBHOOKS: QUERY + CREATE_TOGETHER,
            WEBHOOK_PROGRESS: GET + INSERT + REPLACE,
            WEBHOOK_ATTEMPTS: PRUNE + REPLACE,
        },
        streams=(MINTS, TRANSACTIONS, TRANSFERS, DROPS, WALLETS, LINKS, METADATA_VERSIONS, NOTICES),
    ),
}


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
ANY_ADDRESS = "0x" + "?" * 40
COLLECTION_VERSIONS = "contract-*.json"
"""Keys of `mintline.object_keys.collection_version_key`, without what they begin with."""
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
        for statement in [*statements(permissions, deployment), *queue_access(service, deployment)]:
            role.add_to_policy(statement)
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


def uploading(deployment: Deployment) -> list[iam.PolicyStatement]:
    """Return what lets a role take uploads: what a presigned URL may do, its signer must be allowed to."""
    uploads, media = (
        f"{deployment.arns}:s3:::{bucket.bucket_name(deployment.prefix)}" for bucket in (UPLOAD_BUCKET, MEDIA)
    )
    taken = ["s3:GetObject", "s3:PutObject"]
    return [
        iam.PolicyStatement(sid="Uploads", actions=taken, resources=[f"{uploads}/*"]),
        iam.PolicyStatement(sid="Media", actions=taken, resources=[f"{media}/media/*"]),
        iam.PolicyStatement(sid="MediaMissing", actions=["s3:ListBucket"], resources=[uploads, media]),
    ]


def publishing(bucket: str, chain_id: int) -> list[iam.PolicyStatement]:
    """Return what lets a role store tokens' metadata: each object once, and no collection's own metadata.

    The deny is needed because the two kinds of keys differ in their last part alone.
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes-enforce.html
    """
    return [
        iam.PolicyStatement(
            sid="TokenMetadata",
            actions=["s3:PutObject"],
            resources=[f"{bucket}/{chain_id}/{ANY_ADDRESS}/*.json"],
            conditions={"Null": {"s3:if-none-match": "false"}},
        ),
        iam.PolicyStatement(
            sid="NoCollectionMetadata",
            effect=iam.Effect.DENY,
            actions=["s3:PutObject"],
            resources=[
                f"{bucket}/{collection_object_key(chain_id, '*')}",
                f"{bucket}/{chain_id}/*/{COLLECTION_VERSIONS}",
                f"{bucket}/{chain_id}/*/versions/*",
            ],
        ),
    ]


def packing(bucket: str, chain_id: int) -> iam.PolicyStatement:
    """Return what lets a role store packs of tokens' metadata, each once."""
    return iam.PolicyStatement(
        sid="Packs",
        actions=["s3:PutObject"],
        resources=[f"{bucket}/{chain_id}/{ANY_ADDRESS}/packs/*"],
        conditions={"Null": {"s3:if-none-match": "false"}},
    )


def describing(bucket: str, chain_id: int) -> list[iam.PolicyStatement]:
    """Return what lets a role store versions of collections' and tokens' metadata, each once."""
    return [
        iam.PolicyStatement(
            sid="CollectionMetadata",
            actions=["s3:PutObject"],
            resources=[
                f"{bucket}/{chain_id}/{ANY_ADDRESS}/{COLLECTION_VERSIONS}",
                f"{bucket}/{chain_id}/{ANY_ADDRESS}/versions/*",
            ],
            conditions={"Null": {"s3:if-none-match": "false"}},
        )
    ]


def statements(permissions: Permissions, deployment: Deployment) -> list[iam.PolicyStatement]:
    """Return the IAM statements that grant `permissions`; `queue_access` has those for queues."""
    region_account = f"{deployment.region}:{deployment.account}"
    found: list[iam.PolicyStatement] = []

    def allow(sid: str, service: str, actions: tuple[str, ...], *resources: str) -> None:
        found.append(
            iam.PolicyStatement(
                sid=sid,
                actions=sorted(f"{service}:{action}" for action in set(actions)),
                resources=list(resources),
            )
        )

    for table, actions in permissions.tables.items():
        arn = f"{deployment.arns}:dynamodb:{region_account}:table/{table.table_name(deployment.prefix)}"
        indexes = (f"{arn}/index/{index.name}" for index in table.indexes if "Query" in actions)
        allow(f"Table{table.name.title().replace('-', '')}", "dynamodb", actions, arn, *indexes)
    if permissions.streams:
        names = (table.table_name(deployment.prefix) for table in permissions.streams)
        streams = [f"{deployment.arns}:dynamodb:{region_account}:table/{name}/stream/*" for name in names]
        allow("Streams", "dynamodb", STREAM, *streams)
    found += objects(permissions, deployment)
    secrets = f"{deployment.arns}:secretsmanager:{region_account}:secret:{deployment.prefix}"
    if permissions.wallet_secrets:
        allow("WalletSecrets", "secretsmanager", permissions.wallet_secrets, f"{secrets}/wallets/*")
    if permissions.sealing_secrets:
        allow("SealingSecrets", "secretsmanager", permissions.sealing_secrets, f"{secrets}/sealing/*")
    return found


def keeping_lines(permissions: Permissions, deployment: Deployment) -> list[iam.PolicyStatement]:
    """Return what lets a role keep the lines of drops, if it does."""
    if not permissions.keeps_lines:
        return []
    lines = f"{deployment.arns}:s3:::{DROP_LINES.bucket_name(deployment.prefix)}"
    actions = ["s3:DeleteObject", "s3:GetObject", "s3:PutObject"]
    return [
        iam.PolicyStatement(sid="DropLines", actions=actions, resources=[f"{lines}/*"]),
        iam.PolicyStatement(sid="DropLinesMissing", actions=["s3:ListBucket"], resources=[lines]),
    ]


def objects(permissions: Permissions, deployment: Deployment) -> list[iam.PolicyStatement]:
    """Return what a role may do with objects in S3."""
    bucket = f"{deployment.arns}:s3:::{METADATA.bucket_name(deployment.prefix)}"
    chain_id = deployment.chain.chain_id
    found: list[iam.PolicyStatement] = []
    if permissions.reads_objects:
        found.append(iam.PolicyStatement(sid="Metadata", actions=["s3:GetObject"], resources=[f"{bucket}/*"]))
    if permissions.publishes:
        found += publishing(bucket, chain_id)
    if permissions.packs:
        found.append(packing(bucket, chain_id))
    if permissions.describes_collections:
        found += describing(bucket, chain_id)
    if permissions.lists_objects:
        found.append(
            iam.PolicyStatement(sid="MetadataMissing", actions=["s3:ListBucket"], resources=[bucket])
        )
    if permissions.takes_uploads:
        found += uploading(deployment)
    return found + keeping_lines(permissions, deployment)
