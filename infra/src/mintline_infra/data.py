"""The data stack: what `mintline.resources` declares, as AWS should keep it.

Everything in it outlives the stack: deleting the stack deletes no queue, table, bucket, key or secret.
"""

from __future__ import annotations

from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from mintline.queue_policy import dead_letter_statements, queue_statements
from mintline.resource_types import Bucket, Key, Queue, Table
from mintline.resources import (
    BUCKETS,
    INTAKE_KEY,
    KMS_KEYS,
    QUEUES,
    REPLACED_INDEXES,
    TABLES,
    WALLET_KEY,
    WEBHOOK_KEY,
)
from mintline_infra import kms_keys, storage_key
from mintline_infra.deployment import Deployment
from mintline_infra.nag import acknowledge
from mintline_infra.public_reads import publish
from mintline_infra.removal import RETAIN

RPC_URLS = "rpc-urls"
REPLACED = "replaced-indexes"
"""Context of an upgrade's first deployment, with the value `keep`."""
CURSOR_SECRET = "cursor-secret"  # noqa: S105 - a secret's name
EMAIL_SECRET = "email-secret"  # noqa: S105 - a secret's name
FRONT_SECRET = "front-secret"  # noqa: S105 - a secret's name
_TYPES = {
    "S": dynamodb.AttributeType.STRING,
    "N": dynamodb.AttributeType.NUMBER,
    "B": dynamodb.AttributeType.BINARY,
}


_UPLOADS_FROM_BROWSERS = s3.CorsRule(
    allowed_methods=[s3.HttpMethods.PUT], allowed_origins=["*"], allowed_headers=["*"], max_age=3600
)
"""A presigned URL is the permission; browsers of any site may use the one they were given."""


