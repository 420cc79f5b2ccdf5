"""Creates every resource that `mintline.resources` declares, and finds what is there already."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from mintline.aws.errors import error_code, translated
from mintline.aws.session import AwsCalls, open_client
from mintline.errors import Unavailable
from mintline.queue_policy import dead_letter_statements, queue_statements
from mintline.resource_types import Bucket, Index, KmsKey, Queue, Table
from mintline.resources import BUCKETS, KMS_KEYS, QUEUES, TABLES
from mintline.settings import ServiceSettings

if TYPE_CHECKING:
    from types_aiobotocore_dynamodb import DynamoDBClient
    from types_aiobotocore_dynamodb.type_defs import StreamSpecificationTypeDef
    from types_aiobotocore_kms import KMSClient
    from types_aiobotocore_s3 import S3Client
    from types_aiobotocore_s3.type_defs import CORSRuleTypeDef
    from types_aiobotocore_sqs import SQSClient

_STREAM: StreamSpecificationTypeDef = {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}
ACTIVE_POLLS = 120
POLL_SECONDS = 0.5
_UPLOADS_FROM_BROWSERS: CORSRuleTypeDef = {
    "AllowedMethods": ["PUT"],
    "AllowedOrigins": ["*"],
    "AllowedHeaders": ["*"],
    "MaxAgeSeconds": 3600,
}


@dataclass(frozen=True, slots=True)
class Clients:
    """The clients that own resources."""

    sqs: SQSClient
    dynamodb: DynamoDBClient
    s3: S3Client
    kms: KMSClient


@dataclass(frozen=True, slots=True)
class Provisioned:
    """What one deployment consists of, by the names and ids that AWS knows it under."""

    queue_urls: dict[str, str]
    dead_letter_urls: dict[str, str]
    tables: dict[str, str]
    buckets: dict[str, str]
    key_arns: dict[str, str]


@asynccontextmanager
async def open_clients(
    settings: ServiceSettings, *, calls: AwsCalls | None = None, kms_endpoint_url: str | None = None
) -> AsyncIterator[Clients]:
    """Open the clients that `provision` needs."""
    counted = calls or AwsCalls()
    async with AsyncExitStack() as stack:
        yield Clients(
            sqs=await open_client(stack, "sqs", settings, calls=counted),
            dynamodb=await open_client(stack, "dynamodb", settings, calls=counted),
            s3=await open_client(stack, "s3", settings, calls=counted),
            kms=await open_client(stack, "kms", settings, calls=counted, endpoint_url=kms_endpoint_url),
        )


async def provision(clients: Clients, prefix: str) -> Provisioned:
    """Create what is missing and return everything; safe to repeat and to race."""
    with translated():
        queues, tables, buckets, keys = await asyncio.gather(
            _gathered((queue.name, _queue(clients.sqs, queue, prefix)) for queue in QUEUES),
            _gathered((table.name, _table(clients.dynamodb, table, prefix)) for table in TABLES),
            _gathered((bucket.name, _bucket(clients.s3, bucket, prefix)) for bucket in BUCKETS),
            _gathered((key.name, _key(clients.kms, key, prefix)) for key in KMS_KEYS),
        )
    return Provisioned(
        queue_urls={name: url for name, (url, _) in queues.items()},
        dead_letter_urls={name: url for name, (_, url) in queues.items()},
        tables=tables,
        buckets=buckets,
        key_arns=keys,
    )


async def deprovision(clients: Clients, prefix: str) -> None:
    """Delete one deployment's queues, tables, objects, buckets and key aliases, with all they hold."""
    with translated():
        await asyncio.gather(
            *(
                _delete_queue(clients.sqs, name)
                for q in QUEUES
                for name in (q.queue_name(prefix), q.dead_letter_name(prefix))
            ),
            *(
                _tolerating(
                    clients.dynamodb.delete_table(TableName=t.table_name(prefix)), "ResourceNotFoundException"
                )
                for t in TABLES
            ),
            *(_empty_and_delete(clients.s3, b.bucket_name(prefix)) for b in BUCKETS),
            *(_delete_key(clients.kms, k.alias(prefix)) for k in KMS_KEYS),
        )


async def _gathered(named: Iterable[tuple[str, Awaitable[Any]]]) -> dict[str, Any]:
    pairs = list(named)
    results = await asyncio.gather(*(work for _, work in pairs))
    return {name: result for (name, _), result in zip(pairs, results, strict=True)}


async def _tolerating(call: Awaitable[Any], *codes: str) -> Any:
    """Await an AWS call, and return None where it fails with one of `codes`."""
    try:
        return await call
    except ClientError as error:
        if error_code(error) in codes:
            return None
        raise


