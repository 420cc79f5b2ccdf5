"""The Python client and the command line, against a deployment that they know by its address."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import re
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

import pytest
from yarl import URL

from mintline_client import AsyncMintline, NotFound, Unauthenticated
from mintline_client.sign_in import login_form
from tests.e2e.conftest import SVG, listed
from tests.integration.conftest import ROOT

if TYPE_CHECKING:
    from tests.e2e.conftest import Harness, User

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="session")]

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c63f8ffff3f0005fe02fe"
    "a735819e0000000049454e44ae426082"
)
MINTLINE = str(Path(sys.executable).with_name("mintline"))
SECONDS = 180


async def run(*command: str, **environment: str) -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        *command,
        env={**os.environ, **environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    printed, output = await asyncio.wait_for(process.communicate(), SECONDS)
    assert process.returncode is not None
    return process.returncode, printed.decode(), output.decode()


async def mintline(*words: str, **environment: str) -> Any:
    """Return the JSON that a command prints."""
    code, printed, output = await run(MINTLINE, *words, "--json", **environment)
    assert code == 0, (words, output)
    return json.loads(printed)


def five_lines() -> str:
    """Return the program in the README."""
    (program,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert len([line for line in program.splitlines() if line]) == 5
    return str(program)


async def test_readme__when_its_five_lines_run__mint(harness: Harness, user: User) -> None:
    program = five_lines().replace("http://127.0.0.1:8080", harness.info["api_url"])
    code, printed, output = await run(sys.executable, "-c", program, TOKEN=user.token)
    assert code == 0, output
    assert re.fullmatch(r"0x[0-9a-f]{64}\n", printed)
    [mint] = await listed(user.client.mints.list())
    assert mint["tx_hash"] == printed.strip()


async def test_client__when_a_company_uses_it__then_all_it_makes_is_there(
    harness: Harness, tmp_path: Path
) -> None:
    demo = harness.info["demo_client"]
    lines = tmp_path / "lines.ndjson"
    recipients = [f"{name}-{os.urandom(4).hex()}@example.com" for name in ("ann", "bob")]
    lines.write_text(
        "".join(
            json.dumps({"recipient": {"email": email}, "metadata": {"name": "Seat", "image": SVG}}) + "\n"
            for email in recipients
        )
    )
    async with AsyncMintline(
        harness.info["api_url"], client_id=demo["client_id"], client_secret=demo["client_secret"]
    ) as client:
        drop = await client.drops.create({"name": "Seats"})
        taken = await client.drops.upload(drop["drop_id"], lines)
        ended = await client.drops.run(drop["drop_id"])
        minted = [mint async for mint in client.drops.mints(drop["drop_id"])]
        user = await client.users.get(recipients[0])
        assert user["wallet"] is not None
        owned = [token async for token in client.tokens.owned_by(user["wallet"])]
        holders = [holder["owner"] async for holder in client.collections.holders(drop["contract"])]
        moved = [move async for move in client.tokens.moved_by(user["wallet"], direction="in")]
        tried = await client.drops.create({"name": "More seats"})
        await client.drops.upload(tried["drop_id"], lines)
        estimate = await client.drops.dry_run(tried["drop_id"])
        with pytest.raises(NotFound) as refused:
            await client.mints.get("mint_00000000000000000000000000")
        assert (await client.clients.own())["client_id"] == demo["client_id"]
        assert drop["drop_id"] in [each["drop_id"] async for each in client.drops.list()]

    assert (taken["accepted"], ended["minting"]["by_status"]) == (2, {"finalized": 2})
    assert {mint["status"] for mint in minted} == {"finalized"}
    assert owned[0]["token_id"] in {mint["token_id"] for mint in minted}
    assert user["wallet"] in holders
    assert [move["token_id"] for move in moved] == [owned[0]["token_id"]]
    assert (ended["cost"]["lines"], int(ended["cost"]["wei"]) > ended["cost"]["gas"]) == (2, True)
    assert (estimate["gas_from"], estimate["gas_per_line"] > 21_000) == ("collection", True)
    assert refused.value.problem.title
    async with AsyncMintline(harness.info["api_url"], token="none") as stranger:
        with pytest.raises(Unauthenticated):
            await stranger.wallets.get()


async def test_command_line__when_it_has_signed_in__works_at_a_deployment_by_its_address(
    harness: Harness, tmp_path: Path
) -> None:
    url = harness.info["api_url"]
    # No local stack runs from there: the profile alone says where the deployment is.
    own = {"MINTLINE_PROFILES": str(tmp_path / "profiles.json")}
    elsewhere = ("--state", str(tmp_path / "none"))
    with port_8400():
        await login_by_browser(harness, "--url", url, "--profile", "ann", **own)
    picture = tmp_path / "first.png"
    picture.write_bytes(PNG)
    ann = ("--profile", "ann", *elsewhere)

    uploaded = await mintline("upload", str(picture), *ann, **own)
    minted = await mintline("mint", "--name", "Mine", "--image", uploaded["url"], "--no-wait", *ann, **own)
    ended = await mintline("watch", minted["mint_id"], *ann, **own)
    wallet = await mintline("wallet", *ann, **own)
    listed = await mintline("mints", *ann, **own)
    code, table, output = await run(MINTLINE, "mints", *ann, **own)

    assert (ended["status"], ended["to"]) == ("finalized", wallet["address"])
    assert [mint["mint_id"] for mint in listed["mints"]] == [minted["mint_id"]]
    assert code == 0
    assert "Status" in table
    assert minted["mint_id"] in table
    assert output == f"profile ann: {url}\n"

    demo = harness.info["demo_client"]
    secret = {"MINTLINE_CLIENT_SECRET": demo["client_secret"]}
    await mintline(
        "login", "--url", url, "--client-id", demo["client_id"], "--profile", "shop", **own, **secret
    )
    shop = ("--profile", "shop", *elsewhere)
    drop = await mintline("drops", "create", "Seats", *shop, **own)
    drops = await mintline("drops", "list", *shop, **own)
    assert drop["drop_id"] in {each["drop_id"] for each in drops["drops"]}
    assert "collections" in await mintline("collections", "list", *shop, **own)
    at = drop["contract"]
    # Other tests mint in the same collection, some to hundreds of addresses.
    every = ("--limit", "10000")
    held = await mintline("collections", "holders", at, *every, *shop, **own)
    assert wallet["address"] in {each["owner"] for each in held["holders"]}
    assert (await mintline("collections", "balance", at, wallet["address"], *shop, **own))["balance"] == 1
    moves = (await mintline("collections", "transfers", at, *every, *shop, **own))["transfers"]
    assert [move["to"] for move in moves if move["tx_hash"] == ended["tx_hash"]] == [wallet["address"]]
    stored = tmp_path / "profiles.json"
    assert stored.stat().st_mode & 0o777 == 0o600
    assert {each["profile"] for each in (await mintline("profiles", **own))["profiles"]} == {"ann", "shop"}

    # A user's access token that has ended is had again by the refresh token.
    profiles = json.loads(stored.read_text())
    profiles["profiles"]["ann"] |= {"access_token": "none", "expires_at": 0}
    stored.write_text(json.dumps(profiles))
    assert (await mintline("wallet", *ann, **own))["address"] == wallet["address"]
    await mintline("logout", "--profile", "ann", **own)
    code, printed, _ = await run(MINTLINE, "wallet", "--json", *ann, **own)
    assert code == 1
    assert "mintline login" in json.loads(printed)["error"]


async def test_command_line__when_it_administers_clients__works_at_a_deployment_by_its_address(
    harness: Harness, tmp_path: Path
) -> None:
    url, demo = harness.info["api_url"], harness.info["demo_client"]
    own = {"MINTLINE_PROFILES": str(tmp_path / "profiles.json"), "MINTLINE_PROFILE": "ops"}
    secret = {"MINTLINE_CLIENT_SECRET": demo["client_secret"]}
    await mintline("login", "--url", url, "--client-id", demo["client_id"], **own, **secret)

    created = await mintline("clients", "create", "other", "--mints-per-hour", "1", **own)
    listed = await mintline("clients", "list", **own)
    shown = await mintline("clients", "show", created["client_id"], **own)
    deleted = await mintline("clients", "delete", created["client_id"], **own)
    state = await mintline("status", **own)

    assert created["client_id"] in {each["client_id"] for each in listed["clients"]}
    assert (shown["budget"]["mints_per_hour"], shown["used"]["mints"]) == (1, 0)
    assert deleted == {"client_id": created["client_id"], "deleted": True}
    assert (state["api_url"], bool(state["pipeline"]["queues"])) == (url, True)


async def login_by_browser(harness: Harness, *words: str, **environment: str) -> None:
    """Run `mintline login`, and do in its login page what a user does."""
    process = await asyncio.create_subprocess_exec(
        MINTLINE,
        "login",
        "--no-browser",
        *words,
        env={**os.environ, **environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stderr is not None
        line = (await asyncio.wait_for(process.stderr.readline(), SECONDS)).decode().strip()
        assert line.startswith("sign in at "), line
        pool = harness.info["cognito"]
        credentials = {"username": pool["username"], "password": pool["password"]}
        returned = await submit(harness, line.removeprefix("sign in at "), credentials)
        async with harness.session.get(returned) as page:
            assert "signed in" in await page.text()
        printed, output = await asyncio.wait_for(process.communicate(), SECONDS)
        assert process.returncode == 0, output
        assert b"signed in to" in printed
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def submit(harness: Harness, address: str, credentials: Mapping[str, str]) -> str:
    """Fill in a login page, and return where it sends the browser."""
    async with harness.session.get(URL(address, encoded=True), allow_redirects=False) as page:
        text = await page.text()
        form = login_form(text)
        assert form is not None, text
        action = urljoin(str(page.url), form.action)
    async with harness.session.post(
        action, data={**form.fields, **credentials}, allow_redirects=False
    ) as response:
        assert response.status == 302
        return response.headers["Location"]


@contextmanager
def port_8400() -> Iterator[None]:
    """Hold the port to which login pages return: two runs of this test on one machine share it."""
    with (Path(tempfile.gettempdir()) / "mintline-test-8400.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
