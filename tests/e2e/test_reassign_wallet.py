"""A user is re-created in the pool: the wallet goes over to the new `sub` by a policy roll and a command."""

from __future__ import annotations

import asyncio
import base64
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from mintline_client.api import Api
from mintline_client.minting import follow
from mintline_client.sign_in import sign_in
from mintline_devstack.running_stack import running_stack
from mintline_ops.aws_clients import operator_client
from mintline_ops.users import ensure_user

pytestmark = pytest.mark.e2e


@dataclass
class Harness:
    state: Path
    info: dict[str, Any]

    async def recreate(self) -> None:
        """Delete the user from the pool and make them again, as an administrator does."""
        pool = self.info["cognito"]
        async with operator_client("cognito-idp", self.info) as cognito:
            named = {"UserPoolId": pool["user_pool_id"], "Username": pool["username"]}
            await cognito.admin_delete_user(**named)
            assert await ensure_user(
                cognito,
                user_pool_id=pool["user_pool_id"],
                username=pool["username"],
                password=pool["password"],
            )

    async def token(self) -> tuple[str, str]:
        """Return the user's `sub` and a token."""
        pool = self.info["cognito"]
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(30)) as http:
            signed = await sign_in(http, self.info, username=pool["username"], password=pool["password"])
        payload = signed.access_token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        return claims["sub"], signed.access_token

    async def mint(self, token: str, name: str) -> Any:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(30)) as http:
            api = Api(http, self.info["api_url"], token)
            body = {"metadata": {"name": name, "image": "https://example.com/1.png"}}
            accepted = await api.post("/v1/mints", body, idempotency_key=name)
            async with asyncio.timeout(60):
                return await follow(api, accepted, passed=lambda *_: None)

    async def reassign(self, old: str, new: str) -> tuple[int, Any, str]:
        argv = ("wallets", "reassign", old, new, "--state", str(self.state), "--json")
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "mintline_cli", *argv),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        output, errors = await process.communicate()
        assert process.returncode is not None
        return process.returncode, json.loads(output) if output else None, errors.decode()


async def test_reassign__when_done__the_new_user_mints_with_the_old_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running_stack(tmp_path, ports="free") as running:
        line = Harness(tmp_path, running.info)
        old, token = await line.token()
        before = await line.mint(token, "before")
        await line.recreate()
        new, _ = await line.token()
        assert new != old
        code, _, unnamed = await line.reassign(old, new)
        assert (code, "key_reassign" in unnamed) == (1, True), unnamed

    address = before["to"]
    monkeypatch.setenv("MINTLINE_REASSIGN", f"{old}:{new}:{address}")
    async with running_stack(tmp_path, ports="free") as running:
        line = Harness(tmp_path, running.info)
        swapped = await line.reassign(new, old)
        done = await line.reassign(old, new)
        again = await line.reassign(old, new)

    assert swapped[0] == 1
    assert "wallet_unknown" in swapped[2]
    assert done[:2] == again[:2] == (0, {"from": old, "to": new, "address": address}), done

    # The policy need not name it any longer: the key is the new user's now.
    monkeypatch.delenv("MINTLINE_REASSIGN")
    async with running_stack(tmp_path, ports="free") as running:
        line = Harness(tmp_path, running.info)
        sub, token = await line.token()
        after = await line.mint(token, "after")
        refused = await line.reassign(old, "another")

    assert sub == new
    assert (after["status"], after["to"]) == ("finalized", address)
    assert refused[0] == 1
    assert "wallet_reassigned" in refused[2]
