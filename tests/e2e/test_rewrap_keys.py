"""Another KMS key takes over: the enclave wraps every key again, and the old one is switched off."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from mintline.resources import WALLET_KEY
from mintline_client.api import Api
from mintline_client.minting import follow
from mintline_client.sign_in import sign_in
from mintline_devstack.running_stack import running_stack
from mintline_ops.aws_clients import AwsCredentials, aws_client

pytestmark = pytest.mark.e2e
KEYS = 6
"""The issuer's, the treasury's, two relayers', the authorization key and the one user's."""


@dataclass(frozen=True)
class Harness:
    state: Path
    info: dict[str, Any]

    async def mint(self, name: str) -> Any:
        pool = self.info["cognito"]
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(30)) as http:
            signed = await sign_in(http, self.info, username=pool["username"], password=pool["password"])
            api = Api(http, self.info["api_url"], signed.access_token)
            body = {"metadata": {"name": name, "image": "https://example.com/1.png"}}
            accepted = await api.post("/v1/mints", body, idempotency_key=name)
            async with asyncio.timeout(60):
                return await follow(api, accepted, passed=lambda *_: None)

    @asynccontextmanager
    async def kms(self, *, behind_the_front: bool = False) -> AsyncIterator[Any]:
        async with aws_client(
            "kms",
            endpoint_url=self.info["aws_endpoint_url" if behind_the_front else "kms_url"],
            region=self.info["region"],
            credentials=AwsCredentials(**self.info["operator"]),
        ) as client:
            yield client

    async def rewrap(self, to: str, *more: str) -> tuple[int, Any]:
        argv = ("wallets", "rewrap", "--to", to, "--state", str(self.state), "--json", *more)
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "mintline_cli", *argv), stdout=asyncio.subprocess.PIPE
        )
        output, _ = await process.communicate()
        assert process.returncode is not None
        return process.returncode, json.loads(output)


@asynccontextmanager
async def line_of(state: Path) -> AsyncIterator[Harness]:
    async with running_stack(state, ports="free") as running:
        yield Harness(state, running.info)


async def test_rewrap__when_done__the_line_mints_with_the_old_kms_key_switched_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with line_of(tmp_path) as line, line.kms() as kms:
        await line.mint("under the old key")
        alias = WALLET_KEY.alias(line.info["prefix"])
        old = (await kms.describe_key(KeyId=alias))["KeyMetadata"]["Arn"]
        new = (await kms.create_key(Description="the next one"))["KeyMetadata"]["Arn"]
        code, unnamed = await line.rewrap(new)
        assert code == 1, "the enclave's policy names no other key yet"
        assert {failure["reason"].partition(":")[0] for failure in unnamed["failed"]} == {"key_rewrap"}

    monkeypatch.setenv("MINTLINE_REWRAP_TO", new)
    async with line_of(tmp_path) as line, line.kms() as kms:
        await line.mint("before it is wrapped again")
        planned = await line.rewrap(new, "--dry-run")
        done = await line.rewrap(new)
        again = await line.rewrap(new)
        await line.mint("while both are in use")
        await kms.update_alias(AliasName=alias, TargetKeyId=new)

    assert planned == done == (0, {"to": new, "rewrapped": KEYS, "failed": []})
    assert again == (0, {"to": new, "there": KEYS, "failed": []})

    monkeypatch.delenv("MINTLINE_REWRAP_TO")
    async with line_of(tmp_path) as line, line.kms(behind_the_front=True) as emulator:
        await emulator.disable_key(KeyId=old)
        minted = await line.mint("under the new key")

    assert minted["status"] == "finalized"
