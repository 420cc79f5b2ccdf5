"""The stack, minting on the queues, tables, bucket and key that CloudFormation made from the data stack."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from emulator import client, deploy, emulator

from mintline.resources import BUCKETS, KMS_KEYS, QUEUES, TABLES
from synthesis import ROOT, described, synthesized

PREFIX, ACCOUNT = "mintline", "000000000000"
"""The local line's own."""
SERVICES = "sqs,dynamodb,s3,kms,secretsmanager,cognito-idp,cloudformation,cloudfront,iam,ssm,sts"
MINTLINE = ROOT / ".venv/bin/mintline"


def kept_in(state: Path) -> dict[str, str]:
    """Return the settings by which the emulator keeps its state where the stack will look for it."""
    folder = state / "ministack"
    folder.mkdir(parents=True, exist_ok=True)
    return {
        "SERVICES": SERVICES,
        "MINISTACK_HOST": "127.0.0.1",  # queues are known by their whole URL
        "PERSIST_STATE": "1",
        "STATE_DIR": str(folder / "state"),
        "S3_PERSIST": "1",
        "S3_DATA_DIR": str(folder / "s3"),
    }


async def identities(endpoint: str) -> dict[str, Any]:
    """Return what tells each resource from another of the same name: making it again would change that."""
    by_name: dict[str, Any] = {}
    async with client("dynamodb", endpoint) as dynamodb:
        for table in TABLES:
            described = await dynamodb.describe_table(TableName=table.table_name(PREFIX))
            by_name[table.name] = (described["Table"]["TableId"], described["Table"]["CreationDateTime"])
    async with client("sqs", endpoint) as sqs:
        urls = (await sqs.list_queues(QueueNamePrefix=PREFIX))["QueueUrls"]
        assert len(urls) == 2 * len(QUEUES)
        for url in urls:
            response = await sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["CreatedTimestamp"])
            by_name[url.rpartition("/")[2]] = response["Attributes"]["CreatedTimestamp"]
    async with client("s3", endpoint) as s3:
        created = {listed["Name"]: listed["CreationDate"] for listed in (await s3.list_buckets())["Buckets"]}
        by_name |= {name: created[name] for name in (bucket.bucket_name(PREFIX) for bucket in BUCKETS)}
    async with client("kms", endpoint) as kms:
        for key in KMS_KEYS:
            response = await kms.describe_key(KeyId=key.alias(PREFIX))
            by_name[key.name] = response["KeyMetadata"]["KeyId"]
    return by_name


def mint_one(state: Path) -> dict[str, Any]:
    """Run the stack from a state folder, and return its one mint; `demo` checks it on chain."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    done = subprocess.run(
        [MINTLINE, "demo", "--state", str(state)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    minted: dict[str, Any] = json.loads(done.stdout)
    return minted


async def test_line__when_cloudformation_made_its_resources__mints_on_them_and_makes_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "LOCALTEST")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    state = tmp_path / "line"
    template = synthesized(described(PREFIX, account=ACCOUNT), tmp_path / "cdk")["data"]
    with emulator(kept_in(state)) as endpoint:
        await deploy(template, endpoint)
        before = await identities(endpoint)

    minted = mint_one(state)

    assert minted["status"] == "finalized"
    with emulator(kept_in(state)) as endpoint:
        assert await identities(endpoint) == before
        async with client("dynamodb", endpoint) as dynamodb:
            mints = await dynamodb.scan(TableName=f"{PREFIX}-mints")
        on_record = sorted(item["mint_id"]["S"] for item in mints["Items"])
        assert on_record == sorted([minted["mint_id"], minted["sponsored"]["mint_id"]])
