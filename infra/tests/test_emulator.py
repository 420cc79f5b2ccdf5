"""The data stack, deployed to the emulator's CloudFormation, against what the local stack makes."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from emulator import deploy, emulator

from mintline.aws.provision import Clients, open_clients, provision
from mintline.aws.queues import Queues
from mintline.messages.work import BuildMint
from mintline.resources import BUCKETS, BUILD, METADATA, QUEUES, TABLES, WALLET_KEY
from mintline.settings import ServiceSettings
from synthesis import described, synthesized

CDK_PREFIX = "by-cdk"
LOCAL_PREFIX = "by-hand"
COMPARED_QUEUE_ATTRIBUTES = (
    "FifoQueue",
    "DeduplicationScope",
    "FifoThroughputLimit",
    "MessageRetentionPeriod",
    "VisibilityTimeout",
)


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    services = "sqs,dynamodb,s3,kms,secretsmanager,cloudformation,cloudfront,iam,ssm,sts"
    with emulator({"SERVICES": services}) as url:
        yield url


@pytest.fixture
async def clients(endpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Clients]:
    """Deploy both ways, side by side."""
    # The emulator takes twelve digits for the account.
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "111122223333")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    async with open_clients(ServiceSettings(aws_endpoint_url=endpoint)) as opened:
        await provision(opened, LOCAL_PREFIX)
        await deploy(synthesized(described(CDK_PREFIX), tmp_path)["data"], endpoint)
        yield opened


async def test_data_stack__when_deployed_to_the_emulator__then_it_is_what_the_local_stack_makes(
    clients: Clients,
) -> None:
    for table in TABLES:
        ours, theirs = [
            shape((await clients.dynamodb.describe_table(TableName=table.table_name(prefix)))["Table"])
            for prefix in (CDK_PREFIX, LOCAL_PREFIX)
        ]
        assert ours == theirs
    for queue in QUEUES:
        ours, theirs = [await queue_shape(clients, queue, prefix) for prefix in (CDK_PREFIX, LOCAL_PREFIX)]
        assert ours == theirs
    for bucket in BUCKETS:
        our_bucket, their_bucket = [
            await bucket_shape(clients, bucket.bucket_name(prefix)) for prefix in (CDK_PREFIX, LOCAL_PREFIX)
        ]
        assert our_bucket == their_bucket

    # What a service does at its start and with its first message, on the stack's own resources.
    queues = Queues(clients.sqs, CDK_PREFIX)
    message = BuildMint(mint_id="mint_" + "0" * 26)
    await queues.send(BUILD, message, group="0xabc", dedup="build:1")
    (received,) = await queues.receive(BUILD, wait=1)
    assert json.loads(received.body)["mint_id"] == message.mint_id
    await queues.delete(received)
    await queues.aclose()
    pair = await clients.kms.generate_data_key_pair_without_plaintext(
        KeyId=WALLET_KEY.alias(CDK_PREFIX),
        KeyPairSpec="ECC_SECG_P256K1",
        EncryptionContext={"sub": "platform:issuer", "chain": "1"},
    )
    assert pair["PrivateKeyCiphertextBlob"]
    await clients.s3.put_object(Bucket=METADATA.bucket_name(CDK_PREFIX), Key="1/x", Body=b"{}")


def shape(table: Any) -> dict[str, Any]:
    """Return what a table's readers and writers rely on."""
    return {
        "keys": table["KeySchema"],
        "attributes": {a["AttributeName"]: a["AttributeType"] for a in table["AttributeDefinitions"]},
        "billing": table["BillingModeSummary"]["BillingMode"],
        "indexes": {
            index["IndexName"]: (index["KeySchema"], index["Projection"]["ProjectionType"])
            for index in table.get("GlobalSecondaryIndexes", [])
        },
    }


async def queue_shape(clients: Clients, queue: Any, prefix: str) -> dict[str, Any]:
    """Return a queue's attributes with its dead-letter queue's, and how one leads to the other."""
    sqs = clients.sqs
    shape: dict[str, Any] = {}
    for role, name in (("main", queue.queue_name(prefix)), ("dead", queue.dead_letter_name(prefix))):
        url = (await sqs.get_queue_url(QueueName=name))["QueueUrl"]
        response = await sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])
        attributes: Any = response["Attributes"]
        shape[role] = {name: attributes.get(name) for name in COMPARED_QUEUE_ATTRIBUTES}
        if redrive := attributes.get("RedrivePolicy"):
            policy = json.loads(redrive)
            shape["max_receives"] = int(policy["maxReceiveCount"])
            shape["redrives_to_own"] = policy["deadLetterTargetArn"].endswith(queue.dead_letter_name(prefix))
    assert shape["redrives_to_own"]
    return shape


async def bucket_shape(clients: Clients, name: str) -> tuple[Any, Any]:
    s3 = clients.s3
    versioning = await s3.get_bucket_versioning(Bucket=name)
    block = await s3.get_public_access_block(Bucket=name)
    return versioning["Status"], block["PublicAccessBlockConfiguration"]
