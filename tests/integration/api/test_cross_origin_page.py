"""A page of another origin, in a real browser."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from mintline.records.collections import Collection
from mintline.records.keys import scoped
from mintline_testkit.api.harness import Harness
from mintline_testkit.constants import CHAIN_ID, CONTRACT
from mintline_testkit.user_pool import UserPool

pytestmark = pytest.mark.integration

SCRIPT = Path(__file__).parent / "cross_origin.mjs"


@pytest.fixture(scope="module")
def chromium() -> str:
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if path := shutil.which(name):
            return path
    pytest.skip("needs a Chromium on PATH: Debian's package is chromium")


@pytest.fixture
async def page() -> AsyncIterator[TestServer]:
    async def show(_: web.Request) -> web.Response:
        return web.Response(text="<!doctype html><title>Shop</title>", content_type="text/html")

    app = web.Application()
    app.router.add_get("/", show)
    server = TestServer(app)
    await server.start_server()
    yield server
    await server.close()


async def call(chromium: str, page: TestServer, origins: tuple[str, ...]) -> dict[str, Any]:
    harness = Harness(UserPool(), cors_origins=origins)
    harness.index.collections[CONTRACT] = Collection(
        collection_id=scoped(CHAIN_ID, CONTRACT),
        chain_id=CHAIN_ID,
        contract=CONTRACT,
        name="Aurora",
        symbol="AUR",
        deployed_block=1,
        next_token_id=1,
    )
    server = TestServer(harness.app())
    await server.start_server()
    try:
        node = shutil.which("node", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
        assert node is not None
        token = harness.headers()["Authorization"].removeprefix("Bearer ")
        api = str(server.make_url("/"))[:-1]
        command = [node, str(SCRIPT), chromium, str(page.make_url("/")), api, token]
        process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
        output, _ = await asyncio.wait_for(process.communicate(), 60)
        seen: dict[str, Any] = json.loads(output)
        return seen
    finally:
        await server.close()


async def test_page__when_its_origin_is_listed__mints_and_reads_headers_and_problems(
    chromium: str, page: TestServer
) -> None:
    origin = str(page.make_url("/"))[:-1]
    seen = await call(chromium, page, (origin,))

    assert seen["origin"] == origin
    assert seen["mint"]["status"] == 202
    assert seen["mint"]["location"].endswith(seen["mint"]["body"]["mint_id"])
    assert seen["mint"]["trace"]
    assert (seen["refused"]["status"], seen["refused"]["body"]["status"]) == (401, 401)
    assert seen["document"]["status"] == 200


async def test_page__when_its_origin_is_not_listed__reads_public_documents_only(
    chromium: str, page: TestServer
) -> None:
    seen = await call(chromium, page, ("https://shop.example",))

    assert seen["document"]["status"] == 200
    assert "Failed to fetch" in seen["mint"]["error"]
    assert "Failed to fetch" in seen["refused"]["error"]
