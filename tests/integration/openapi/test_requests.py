"""The running API is sent what its document says is valid, and must not refuse it for its form."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest
from aiohttp.test_utils import TestServer

from mintline_testkit.api.harness import Harness
from mintline_testkit.user_pool import UserPool
from tests.integration.conftest import ROOT

pytestmark = [pytest.mark.integration, pytest.mark.slow]

SETTINGS = ROOT / "tools" / "openapi"
SECONDS = 420


def api() -> Harness:
    """Return an API with a collection, a machine client, and no limits of rate."""
    harness = Harness(UserPool(), user_rate=10**9, user_gas_budget=10**30)
    harness.clients.add("shop")
    harness.index.hold_collection()
    return harness


async def test_api__when_it_is_sent_what_the_document_calls_valid__does_not_refuse_its_form(
    document: Path, tools: Path, tmp_path: Path
) -> None:
    harness = api()
    server = TestServer(harness.app())
    await server.start_server()
    environment = {
        **os.environ,
        "SCHEMATHESIS_HOOKS": "hooks",
        "PYTHONPATH": str(SETTINGS),
        "USER_TOKEN": harness.token(),
        "CLIENT_TOKEN": harness.client_headers()["Authorization"].removeprefix("Bearer "),
    }
    command = [tools / "schemathesis", "--config-file", SETTINGS / "schemathesis.toml", "run", document]
    options = ["--url", str(server.make_url("/"))[:-1], "--no-color"]
    try:
        process = await asyncio.create_subprocess_exec(
            *map(str, command),
            *options,
            cwd=tmp_path,
            env=environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await asyncio.wait_for(process.communicate(), SECONDS)
    finally:
        await server.close()
    assert process.returncode == 0, output.decode()
    assert b"Tested: " in output
