"""Takes the pictures of the docs: `python -m mintline_harness.screenshots FOLDER`, in a checkout.

A stack of its own is started, used through the console as a person would, and stopped again.
"""

from __future__ import annotations

import asyncio
import random
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from mintline.errors import MintlineError
from mintline.interrupts import Interrupted, run
from mintline_devstack.running_stack import running_stack
from mintline_testkit.browser import Console, open_console, picture
from mintline_testkit.chromium import MISSING, find_chromium

_CID = "bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi"
_SHOWN = """document.querySelector(".loading") === null &&
    [...document.images].every(image => image.complete && image.naturalWidth > 0)"""
"""Whether everything on the screen is there."""
NAMES = ("Low tide", "Night train", "First snow", "Northern light")


def main(argv: Sequence[str]) -> int:
    """Write the pictures into the folder that is named; 1 if that failed, 2 for other arguments."""
    chromium = find_chromium()
    if len(argv) != 1 or chromium is None:
        sys.stderr.write(f"screenshots: error: {'pass one folder' if len(argv) != 1 else MISSING}\n")
        return 2
    try:
        run(_take(chromium, Path(argv[0])))
    except (MintlineError, Interrupted) as error:
        sys.stderr.write(f"screenshots: error: {error}\n")
        return 1
    return 0


async def _take(chromium: str, folder: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="mintline-screenshots-") as state:
        async with (
            running_stack(Path(state) / "stack", ports="free") as stack,
            open_console(chromium, stack.info["api_url"]) as console,
        ):
            await console.sign_in(stack.info["cognito"])
            await _mint_all(console, Path(state))
            await _shoot(console, folder / "console-mint.png")
            await console.open("gallery")
            await console.page.locator("a.tile img").nth(len(NAMES) - 1).wait_for()
            await console.show(dark=True)
            await _shoot(console, folder / "console-gallery.png")
            await console.open("mints")
            await console.page.locator(".list li").nth(len(NAMES) - 1).wait_for()
            await console.show(dark=True, phone=True)
            await _shoot(console, folder / "console-phone.png")
            await console.show()
            await console.page.get_by_role("button", name="Sign out").click()
            await console.sign_in(stack.info["console"], button="Sign in as an operator")
            await _upload_list(console, Path(state) / "tickets.csv")
            await _shoot(console, folder / "console-drop.png")
            await _run_drop(console)
            await console.open("pipeline")
            await console.page.locator("section[aria-labelledby=senders] tbody tr .badge").first.wait_for()
            await _shoot(console, folder / "console-pipeline.png", whole=True)


async def _mint_all(console: Console, folder: Path) -> None:
    page, rng = console.page, random.Random(26)  # noqa: S311 - pictures
    for name in NAMES:
        file = folder / f"{name}.png"
        await asyncio.to_thread(file.write_bytes, await asyncio.to_thread(picture, rng, 480))
        await console.open("mint")
        await page.get_by_label("Picture").set_input_files(file)
        await page.get_by_label("Name").fill(name)
        await page.get_by_label("Description").fill("From a walk at the end of November.")
        await page.get_by_role("button", name="Mint", exact=True).click()
        await page.get_by_role("list", name="Stages").wait_for()
        wanted = "finalized" if name != NAMES[-1] else "mined"
        await page.locator("header.title .badge", has_text=wanted).wait_for()


async def _upload_list(console: Console, file: Path) -> None:
    """Make a drop of 50 lines, of which two are bad."""
    page = console.page
    rows = [
        f"guest{number}@example.com,Ticket {number + 1},ipfs://{_CID}/{number}.png" for number in range(1, 51)
    ]
    rows[6], rows[30] = rows[6].replace("@", " at "), rows[30].replace("ipfs:", "ftp:")
    await asyncio.to_thread(file.write_text, "\n".join(("email,name,image", *rows)), encoding="utf-8")
    await console.open("drops/new")
    await page.get_by_label("Name").fill("Matinee tickets")
    await page.get_by_label("List").set_input_files(file)
    await page.get_by_role("button", name="Upload and check").click()
    await page.locator("section[aria-labelledby=refused] tbody tr").nth(1).wait_for()
    await page.get_by_text("Cost, expected").wait_for()


async def _run_drop(console: Console) -> None:
    """Mint the good lines, until all are on chain."""
    page = console.page
    await page.get_by_role("button", name="Prepare 48 mints").click()
    await page.get_by_role("button", name="Start: mint 48 tokens").click()
    await page.get_by_text("48 of 48 on chain").wait_for()


async def _shoot(console: Console, path: Path, *, whole: bool = False) -> None:
    """Write a picture of the window, or of the `whole` page."""
    # The network is never idle: a stream of events stays open.
    page = console.page
    await page.wait_for_function(_SHOWN)
    await page.evaluate("document.activeElement?.blur()")
    await page.mouse.move(0, 0)
    await page.screenshot(path=path, animations="disabled", full_page=whole)
    sys.stdout.write(f"{path}\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