async def _queue(sqs: SQSClient, queue: Queue, prefix: str) -> tuple[str, str]:
    """Create a queue and its dead-letter queue; high throughput, so both scopes are the message group."""
    fifo = {
        "FifoQueue": "true",
        "DeduplicationScope": "messageGroup",
        "FifoThroughputLimit": "perMessageGroupId",
        "MessageRetentionPeriod": str(queue.retention),
    }
    dead_url = await _create_queue(sqs, queue.dead_letter_name(prefix), fifo)
    dead_arn = await _queue_arn(sqs, dead_url)
    redrive = {"deadLetterTargetArn": dead_arn, "maxReceiveCount": queue.max_receives}
    attributes = fifo | {
        "VisibilityTimeout": str(queue.visibility_timeout),
        "RedrivePolicy": json.dumps(redrive),
    }
    url = await _create_queue(sqs, queue.queue_name(prefix), attributes)
    arn = await _queue_arn(sqs, url)

    def role_arn(role: str) -> str:
        account = arn.split(":")[4]
        return f"arn:aws:iam::{account}:role/{prefix}-{role}"

    await _set_policy(sqs, dead_url, dead_letter_statements(queue, arn=dead_arn, role_arn=role_arn))
    await _set_policy(sqs, url, queue_statements(queue, arn=arn, role_arn=role_arn))
    return url, dead_url


async def _queue_arn(sqs: SQSClient, url: str) -> str:
    response = await sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    return response["Attributes"]["QueueArn"]


async def _set_policy(sqs: SQSClient, url: str, statements: list[dict[str, Any]]) -> None:
    policy = {"Version": "2012-10-17", "Statement": statements}
    await sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps(policy)})


async def _create_queue(sqs: SQSClient, name: str, attributes: Any) -> str:
    try:
        return (await sqs.create_queue(QueueName=name, Attributes=attributes))["QueueUrl"]
    except ClientError as error:
        if not error_code(error).endswith(("QueueNameExists", "QueueAlreadyExists")):
            raise
    # It exists with other attributes: bring it up to the declaration.
    url = (await sqs.get_queue_url(QueueName=name))["QueueUrl"]
    changeable = {key: value for key, value in attributes.items() if key != "FifoQueue"}
    await sqs.set_queue_attributes(QueueUrl=url, Attributes=changeable)
    return url


async def _table(dynamodb: DynamoDBClient, table: Table, prefix: str) -> str:
    name = table.table_name(prefix)
    arguments: dict[str, Any] = {
        "TableName": name,
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": _definitions(table, *table.indexes),
        "KeySchema": _schema(table),
    }
    if table.indexes:
        arguments["GlobalSecondaryIndexes"] = [_index(index) for index in table.indexes]
    if table.streamed:
        arguments["StreamSpecification"] = _STREAM
    await _tolerating(dynamodb.create_table(**arguments), "ResourceInUseException")
    await _active(dynamodb, name)
    await _add_missing_indexes(dynamodb, table, name)
    if table.streamed:
        await _add_missing_stream(dynamodb, name)
    if table.ttl is not None:
        specification: Any = {"Enabled": True, "AttributeName": table.ttl}
        await _tolerating(
            dynamodb.update_time_to_live(TableName=name, TimeToLiveSpecification=specification),
            "ValidationException",  # it is enabled already
        )
    return name


async def _add_missing_indexes(dynamodb: DynamoDBClient, table: Table, name: str) -> None:
    """Give a table of an earlier version the indexes that came since; DynamoDB builds one at a time.

    Items of that version are in a new index only as far as they have its key attributes.
    """
    described = (await dynamodb.describe_table(TableName=name))["Table"]
    present = {index.get("IndexName") for index in described.get("GlobalSecondaryIndexes", [])}
    for index in table.indexes:
        if index.name in present:
            continue
        definitions: Any = _definitions(table, index)
        create: Any = {"Create": _index(index)}
        update = dynamodb.update_table(
            TableName=name, AttributeDefinitions=definitions, GlobalSecondaryIndexUpdates=[create]
        )
        # Another copy adds it just now, or has.
        await _tolerating(update, "ResourceInUseException", "ValidationException")
        await _active(dynamodb, name)


async def _add_missing_stream(dynamodb: DynamoDBClient, name: str) -> None:
    """Give a table of an earlier version its stream of changes, which begins then."""
    described = (await dynamodb.describe_table(TableName=name))["Table"]
    if not described.get("StreamSpecification", {}).get("StreamEnabled"):
        update = dynamodb.update_table(TableName=name, StreamSpecification=_STREAM)
        await _tolerating(
            update, "ResourceInUseException", "ValidationException"
        )  # another copy does, or has
        await _active(dynamodb, name)


def _definitions(*sources: Table | Index) -> list[dict[str, str]]:
    keys = (key for source in sources for key in (source.partition, source.sort) if key is not None)
    declared = {key.name: key.type for key in keys}
    return [{"AttributeName": name, "AttributeType": kind} for name, kind in declared.items()]


