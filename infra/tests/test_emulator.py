"""The data stack, deployed to the emulator's CloudFormation, against what the local stack makes."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from aiobotocore.session import get_session

from mintline.aws.provision import Clients, open_clients, provision
from mintline.aws.queues import Queues
from mintline.messages import BuildMint
from mintline.resources import BUCKETS, BUILD, METADATA, QUEUES, TABLES, WALLET_KEY
from mintline.settings import ServiceSettings
from synthesis import ROOT, described, synthesized

MINISTACK = ROOT / ".venv/ministack/bin/ministack"
CDK_PREFIX = "by-cdk"
LOCAL_PREFIX = "by-hand"
COMPARED_QUEUE_ATTRIBUTES = (
    "FifoQueue",
    "DeduplicationScope",
    "FifoThroughputLimit",
    "MessageRetentionPeriod",
    "VisibilityTimeout",
)


@dataclass(frozen=True, slots=True)
class Emulated:
    """Both deployments, side by side."""

    clients: Clients
    cloudformation: Any


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    if not MINISTACK.exists():
        pytest.skip("the emulator is not installed: run `make setup`")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
        "GATEWAY_PORT": str(port),
        "BIND_HOST": "127.0.0.1",
        "LOG_LEVEL": "WARNING",
        "SERVICES": "sqs,dynamodb,s3,kms,secretsmanager,cloudformation,cloudfront,iam,ssm,sts",
    }
    with tempfile.TemporaryFile() as output:
        child = subprocess.Popen([MINISTACK], env=environment, stdout=output, stderr=output)
        try:
            wait_until_healthy(url, child)
            yield url
        finally:
            child.terminate()
            child.wait(10)


def wait_until_healthy(url: str, child: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and child.poll() is None:
        with suppress(urllib.error.URLError, OSError):
            with urllib.request.urlopen(f"{url}/_ministack/health", timeout=2) as answer:
                answer.read()
            return
        time.sleep(0.1)
    raise AssertionError("the emulator did not start")


@pytest.fixture
async def emulated(endpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Emulated]:
    monkeypatch.setenv(
        "AWS_ACCESS_KEY_ID", "111122223333"
    )  # the emulator takes twelve digits for the account
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    settings = ServiceSettings(aws_endpoint_url=endpoint)
    template = synthesized(described(CDK_PREFIX), tmp_path)["data"]
    async with AsyncExitStack() as stack:
        clients = await stack.enter_async_context(open_clients(settings))
        cloudformation = await stack.enter_async_context(
            get_session().create_client("cloudformation", region_name="us-east-1", endpoint_url=endpoint)
        )
        ssm: Any = await stack.enter_async_context(
            get_session().create_client("ssm", region_name="us-east-1", endpoint_url=endpoint)
        )
        # What `cdk bootstrap` leaves in an account, and every template asks for.
        await ssm.put_parameter(Name="/cdk-bootstrap/hnb659fds/version", Value="30", Type="String")
        await provision(clients, LOCAL_PREFIX)
        await cloudformation.create_stack(StackName="data", TemplateBody=json.dumps(template))
        await cloudformation.get_waiter("stack_create_complete").wait(
            StackName="data", WaiterConfig={"Delay": 1, "MaxAttempts": 60}
        )
        yield Emulated(clients, cloudformation)


async def test_data_stack__when_deployed_to_the_emulator__then_it_is_what_the_local_stack_makes(
    emulated: Emulated,
) -> None:
    for table in TABLES:
        ours, theirs = [
            shape(
                (await emulated.clients.dynamodb.describe_table(TableName=table.table_name(prefix)))["Table"]
            )
            for prefix in (CDK_PREFIX, LOCAL_PREFIX)
        ]
        assert ours == theirs
    for queue in QUEUES:
        ours, theirs = [await queue_shape(emulated, queue, prefix) for prefix in (CDK_PREFIX, LOCAL_PREFIX)]
        assert ours == theirs
    for bucket in BUCKETS:
        our_bucket, their_bucket = [
            await bucket_shape(emulated, bucket.bucket_name(prefix)) for prefix in (CDK_PREFIX, LOCAL_PREFIX)
        ]
        assert our_bucket == their_bucket

    # What a service does at its start and with its first message, on the stack's own resources.
    queues = Queues(emulated.clients.sqs, CDK_PREFIX)
    message = BuildMint(mint_id="mint_" + "0" * 26)
    await queues.send(BUILD, message, group="0xabc", dedup="build:1")
    (received,) = await queues.receive(BUILD, wait=1)
    assert json.loads(received.body)["mint_id"] == message.mint_id
    await queues.delete(received)
    await queues.aclose()
    pair = await emulated.clients.kms.generate_data_key_pair_without_plaintext(
        KeyId=WALLET_KEY.alias(CDK_PREFIX),
        KeyPairSpec="ECC_SECG_P256K1",
        EncryptionContext={"sub": "platform:issuer", "chain": "1"},
    )
    assert pair["PrivateKeyCiphertextBlob"]
    await emulated.clients.s3.put_object(Bucket=METADATA.bucket_name(CDK_PREFIX), Key="1/x", Body=b"{}")


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


async def queue_shape(emulated: Emulated, queue: Any, prefix: str) -> dict[str, Any]:
    """Return a queue's attributes with its dead-letter queue's, and how one leads to the other."""
    sqs = emulated.clients.sqs
    found: dict[str, Any] = {}
    for role, name in (("main", queue.queue_name(prefix)), ("dead", queue.dead_letter_name(prefix))):
        url = (await sqs.get_queue_url(QueueName=name))["QueueUrl"]
        answer = await sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])
        attributes: Any = answer["Attributes"]
        found[role] = {name: attributes.get(name) for name in COMPARED_QUEUE_ATTRIBUTES}
        if redrive := attributes.get("RedrivePolicy"):
            policy = json.loads(redrive)
            found["max_receives"] = int(policy["maxReceiveCount"])
            found["redrives_to_own"] = policy["deadLetterTargetArn"].endswith(queue.dead_letter_name(prefix))
    assert found["redrives_to_own"]
    return found


async def bucket_shape(emulated: Emulated, name: str) -> tuple[Any, Any]:
    s3 = emulated.clients.s3
    versioning = await s3.get_bucket_versioning(Bucket=name)
    block = await s3.get_public_access_block(Bucket=name)
    return versioning["Status"], block["PublicAccessBlockConfiguration"]
