"""A real browser with the console open: what a person does, and what axe says of each screen."""

from __future__ import annotations

import colorsys
import math
import random
import struct
import zlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.async_api import ConsoleMessage, Page, ViewportSize, async_playwright

from mintline_testkit.chromium import ARGUMENTS

DESKTOP = ViewportSize(width=1280, height=860)
PHONE = ViewportSize(width=390, height=844)
PATIENCE = 90_000
"""Milliseconds that a step may take on a busy machine."""
_AXE = Path("node_modules/axe-core/axe.min.js")
_TAGS = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")
_RUN = "tags => axe.run(document, {runOnly: tags, resultTypes: ['violations']})"
_FINISHED = """Promise.all(document.getAnimations()
    .filter(one => one.effect.getTiming().iterations !== Infinity)
    .map(one => one.finished.catch(() => null)))"""
_TOO_WIDE = "document.documentElement.scrollWidth > document.documentElement.clientWidth"


@dataclass(slots=True)
class Console:
    """The console of a stack in a tab of its own."""

    page: Page
    url: str
    axe: str = field(repr=False)
    messages: list[str] = field(default_factory=list)
    """What the page logged, errors included."""
    strangers: list[str] = field(default_factory=list)
    """Requests to other hosts than this machine."""

    async def open(self, screen: str) -> None:
        """Open a screen by its address, such as `gallery`, and wait for its heading."""
        await self.page.goto(f"{self.url}#/{screen}")
        await self.page.locator("main h1").first.wait_for()

    async def sign_in(self, account: Mapping[str, str], *, button: str = "Sign in") -> None:
        """Sign in through the login page, and wait for the menu."""
        await self.enter(account, button=button)
        await self.page.locator("nav.menu").wait_for()

    async def enter(self, account: Mapping[str, str], *, button: str) -> None:
        """Fill in the login page."""
        await self.page.goto(self.url)
        await self.page.get_by_role("button", name=button, exact=True).click()
        await self.page.locator("#username").fill(account["username"])
        await self.page.locator("#password").fill(account["password"])
        await self.page.get_by_role("button", name="Sign in").click()

    async def show(self, *, dark: bool = False, phone: bool = False) -> None:
        """Show the page by a colour scheme and at a size."""
        await self.page.emulate_media(color_scheme="dark" if dark else "light")
        await self.page.set_viewport_size(PHONE if phone else DESKTOP)

    async def findings(self) -> list[str]:
        """Return what axe finds on the screen: light on a desktop, and dark on a phone."""
        findings = []
        for dark, phone in ((False, False), (True, True)):
            await self.show(dark=dark, phone=phone)
            # Past transitions: a colour that is on its way to another is neither.
            await self.page.evaluate(_FINISHED)
            await self.page.evaluate(self.axe)
            result = await self.page.evaluate(_RUN, list(_TAGS))
            place = "dark phone" if dark else "light desktop"
            findings += [_finding(place, violation) for violation in result["violations"]]
            if await self.page.evaluate(_TOO_WIDE):
                findings.append(f"{place}: wider than the window")
        await self.show()
        return findings


def _axe() -> str:
    return _AXE.read_text(encoding="utf-8")


def _finding(place: str, violation: Mapping[str, Any]) -> str:
    nodes = "; ".join(str(node["html"])[:160] for node in violation["nodes"][:3])
    return f"{place}: {violation['id']}: {violation['help']}: {nodes}"


@asynccontextmanager
async def open_console(chromium: str, api_url: str) -> AsyncIterator[Console]:
    """Open a browser at `chromium`, a path, and give a tab for the console of the API at `api_url`."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=chromium, args=list(ARGUMENTS), timeout=PATIENCE
        )
        try:
            page = await browser.new_page(viewport=DESKTOP)
            page.set_default_timeout(PATIENCE)
            console = Console(page, f"{api_url}/console/home", _axe())

            def note(message: ConsoleMessage) -> None:
                # The login page is not ours: it has no icon, say.
                if message.location.get("url", "").startswith(api_url):
                    console.messages.append(f"{message.type}: {message.text} {message.location['url']}")

            def ask(url: str) -> None:
                if not url.startswith(("http://127.0.0.1:", "blob:", "data:")):
                    console.strangers.append(url)

            page.on("console", note)
            page.on("pageerror", lambda error: console.messages.append(f"error: {error}"))
            page.on("request", lambda request: ask(request.url))
            yield console
        finally:
            await browser.close()


def _colour(rng: random.Random) -> list[int]:
    return [round(part * 255) for part in colorsys.hsv_to_rgb(rng.random(), 0.65, 0.95)]


def picture(rng: random.Random, side: int = 240) -> bytes:
    """Return a PNG of a few soft waves of colour."""
    sky, glow = _colour(rng), _colour(rng)
    waves = [(rng.uniform(2, 7) / side, rng.uniform(0, 6.3), rng.uniform(0.05, 0.16)) for _ in range(3)]
    rows = bytearray()
    for y in range(side):
        rows.append(0)
        for x in range(side):
            crest = 0.5 + sum(height * math.sin(x * width + shift) for width, shift, height in waves)
            light = max(0.0, 1 - abs(y / side - crest) * 3.5) ** 1.6
            night = 0.25 + 0.35 * (1 - y / side)
            rows += bytes(int(sky[n] * night * (1 - light) + glow[n] * light) for n in range(3))
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(bytes(rows))), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )
