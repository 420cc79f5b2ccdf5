"""The whole pipeline, looked at as an operator does: one mint's timeline, and every service's metrics."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from prometheus_client.parser import text_string_to_metric_families

from mintline_client.api import Api
from mintline_client.minting import follow
from mintline_client.sign_in import sign_in
from mintline_devstack.running_stack import running_stack
from mintline_ops.aws_clients import AwsCredentials

pytestmark = [pytest.mark.integration, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def line(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[dict[str, Any]]:
    """A running stack that has finalized one mint, `mint_id`."""
    async with running_stack(tmp_path_factory.mktemp("line"), ports="free") as stack:
        info = stack.info
        user = info["cognito"]
        async with aiohttp.ClientSession() as http:
            signed = await sign_in(http, info, username=user["username"], password=user["password"])
            api = Api(http, info["api_url"], signed.access_token)
            body = {"metadata": {"name": "seen", "image": "https://example.com/seen.png"}}
            accepted = await api.post("/v1/mints", body, idempotency_key="seen")
            await follow(api, accepted, passed=lambda *_: None)
        yield {**info, "mint_id": accepted["mint_id"]}


@dataclass(frozen=True, slots=True)
class Ran:
    exit_code: int | None
    stdout: str
    stderr: str


async def trace(*arguments: str, **environment: str) -> Ran:
    process = await asyncio.create_subprocess_exec(
        str(Path(sys.executable).with_name("mintline")),
        "trace",
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={"PATH": "", **environment},
    )
    stdout, stderr = await process.communicate()
    return Ran(process.returncode, stdout.decode(), stderr.decode())


async def test_trace__when_a_mint_is_finalized__tells_its_way_through_every_service(
    line: dict[str, Any],
) -> None:
    result = await trace(line["mint_id"], "--state", line["state_dir"], "--json")
    assert result.exit_code == 0, result.stderr
    events = json.loads(result.stdout)["events"]
    assert [event["at"] for event in events] == sorted(event["at"] for event in events)
    recorded = [event["event"] for event in events if event["source"] == "record"]
    assert recorded == ["accepted", "built", "submitted", "mined", "finalized"]
    logged = {event["event"] for event in events if event["source"] != "record"}
    assert {"mint_accepted", "http_request", "mint_built", "intent_signed", "transaction_sent"} <= logged


async def test_trace__when_the_mint_is_unknown__says_so_in_one_line(line: dict[str, Any]) -> None:
    result = await trace("mint_Z", "--state", line["state_dir"])
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "error: mint_unknown: there is no mint mint_Z\n"


async def test_trace__when_there_is_no_such_deployment__says_so_in_one_line(
    line: dict[str, Any],
) -> None:
    result = await trace(
        *("mint_Z", "--prefix", "other", "--endpoint-url", line["aws_endpoint_url"]),
        **AwsCredentials(**line["operator"]).environment(),
    )
    assert result.exit_code == 1
    assert result.stderr == "error: cannot read the table of mints: ResourceNotFoundException\n"


async def test_metrics__when_a_mint_is_finalized__show_it_in_every_service(line: dict[str, Any]) -> None:
    values: dict[tuple[str, str], float] = {}
    async with aiohttp.ClientSession() as http:
        for service, url in line["admin"].items():
            async with http.get(f"{url}/metrics") as response:
                text = await response.text()
            for family in text_string_to_metric_families(text):
                for sample in family.samples:
                    labels = ",".join(sample.labels.values())
                    values[service, f"{sample.name}({labels})"] = sample.value
    assert values["api", "mintline_mints_total(accepted)"] == 1
    assert values["builder", "mintline_mints_total(built)"] == 1
    assert values["builder", "mintline_stage_seconds_count(built)"] == 1
    assert values["signer-host", "mintline_message_age_seconds_count(sign)"] >= 1
    assert values["signer-host", "mintline_cache_lookups_total(wrapped_keys,miss)"] == 3
    assert values["broadcaster", "mintline_mints_total(submitted)"] == 1
    assert values["broadcaster", "mintline_stage_seconds_count(submitted)"] == 1
    assert values["broadcaster", "mintline_broadcaster_sends_total(accepted)"] == 2
    assert values["indexer", "mintline_stage_seconds_count(mined)"] == 1
    assert values["indexer", "mintline_stage_seconds_count(finalized)"] == 1