class DataStack(cdk.Stack):
    """Queues, tables, buckets, keys and secrets."""

    def __init__(self, scope: Construct, name: str, deployment: Deployment, env: cdk.Environment) -> None:
        super().__init__(
            scope,
            name,
            env=env,
            description="Mintline: queues, tables, metadata, keys.",
            termination_protection=deployment.holds_something,
        )
        self._prefix = deployment.prefix
        self._role_arn = deployment.role_arn
        self._query_indexes = deployment.query_indexes
        self._holds_something = deployment.holds_something
        self._keeps_replaced_indexes = self.node.try_get_context(REPLACED) == "keep"
        self.dead_letters: dict[Queue, sqs.Queue] = {}
        self.queues = {queue: self._queue(queue) for queue in QUEUES}
        self.storage_key = kms_keys.storage_key(self, deployment)
        self.tables = {table: self._table(table) for table in TABLES}
        assert KMS_KEYS == (WALLET_KEY, INTAKE_KEY, WEBHOOK_KEY), "every key has a policy of its own"
        self.wallet_keys = kms_keys.wallet_keys(self, deployment)
        self.intake_key = kms_keys.intake_key(self, deployment)
        self.webhook_key = kms_keys.webhook_key(self, deployment)
        self.logs = self._log_bucket()
        self.buckets = {bucket: self._bucket(bucket) for bucket in BUCKETS}
        self.distributions = {
            bucket: publish(self, bucket, s3_bucket, prefix=self._prefix, logs=self.logs)
            for bucket, s3_bucket in self.buckets.items()
            if bucket.serves and deployment.has_cloudfront
        }
        self.rpc_urls = self._secret(
            RPC_URLS, "JSON list of the chain's JSON-RPC endpoints, in order of preference."
        )
        self.cursor_secret = self._secret(CURSOR_SECRET, "Seals the cursors of the api's lists.")
        self.email_secret = self._secret(
            EMAIL_SECRET,
            "Names the users that the api makes for e-mail addresses; never to be replaced.",
            kept="A new one would give the users of addresses other names: it is never replaced.",
        )
        self.front_secret = (
            self._secret(
                FRONT_SECRET,
                "Tells the firewall which requests came by CloudFront.",
                kept="Both sides read it when they are deployed; it decides only whose address is counted.",
            )
            if deployment.front_host is not None and not deployment.small
            else None
        )

    def _queue(self, queue: Queue) -> sqs.Queue:
        dead = self._fifo(f"{queue.name}-dlq", queue.dead_letter_name(self._prefix), queue)
        self.dead_letters[queue] = dead
        acknowledge(dead, SQS3="It is itself a dead-letter queue.")
        sqs_queue = self._fifo(
            queue.name,
            queue.queue_name(self._prefix),
            queue,
            visibility_timeout=cdk.Duration.seconds(queue.visibility_timeout),
            dead_letter_queue=sqs.DeadLetterQueue(queue=dead, max_receive_count=queue.max_receives),
        )
        _restrict(dead, dead_letter_statements(queue, arn=dead.queue_arn, role_arn=self._role_arn))
        _restrict(sqs_queue, queue_statements(queue, arn=sqs_queue.queue_arn, role_arn=self._role_arn))
        return sqs_queue

    def _fifo(
        self,
        name: str,
        queue_name: str,
        queue: Queue,
        *,
        visibility_timeout: cdk.Duration | None = None,
        dead_letter_queue: sqs.DeadLetterQueue | None = None,
    ) -> sqs.Queue:
        """Make a FIFO queue with high throughput: both scopes are the message group."""
        return sqs.Queue(
            self,
            name,
            queue_name=queue_name,
            fifo=True,
            deduplication_scope=sqs.DeduplicationScope.MESSAGE_GROUP,
            fifo_throughput_limit=sqs.FifoThroughputLimit.PER_MESSAGE_GROUP_ID,
            retention_period=cdk.Duration.seconds(queue.retention),
            visibility_timeout=visibility_timeout,
            dead_letter_queue=dead_letter_queue,
            encryption=sqs.QueueEncryption.KMS_MANAGED,
            data_key_reuse=cdk.Duration.hours(1),
            enforce_ssl=True,
            removal_policy=RETAIN,
        )

    def _table(self, table: Table) -> dynamodb.Table:
        dynamo_table = dynamodb.Table(
            self,
            f"table-{table.name}",
            table_name=table.table_name(self._prefix),
            partition_key=_attribute(table.partition),
            sort_key=None if table.sort is None else _attribute(table.sort),
            billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=True
            ),
            encryption=dynamodb.TableEncryption.CUSTOMER_MANAGED
            if table in storage_key.ENCRYPTED
            else dynamodb.TableEncryption.DEFAULT,
            encryption_key=self.storage_key if table in storage_key.ENCRYPTED else None,
            time_to_live_attribute=table.ttl,
            stream=dynamodb.StreamViewType.NEW_AND_OLD_IMAGES if table.streamed else None,
            deletion_protection=self._holds_something,
            removal_policy=RETAIN,
        )
        replaced = REPLACED_INDEXES.get(table, ()) if self._keeps_replaced_indexes else ()
        kept = (index for index in table.indexes if not index.optional or index.name in self._query_indexes)
        for index in (*kept, *replaced):
            projection = dynamodb.ProjectionType.KEYS_ONLY if index.keys_only else dynamodb.ProjectionType.ALL
            dynamo_table.add_global_secondary_index(
                index_name=index.name,
                partition_key=_attribute(index.partition),
                sort_key=None if index.sort is None else _attribute(index.sort),
                projection_type=projection,
            )
        return dynamo_table

    @property
    def wallet_key(self) -> kms.Key:
        """The key that wraps what is made now."""
        return self.wallet_keys[0]

    def _log_bucket(self) -> s3.Bucket:
        """Make the bucket for access logs, which names no one but AWS's log delivery."""
        return s3.Bucket(
            self,
            "access-logs",
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            encryption=s3.BucketEncryption.S3_MANAGED,
            enforce_ssl=True,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_PREFERRED,
            versioned=True,
            lifecycle_rules=[
                s3.LifecycleRule(
                    expiration=cdk.Duration.days(90), noncurrent_version_expiration=cdk.Duration.days(1)
                )
            ],
            server_access_logs_prefix="own/",
            # It has no name that stands in the way, and may hold logs: then a deletion would fail.
            removal_policy=cdk.RemovalPolicy.RETAIN,
        )

    def _bucket(self, bucket: Bucket) -> s3.Bucket:
        """Make a private, versioned bucket."""
        days = bucket.expires_days
        return s3.Bucket(
            self,
            f"bucket-{bucket.name}",
            bucket_name=bucket.bucket_name(self._prefix),
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            encryption=s3.BucketEncryption.S3_MANAGED,
            enforce_ssl=True,
            versioned=True,
            server_access_logs_bucket=self.logs,
            server_access_logs_prefix=f"{bucket.name}/",
            cors=[_UPLOADS_FROM_BROWSERS] if bucket.takes_uploads else None,
            lifecycle_rules=None
            if days is None
            else [
                s3.LifecycleRule(
                    id="expire",
                    expiration=cdk.Duration.days(days),
                    noncurrent_version_expiration=cdk.Duration.days(1),
                    abort_incomplete_multipart_upload_after=cdk.Duration.days(1),
                )
            ],
            removal_policy=RETAIN,
        )

    def _secret(
        self,
        name: str,
        description: str,
        *,
        kept: str = "Set or replaced by the operator: endpoints are a provider's, and a new cursor secret "
        "ends every cursor given out.",
    ) -> secretsmanager.Secret:
        """Make a secret that is not rotated; `kept` says why."""
        secret = secretsmanager.Secret(
            self,
            name,
            secret_name=f"{self._prefix}/{name}",
            description=description,
            generate_secret_string=secretsmanager.SecretStringGenerator(
                password_length=64, exclude_punctuation=True
            ),
            removal_policy=RETAIN,
        )
        acknowledge(secret, SMG4=kept)
        return secret


def _restrict(queue: sqs.Queue, statements: list[dict[str, Any]]) -> None:
    for statement in statements:
        queue.add_to_resource_policy(iam.PolicyStatement.from_json(statement))


def _attribute(key: Key) -> dynamodb.Attribute:
    return dynamodb.Attribute(name=key.name, type=_TYPES[key.type])
