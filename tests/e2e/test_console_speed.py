"""Each screen of the console, from an empty cache: how much it loads, and when it can be used."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.async_api import CDPSession, Page

from mintline_testkit.browser import open_console

if TYPE_CHECKING:
    from tests.e2e.conftest import Harness

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="session")]

MOST_BYTES = 150_000
MOST_MS = 1_000
LOADS = 30
"""A busy machine makes a load slow, but none quick: one of so many has to be quick enough."""
READY = """window.ready = new Promise(resolve => new MutationObserver((_, observer) => {
    if (document.querySelector("main h1") && !document.querySelector(".loading")) {
        observer.disconnect();
        resolve(performance.now());
    }
}).observe(document, { childList: true, subtree: true }));"""
"""Notes when the screen has its heading and is not loading any more."""
LOADED = """() => performance.getEntriesByType("navigation").concat(performance.getEntriesByType("resource"))
    .reduce((sum, one) => sum + one.transferSize, 0)"""


async def load(page: Page, devtools: CDPSession, address: str) -> tuple[float, int]:
    """Open a page anew, and return after how many milliseconds it was ready, and the bytes that it loaded."""
    await page.goto("about:blank")
    await devtools.send("Network.clearBrowserCache")
    await page.goto(address)
    ready: float = await page.evaluate("() => window.ready")
    return ready, int(await page.evaluate(LOADED))


@pytest.mark.parametrize(
    ("account", "button"), [("cognito", "Sign in"), ("console", "Sign in as an operator")]
)
async def test_screen__when_it_is_opened_with_an_empty_cache__then_is_small_and_ready_within_a_second(
    harness: Harness, chromium: str, account: str, button: str
) -> None:
    if harness.stack is None:
        pytest.skip("the login page returns to the addresses of local processes: `make test` runs it")
    async with open_console(chromium, harness.info["api_url"]) as console:
        page = console.page
        await page.add_init_script(READY)
        await console.sign_in(harness.info[account], button=button)
        devtools = await page.context.new_cdp_session(page)
        links = await page.locator("nav.menu a").all()
        screens = [str(await link.get_attribute("href")) for link in links]
        assert len(screens) >= 5
        for screen in screens:
            quickest = float("inf")
            for _ in range(LOADS):
                ready, loaded = await load(page, devtools, console.url + screen)
                assert 10_000 < loaded < MOST_BYTES, screen
                quickest = min(quickest, ready)
                if quickest < MOST_MS:
                    break
            assert quickest < MOST_MS, screen
