"""The data stack: what `mintline.resources` declares, as AWS should keep it.

Everything in it outlives the stack: deleting the stack deletes no queue, table, bucket, key or secret.
"""

from __future__ import annotations

from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_cloudfront as cloudfront
from aws_cdk import aws_cloudfront_origins as origins
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from mintline import intake_key
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
from mintline.webhooks import kms_policy as webhook_key
from mintline_infra.deployment import Deployment
from mintline_infra.nag import acknowledge
from mintline_infra.wallet_key import key_policy

RETAIN = cdk.RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE
"""Kept, but by the creation that fails: what has a fixed name would stand in the way of the next one.

Source: CloudFormation template reference, DeletionPolicy, `RetainExceptOnCreate`.
"""
RPC_URLS = "rpc-urls"
REPLACED = "replaced-indexes"
"""Context of an upgrade's first deployment, with the value `keep`."""
CURSOR_SECRET = "cursor-secret"  # noqa: S105 - a secret's name
EMAIL_SECRET = "email-secret"  # noqa: S105 - a secret's name
_TYPES = {
    "S": dynamodb.AttributeType.STRING,
    "N": dynamodb.AttributeType.NUMBER,
    "B": dynamodb.AttributeType.BINARY,
}


_UPLOADS_FROM_BROWSERS = s3.CorsRule(
    allowed_methods=[s3.HttpMethods.PUT], allowed_origins=["*"], allowed_headers=["*"], max_age=3600
)
"""A presigned URL is the permission; browsers of any site may use the one they were given."""
_EVERY_ORIGIN = cloudfront.ResponseHeadersCorsBehavior(
    access_control_allow_credentials=False,
    access_control_allow_headers=["*"],
    access_control_allow_methods=["GET", "HEAD"],
    access_control_allow_origins=["*"],
    origin_override=True,
)


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
        self.tables = {table: self._table(table) for table in TABLES}
        assert KMS_KEYS == (WALLET_KEY, INTAKE_KEY, WEBHOOK_KEY), "every key has a policy of its own"
        self.wallet_keys = self._wallet_keys(deployment)
        self.intake_key = self._intake_key(deployment)
        self.webhook_key = self._webhook_key(deployment)
        self.logs = self._log_bucket()
        self.buckets = {bucket: self._bucket(bucket) for bucket in BUCKETS}
        self.distributions = {
            bucket: self._published(bucket, made)
            for bucket, made in self.buckets.items()
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

    def _queue(self, queue: Queue) -> sqs.Queue:
        dead = self._fifo(f"{queue.name}-dlq", queue.dead_letter_name(self._prefix), queue)
        self.dead_letters[queue] = dead
        acknowledge(dead, SQS3="It is itself a dead-letter queue.")
        made = self._fifo(
            queue.name,
            queue.queue_name(self._prefix),
            queue,
            visibility_timeout=cdk.Duration.seconds(queue.visibility_timeout),
            dead_letter_queue=sqs.DeadLetterQueue(queue=dead, max_receive_count=queue.max_receives),
        )
        _restrict(dead, dead_letter_statements(queue, arn=dead.queue_arn, role_arn=self._role_arn))
        _restrict(made, queue_statements(queue, arn=made.queue_arn, role_arn=self._role_arn))
        return made

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
        made = dynamodb.Table(
            self,
            f"table-{table.name}",
            table_name=table.table_name(self._prefix),
            partition_key=_attribute(table.partition),
            sort_key=None if table.sort is None else _attribute(table.sort),
            billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=True
            ),
            encryption=dynamodb.TableEncryption.AWS_MANAGED,
            time_to_live_attribute=table.ttl,
            stream=dynamodb.StreamViewType.NEW_AND_OLD_IMAGES if table.streamed else None,
            deletion_protection=self._holds_something,
            removal_policy=RETAIN,
        )
        replaced = REPLACED_INDEXES.get(table, ()) if self._keeps_replaced_indexes else ()
        kept = (index for index in table.indexes if not index.optional or index.name in self._query_indexes)
        for index in (*kept, *replaced):
            projection = dynamodb.ProjectionType.KEYS_ONLY if index.keys_only else dynamodb.ProjectionType.ALL
            made.add_global_secondary_index(
                index_name=index.name,
                partition_key=_attribute(index.partition),
                sort_key=None if index.sort is None else _attribute(index.sort),
                projection_type=projection,
            )
        return made

    def _wallet_keys(self, deployment: Deployment) -> list[kms.Key]:
        """Make the keys; the alias is the first one's, and where new wallets' keys are made."""
        keys = [self._wallet_key(deployment, number) for number in deployment.wallet_keys]
        alias = kms.Alias(
            self,
            "wallet-key-alias",
            alias_name=WALLET_KEY.alias(self._prefix),
            target_key=keys[0],
            removal_policy=RETAIN,
        )
        for other in keys[1:]:
            # Wallets are made while the alias moves: the key that it leaves may stop making them only then.
            other.node.add_dependency(alias)
        return keys

    def _wallet_key(self, deployment: Deployment, number: int) -> kms.Key:
        name = "wallet-key" if number == 1 else f"wallet-key-{number}"
        key = kms.Key(
            self,
            name,
            description="Mintline: wraps every key in custody; only the attested enclave unwraps.",
            enable_key_rotation=True,
            pending_window=cdk.Duration.days(30),
            policy=key_policy(deployment, number),
            # A later one may have wrapped keys before the update that makes it fails.
            removal_policy=RETAIN if number == 1 else cdk.RemovalPolicy.RETAIN,
        )
        cdk.CfnOutput(self, f"{name}-arn", value=key.key_arn)
        return key

    @property
    def wallet_key(self) -> kms.Key:
        """The key that wraps what is made now."""
        return self.wallet_keys[0]

    def _intake_key(self, deployment: Deployment) -> kms.Key:
        """Make the key that certifies the api's session keys; its public half goes into the document."""
        document = intake_key.key_policy(administrator=deployment.root_arn, api=deployment.role_arn("api"))
        key = kms.Key(
            self,
            "intake-key",
            description="Mintline: certifies the session keys by which the api signs what it accepts.",
            key_spec=kms.KeySpec.ECC_NIST_P256,
            key_usage=kms.KeyUsage.SIGN_VERIFY,
            pending_window=cdk.Duration.days(30),
            policy=iam.PolicyDocument.from_json(document),
            removal_policy=RETAIN,
        )
        kms.Alias(
            self,
            "intake-key-alias",
            alias_name=INTAKE_KEY.alias(self._prefix),
            target_key=key,
            removal_policy=RETAIN,
        )
        cdk.CfnOutput(self, "intake-key-arn", value=key.key_arn)
        return key

    def _webhook_key(self, deployment: Deployment) -> kms.Key:
        """Make the key that encrypts webhooks' secrets."""
        document = webhook_key.key_policy(
            administrator=deployment.root_arn,
            api=deployment.role_arn("api"),
            notifier=deployment.role_arn("notifier"),
        )
        key = kms.Key(
            self,
            "webhook-key",
            description="Mintline: encrypts webhooks' secrets; the notifier alone decrypts them.",
            enable_key_rotation=True,
            pending_window=cdk.Duration.days(30),
            policy=iam.PolicyDocument.from_json(document),
            removal_policy=RETAIN,
        )
        kms.Alias(
            self,
            "webhook-key-alias",
            alias_name=WEBHOOK_KEY.alias(self._prefix),
            target_key=key,
            removal_policy=RETAIN,
        )
        cdk.CfnOutput(self, "webhook-key-arn", value=key.key_arn)
        return key

    def _log_bucket(self) -> s3.Bucket:
        """Make the bucket for access logs, which names no one but AWS's log delivery."""
        return s3.Bucket(
            self,
            "access-logs",
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            encryption=s3.BucketEncryption.S3_MANAGED,
            enforce_ssl=True,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_PREFERRED,
            lifecycle_rules=[s3.LifecycleRule(expiration=cdk.Duration.days(90))],
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

    def _published(self, bucket: Bucket, made: s3.Bucket) -> cloudfront.Distribution:
        """Let only CloudFront read a bucket for the public."""
        headers = self._json_alone(bucket) if bucket.serves == "json" else self._media_alone(bucket)
        distribution = cloudfront.Distribution(
            self,
            f"public-{bucket.name}",
            comment=f"Mintline: public reads of {bucket.name}.",
            default_behavior=cloudfront.BehaviorOptions(
                origin=origins.S3BucketOrigin.with_origin_access_control(made),
                viewer_protocol_policy=cloudfront.ViewerProtocolPolicy.REDIRECT_TO_HTTPS,
                response_headers_policy=headers,
            ),
            minimum_protocol_version=cloudfront.SecurityPolicyProtocol.TLS_V1_2_2021,
            log_bucket=self.logs,
            log_file_prefix=f"cloudfront-{bucket.name}/",
            price_class=cloudfront.PriceClass.PRICE_CLASS_100,
        )
        _acknowledge_public(distribution)
        cdk.CfnOutput(self, f"{bucket.name}-url", value=f"https://{distribution.distribution_domain_name}")
        return distribution

    def _json_alone(self, bucket: Bucket) -> cloudfront.ResponseHeadersPolicy:
        """Label every answer as JSON, whatever type its object was stored with, and forbid browsers to guess.

        An object that holds HTML or a script is then shown as text, never run.
        """
        return cloudfront.ResponseHeadersPolicy(
            self,
            f"headers-{bucket.name}",
            response_headers_policy_name=f"{bucket.bucket_name(self._prefix)}-json",
            comment=f"Mintline: {bucket.name} is JSON, for every origin.",
            custom_headers_behavior=cloudfront.ResponseCustomHeadersBehavior(
                custom_headers=[
                    cloudfront.ResponseCustomHeader(
                        header="Content-Type", value="application/json", override=True
                    )
                ]
            ),
            security_headers_behavior=_no_scripts("default-src 'none'; sandbox"),
            cors_behavior=_EVERY_ORIGIN,
        )

    def _media_alone(self, bucket: Bucket) -> cloudfront.ResponseHeadersPolicy:
        """Forbid browsers to guess another type than a file was stored with, and to run anything in it."""
        return cloudfront.ResponseHeadersPolicy(
            self,
            f"headers-{bucket.name}",
            response_headers_policy_name=f"{bucket.bucket_name(self._prefix)}-media",
            comment=f"Mintline: {bucket.name} is images, videos and models, for every origin.",
            custom_headers_behavior=cloudfront.ResponseCustomHeadersBehavior(
                custom_headers=[
                    cloudfront.ResponseCustomHeader(
                        header="Cache-Control", value="public, max-age=31536000, immutable", override=True
                    )
                ]
            ),
            security_headers_behavior=_no_scripts(
                "default-src 'none'; img-src 'self'; media-src 'self'; sandbox"
            ),
            cors_behavior=_EVERY_ORIGIN,
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
        made = secretsmanager.Secret(
            self,
            name,
            secret_name=f"{self._prefix}/{name}",
            description=description,
            generate_secret_string=secretsmanager.SecretStringGenerator(
                password_length=64, exclude_punctuation=True
            ),
            removal_policy=RETAIN,
        )
        acknowledge(made, SMG4=kept)
        return made


def _no_scripts(policy: str) -> cloudfront.ResponseSecurityHeadersBehavior:
    return cloudfront.ResponseSecurityHeadersBehavior(
        content_type_options=cloudfront.ResponseHeadersContentTypeOptions(override=True),
        content_security_policy=cloudfront.ResponseHeadersContentSecurityPolicy(
            content_security_policy=policy, override=True
        ),
    )


def _restrict(queue: sqs.Queue, statements: list[dict[str, Any]]) -> None:
    for statement in statements:
        queue.add_to_resource_policy(iam.PolicyStatement.from_json(statement))


def _attribute(key: Key) -> dynamodb.Attribute:
    return dynamodb.Attribute(name=key.name, type=_TYPES[key.type])


def _acknowledge_public(distribution: cloudfront.Distribution) -> None:
    acknowledge(
        distribution,
        CFR1="Token metadata and media are read by marketplaces everywhere.",
        CFR2="It serves public objects by GET alone; there is no application behind.",
        CFR4="CloudFront's own domain name fixes the TLS floor; it rises with one's own certificate.",
    )
