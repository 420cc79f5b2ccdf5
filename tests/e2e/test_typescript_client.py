"""The TypeScript client, installed from its package, against a running stack."""

from __future__ import annotations

import asyncio
import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.integration.conftest import node_binary
from tests.integration.typescript_client import TSX, install_client

if TYPE_CHECKING:
    from tests.e2e.conftest import Harness

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="session")]

PROGRAM = Path(__file__).with_name("company.mts")
SECONDS = 300


async def test_client__when_a_company_uses_it_from_typescript__then_all_it_asks_for_happens(
    harness: Harness, tmp_path: Path
) -> None:
    if harness.stack is None:
        pytest.skip("the services' containers do not reach a receiver of the test's own process")
    await asyncio.to_thread(install_client, tmp_path)
    program = Path(shutil.copy(PROGRAM, tmp_path))
    demo = harness.info["demo_client"]
    arguments = (harness.info["api_url"], demo["client_id"], demo["client_secret"])
    process = await asyncio.create_subprocess_exec(
        node_binary(),
        str(TSX),
        str(program),
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    printed, output = await asyncio.wait_for(process.communicate(), SECONDS)
    assert process.returncode == 0, output.decode()
    seen = json.loads(printed)

    assert seen["webhook"] == ["webhook.test"] * 2
    mint = seen["mint"]
    assert (mint["same"], mint["status"]) == (True, "finalized")
    assert mint["owner"] == mint["to"]
    assert mint["events"] == ["mint.accepted", "mint.finalized"]
    assert seen["drop"] == ["finalized"] * 2
    assert [name for name, _ in seen["refused"]] == ["NotFound", "Unauthenticated"]