def _index(index: Index) -> dict[str, Any]:
    return {
        "IndexName": index.name,
        "KeySchema": _schema(index),
        "Projection": {"ProjectionType": "KEYS_ONLY" if index.keys_only else "ALL"},
    }


def _schema(source: Table | Index) -> list[dict[str, str]]:
    schema = [{"AttributeName": source.partition.name, "KeyType": "HASH"}]
    if source.sort is not None:
        schema.append({"AttributeName": source.sort.name, "KeyType": "RANGE"})
    return schema


async def _active(dynamodb: DynamoDBClient, name: str) -> None:
    for _ in range(ACTIVE_POLLS):
        table = (await dynamodb.describe_table(TableName=name))["Table"]
        states = [
            table["TableStatus"],
            *(i.get("IndexStatus", "ACTIVE") for i in table.get("GlobalSecondaryIndexes", [])),
        ]
        if all(state == "ACTIVE" for state in states):
            return
        await asyncio.sleep(POLL_SECONDS)
    raise Unavailable(f"table {name} did not become active")


async def _bucket(s3: S3Client, bucket: Bucket, prefix: str) -> str:
    name = bucket.bucket_name(prefix)
    region = s3.meta.region_name
    arguments: dict[str, Any] = {"Bucket": name}
    if region != "us-east-1":
        arguments["CreateBucketConfiguration"] = {"LocationConstraint": region}
    await _tolerating(s3.create_bucket(**arguments), "BucketAlreadyOwnedByYou")
    await s3.put_public_access_block(
        Bucket=name,
        PublicAccessBlockConfiguration={
            "BlockPublicAcls": True,
            "IgnorePublicAcls": True,
            "BlockPublicPolicy": True,
            "RestrictPublicBuckets": True,
        },
    )
    await s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    if bucket.takes_uploads:
        await s3.put_bucket_cors(Bucket=name, CORSConfiguration={"CORSRules": [_UPLOADS_FROM_BROWSERS]})
    if bucket.expires_days is not None:
        await s3.put_bucket_lifecycle_configuration(
            Bucket=name,
            LifecycleConfiguration={
                "Rules": [
                    {
                        "ID": "expire",
                        "Status": "Enabled",
                        "Filter": {"Prefix": ""},
                        "Expiration": {"Days": bucket.expires_days},
                        "NoncurrentVersionExpiration": {"NoncurrentDays": 1},
                    }
                ]
            },
        )
    return name


async def _key(kms: KMSClient, key: KmsKey, prefix: str) -> str:
    """Find a key by its alias or create both; of two racing creators the alias's first owner wins."""
    alias = key.alias(prefix)
    described: Any = await _tolerating(kms.describe_key(KeyId=alias), "NotFoundException")
    if described is None:
        kind: Any = {"KeySpec": "ECC_NIST_P256", "KeyUsage": "SIGN_VERIFY"} if key.signs else {}
        created = (await kms.create_key(Description=f"Mintline: {key.name}", **kind))["KeyMetadata"]
        new_key: Any = await _tolerating(
            _returning(kms.create_alias(AliasName=alias, TargetKeyId=created["KeyId"])),
            "AlreadyExistsException",
        )
        if new_key is None:
            await kms.schedule_key_deletion(KeyId=created["KeyId"], PendingWindowInDays=7)
        described = await kms.describe_key(KeyId=alias)
    return str(described["KeyMetadata"]["Arn"])


async def _returning(call: Awaitable[Any]) -> bool:
    await call
    return True


async def _delete_queue(sqs: SQSClient, name: str) -> None:
    gone = ("AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist")
    response = await _tolerating(sqs.get_queue_url(QueueName=name), *gone)
    if response is not None:
        await _tolerating(sqs.delete_queue(QueueUrl=response["QueueUrl"]), *gone)


async def _empty_and_delete(s3: S3Client, name: str) -> None:
    try:
        async for page in s3.get_paginator("list_object_versions").paginate(Bucket=name):
            versions: list[Any] = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
            objects: list[Any] = [{"Key": v["Key"], "VersionId": v["VersionId"]} for v in versions]
            if objects:
                await s3.delete_objects(Bucket=name, Delete={"Objects": objects, "Quiet": True})
        await s3.delete_bucket(Bucket=name)
    except ClientError as error:
        if error_code(error) != "NoSuchBucket":
            raise


async def _delete_key(kms: KMSClient, alias: str) -> None:
    described: Any = await _tolerating(kms.describe_key(KeyId=alias), "NotFoundException")
    if described is not None:
        await kms.delete_alias(AliasName=alias)
        await kms.schedule_key_deletion(KeyId=described["KeyMetadata"]["KeyId"], PendingWindowInDays=7)
