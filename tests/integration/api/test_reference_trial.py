"""/docs/try in a real browser: a request of one's own, by the document's example, and what came of it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID

import pytest
from aiohttp.test_utils import TestServer
from playwright.async_api import Page, Route, async_playwright

from mintline_testkit.api.harness import Harness
from mintline_testkit.chromium import ARGUMENTS
from mintline_testkit.user_pool import UserPool

pytestmark = pytest.mark.integration

AXE = Path("node_modules/axe-core/axe.min.js")
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


def axe() -> str:
    return AXE.read_text(encoding="utf-8")


@pytest.fixture
async def opened(chromium: str) -> AsyncIterator[tuple[Page, Harness, str]]:
    harness = Harness(UserPool())
    harness.index.hold_collection()
    server = TestServer(harness.app())
    await server.start_server()
    try:
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path=chromium, args=list(ARGUMENTS))
            try:
                page = await browser.new_page(viewport={"width": 390, "height": 844})
                page.set_default_timeout(60_000)
                yield page, harness, str(server.make_url("/docs/try"))
            finally:
                await browser.close()
    finally:
        await server.close()


async def test_trial__when_an_operation_is_sent_with_a_token__then_its_response_is_shown(
    opened: tuple[Page, Harness, str],
) -> None:
    page, harness, url = opened
    errors: list[str] = []
    page.on("console", lambda message: errors.append(message.text))
    page.on("pageerror", lambda error: errors.append(str(error)))
    await page.goto(f"{url}#create_mint")
    await page.get_by_role("heading", name="POST /v1/mints", exact=True).wait_for()
    await page.get_by_label("Access token").fill(harness.headers()["Authorization"].partition(" ")[2])
    assert "Aurora #1" in await page.get_by_label("Body").input_value()
    assert await page.get_by_label("Idempotency-Key (header)").input_value() != ""

    await page.get_by_role("button", name="Send").click()
    await page.get_by_role("heading", name="202 Accepted").wait_for()
    minted = json.loads(await page.locator("#answer").inner_text())
    assert minted["status"] == "accepted"
    assert f"location: /v1/mints/{minted['mint_id']}" in await page.locator("#headers").inner_text()

    await page.get_by_label("Operation").select_option("read_mint")
    await page.get_by_label("mint_id (path)").fill(minted["mint_id"])
    await page.get_by_role("button", name="Send").click()
    await page.get_by_role("heading", name="200 OK").wait_for()
    assert page.url.endswith("#read_mint")
    assert errors == []
    await page.evaluate(axe())
    result = await page.evaluate("tags => axe.run(document, {runOnly: tags})", TAGS)
    assert [violation["id"] for violation in result["violations"]] == []
    assert await page.evaluate("document.documentElement.scrollWidth") <= 390


async def test_trial__when_a_request_is_refused__then_the_problem_is_shown_as_text(
    opened: tuple[Page, Harness, str],
) -> None:
    page, _, url = opened
    await page.goto(f"{url}#read_wallet")
    await page.get_by_role("button", name="Send").click()
    await page.get_by_role("heading", name="401 Unauthorized").wait_for()
    assert json.loads(await page.locator("#answer").inner_text())["code"] == "no-token"


async def test_trial__when_a_request_is_sent_again__then_its_key_is_new_unless_it_is_ones_own(
    opened: tuple[Page, Harness, str],
) -> None:
    page, harness, url = opened
    # A page that is served by HTTP from another host than one's own is no secure context.
    await page.add_init_script("delete Crypto.prototype.randomUUID")
    await page.goto(f"{url}#create_mint")
    await page.get_by_label("Access token").fill(harness.headers()["Authorization"].partition(" ")[2])
    key = page.get_by_label("Idempotency-Key (header)")
    failing = True

    async def fail(route: Route) -> None:
        await (route.fulfill(status=503) if failing else route.continue_())

    async def send() -> str:
        async with page.expect_response("**/v1/mints"):
            await page.get_by_role("button", name="Send").click()
        await page.locator("#send:enabled").wait_for()
        return await key.input_value()

    await page.route("**/v1/mints", fail)
    first = await key.input_value()
    assert str(UUID(first)) == first
    assert UUID(first).version == 4
    assert await send() == first, "a failed request is sent again under its key"
    failing = False
    second = await send()
    third = await send()
    assert len({first, second, third}) == 3
    assert len(harness.mints.items) == 2
    await key.fill("my own")
    assert await send() == "my own"


async def test_trial__when_the_document_cannot_be_read__then_the_page_says_so(
    opened: tuple[Page, Harness, str],
) -> None:
    page, _, url = opened
    await page.route("**/openapi.json", lambda route: route.fulfill(status=502))
    await page.goto(url)
    text = "The OpenAPI document could not be read (status 502). Reload the page."
    await page.get_by_role("heading", name=text).wait_for()
    assert await page.get_by_role("button", name="Send").is_disabled()
