"""A backend mints many tokens by one request, while processes of the pipeline are killed."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from typing import TYPE_CHECKING, Any

import pytest

from mintline.canonical_json import canonical_json
from mintline.eth import to_checksum_address
from mintline.object_keys import metadata_object_key
from mintline.resources import METADATA
from mintline_ops.aws_clients import operator_client
from mintline_ops.deployments import target_of_local_stack
from mintline_ops.metadata.unpack import unpack_metadata
from tests.e2e.conftest import demo_client, metadata

if TYPE_CHECKING:
    from tests.e2e.conftest import Harness

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="session")]

LINES = 120


async def test_bulk__when_processes_are_killed__then_each_line_is_one_token_and_its_metadata_is_served(
    harness: Harness,
) -> None:
    shop = await demo_client(harness)
    run = secrets.token_hex(4)
    recipients = [to_checksum_address(secrets.token_bytes(20)) for _ in range(LINES)]
    texts = [metadata(f"bulk {run} {number}") for number in range(LINES)]
    lines: list[Any] = [
        {"recipient": {"address": to}, "metadata": text, "external_id": f"{run}-{number}", "tags": [run]}
        for number, (to, text) in enumerate(zip(recipients, texts, strict=True))
    ]

    posting = asyncio.create_task(shop.patient.mints.create_many(lines, idempotency_key=run))
    await asyncio.sleep(0.05)
    await harness.kill("api")
    accepted = await asyncio.wait_for(posting, 60)
    await harness.kill("builder")

    mints = await asyncio.gather(
        *(shop.until(mint_id, "finalized", within=180) for mint_id in accepted["mint_ids"])
    )
    assert [mint["to"] for mint in mints] == recipients
    ids = [int(mint["token_id"]) for mint in mints]
    assert ids == list(range(ids[0], ids[0] + LINES))
    for mint, text in zip(mints, texts, strict=True):
        served = await shop.client.api.get(mint["metadata_url"].removeprefix(harness.info["api_url"]))
        assert served == text
        assert mint["metadata_digest"] == "0x" + hashlib.sha256(canonical_json(text).encode()).hexdigest()
    shown = await shop.client.mints.wait_many(accepted, patience=1)
    assert shown["statuses"] == {"finalized": LINES}
    again = await shop.client.mints.create_many(lines, idempotency_key=run)
    assert again["mint_ids"] == accepted["mint_ids"]
    bad = await shop.call("POST", "/v1/mints/bulk", {"mints": [lines[0], {**lines[1], "external_id": "x"}]})
    assert (bad.status, bad.body["errors"][0]["pointer"]) == (422, "#/mints/0/external_id")

    await unpack(harness, mints[0], texts[0])


async def unpack(harness: Harness, mint: Any, text: Any) -> None:
    """Write objects of one token each, twice, and read one."""
    info = harness.info
    first, second = [await unpack_metadata(target_of_local_stack(info)) for _ in range(2)]
    assert first.written >= LINES
    assert (second.written, second.clean) == (0, True)
    async with operator_client("s3", info) as s3:
        key = metadata_object_key(info["chain_id"], mint["contract"], int(mint["token_id"]))
        stored = await s3.get_object(Bucket=METADATA.bucket_name(info["prefix"]), Key=key)
        assert await stored["Body"].read() == canonical_json(text).encode()
