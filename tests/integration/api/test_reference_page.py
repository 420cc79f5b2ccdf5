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
from aiohttp.test_utils import TestServer
from playwright.async_api import async_playwright

from mintline_api.app import GROUPS, PROBLEMS
from mintline_testkit.api.harness import Harness
from mintline_testkit.chromium import ARGUMENTS
from mintline_testkit.user_pool import UserPool

pytestmark = pytest.mark.integration

KINDS = PROBLEMS.all(operation for group in GROUPS for operation in group)
SCRIPT = Path(__file__).parent / "browse.mjs"
HIGHLIGHT = "rgb(219, 233, 250)"


@pytest.fixture
async def server() -> AsyncIterator[TestServer]:
    server = TestServer(Harness(UserPool()).app())
    await server.start_server()
    yield server
    await server.close()


async def browse(chromium: str, server: TestServer, target: str, *, width: int = 1280) -> dict[str, Any]:
    beside_python = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    node = shutil.which("node", path=beside_python)
    assert node is not None
    command = [node, str(SCRIPT), chromium, str(width), str(server.make_url("/"))[:-1] + target]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    output, _ = await asyncio.wait_for(process.communicate(), 240)
    seen: dict[str, Any] = json.loads(output)
    assert seen["messages"] == []
    # Redoc's search is a worker made of a text of the page's own, by a URL that leads to no host.
    own = f"blob:{server.make_url('/')}"
    seen["requests"] = [url for url in seen["requests"] if not url.startswith(own)]
    assert all(url.startswith(str(server.make_url("/"))) for url in seen["requests"])
    return seen


@pytest.mark.parametrize("width", [1280, 390])
async def test_reference__when_a_browser_shows_it__then_it_fits_logs_nothing_and_asks_nobody_else(
    chromium: str, server: TestServer, width: int
) -> None:
    seen = await browse(chromium, server, "/docs", width=width)

    assert {url.removeprefix(str(server.make_url("/"))) for url in seen["requests"]} == {
        "docs",
        "docs/redoc.js",
        "openapi.json",
    }
    assert seen["width"] == width
    assert seen["menuShown"] is (width > 1000)
    assert {"Payload", "curl", "Python", "TypeScript", "202", "422"} <= set(seen["samples"])
    assert "operation/create_mint" in seen["ids"]
    assert {"Idempotency-Key", "mint_id", "metadata"} <= set(seen["names"])
    assert seen["brokenNames"] == []


@pytest.mark.parametrize("slug", [KINDS[0].slug, KINDS[-1].slug])
async def test_reference__when_reached_by_a_problems_type__then_the_problem_is_highlighted(
    chromium: str, server: TestServer, slug: str
) -> None:
    seen = await browse(chromium, server, f"/docs#{slug}", width=390)

    assert seen["url"] == str(server.make_url(f"/docs/problems#{slug}"))
    assert (seen["target"], seen["highlight"], seen["width"]) == (slug, HIGHLIGHT, 390)


async def test_reference__when_reached_by_an_operations_id__then_it_shows_the_operation(
    chromium: str, server: TestServer
) -> None:
    seen = await browse(chromium, server, "/docs#create_mint")

    assert seen["url"].endswith("operation/create_mint")


async def test_reference__when_a_word_is_searched__then_the_operations_with_it_are_listed(
    chromium: str, server: TestServer
) -> None:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=list(ARGUMENTS))
        try:
            page = await browser.new_page()
            page.set_default_timeout(30_000)
            await page.goto(str(server.make_url("/docs")))
            await page.get_by_label("Search").fill("queues")
            results = page.locator("[data-role='search:results'] [role=menuitem]")
            await results.filter(has_text="The pipeline").wait_for()
        finally:
            await browser.close()
