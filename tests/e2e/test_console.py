"""A person uses the console in a real browser: signs in, mints a picture, and finds it among their own."""

from __future__ import annotations

import base64
import json
import random
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio
from aiobotocore.session import get_session
from aiohttp import web
from playwright.async_api import Page, Route

from mintline.aws.dead_letters import DeadLetters
from mintline.resource_types import Queue
from mintline.resources import BROADCAST
from mintline_api.features.pipeline.examples import PIPELINE
from mintline_testkit.browser import Console, open_console, picture
from tests.e2e.test_webhooks import Receiver

if TYPE_CHECKING:
    from types_aiobotocore_sqs import SQSClient

    from tests.e2e.conftest import Harness

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="session")]

DECODED_WIDTH = "async image => { await image.decode(); return image.naturalWidth }"


@pytest_asyncio.fixture(loop_scope="session")
async def console(harness: Harness, chromium: str) -> AsyncIterator[Console]:
    if harness.stack is None:
        pytest.skip("the login page returns to the addresses of local processes: `make test` runs it")
    async with open_console(chromium, harness.info["api_url"]) as opened:
        yield opened
    assert opened.strangers == []
    # A refusal of the API is the screen's to show: the browser logs it as well.
    assert [line for line in opened.messages if "Failed to load resource" not in line] == []


async def test_console__when_a_person_mints_a_picture__then_it_becomes_final_and_is_in_the_gallery(
    harness: Harness, console: Console, tmp_path: Path
) -> None:
    page, name = console.page, f"Aurora <b>&amp; {uuid.uuid4().hex[:6]}"
    file = tmp_path / "aurora.png"
    file.write_bytes(picture(random.Random(7)))
    await page.goto(console.url)
    assert await console.findings() == []

    await console.sign_in(harness.info["cognito"])
    assert "code=" not in page.url
    assert "state=" not in page.url
    await page.get_by_label("Picture").set_input_files(file)
    await page.get_by_label("Name").fill(name)
    await page.get_by_role("button", name="Add a trait").click()
    await page.get_by_label("Trait 1", exact=True).fill("<script>")
    await page.get_by_label("Value 1").fill("<img src=x>")
    assert await console.findings() == []
    await page.get_by_role("button", name="Mint", exact=True).click()

    await page.get_by_role("list", name="Stages").wait_for()
    await page.locator("header.title .badge", has_text="finalized").wait_for()
    assert await page.locator(".stage.done").count() == 5
    assert await console.findings() == []

    await page.get_by_role("link", name="Gallery").click()
    tile = page.get_by_role("link", name=name)
    await tile.wait_for()
    shown = tile.locator("img")
    await shown.wait_for()
    assert await shown.evaluate(DECODED_WIDTH) == 240
    assert await console.findings() == []

    await tile.click()
    await page.get_by_text("Matches its digest on chain").wait_for()
    await page.get_by_text("<img src=x>").wait_for()
    await page.get_by_text("Minted").first.wait_for()
    assert await console.findings() == []
    # An address that does not decode opens the first screen.
    await page.goto(f"{console.url}#/mints/%E0%zz")
    await page.reload()
    await page.get_by_role("heading", name="Mint", exact=True).wait_for()
    # Names in an ID token are UTF-8.
    claims = base64.urlsafe_b64encode('{"cognito:username": "José 🦄"}'.encode()).decode().rstrip("=")
    read = f"import('{console.url}/../session.js').then(module => module.claims('a.{claims}.b'))"
    assert await page.evaluate(read) == {"cognito:username": "José 🦄"}
    await page.go_back()
    await page.get_by_text("Matches its digest on chain").wait_for()
    async with page.expect_download() as receipt:
        await page.get_by_role("button", name="Download the receipt").click()
    assert (await receipt.value).suggested_filename.startswith("receipt-")


WALLET_EXTENSION = """
    const provider = {
      async request({ method, params }) {
        if (method === "eth_requestAccounts") return [window.account];
        if (method === "personal_sign") return window.askNode(method, params);
        if (method === "eth_chainId") return window.askNode(method, []);
        if (method === "eth_sendTransaction") return window.askNode(method, params);
        throw Object.assign(new Error(`${method} is not supported`), { code: 4200 });
      },
    };
    const info = { uuid: crypto.randomUUID(), name: "Pocket", icon: "data:,", rdns: "test.pocket" };
    const announce = () => window.dispatchEvent(
      new CustomEvent("eip6963:announceProvider", { detail: Object.freeze({ info, provider }) }));
    window.addEventListener("eip6963:requestProvider", announce);
    announce();
"""


async def test_console__when_a_person_links_a_wallet__then_it_mints_by_itself_until_it_is_unlinked(
    harness: Harness, console: Console, tmp_path: Path
) -> None:
    page = console.page
    # A wallet extension, as EIP-6963 has it announce itself; the chain's node signs for the account.
    account = (await harness.rpc.call("eth_accounts", []))[7]
    await page.add_init_script(f"window.account = {json.dumps(account)};{WALLET_EXTENSION}")
    await page.expose_function("askNode", harness.rpc.call)
    await console.sign_in(harness.info["cognito"])
    await console.open("wallet")
    await page.get_by_role("button", name="Link Pocket").click()
    await page.locator("section[aria-labelledby=links] code").first.wait_for()
    assert await console.findings() == []

    file, name = tmp_path / "own.png", f"Own {uuid.uuid4().hex[:6]}"
    file.write_bytes(picture(random.Random(8)))
    await console.open("mint")
    await page.get_by_label("Picture").set_input_files(file)
    await page.get_by_label("Name").fill(name)
    await page.locator("#own option").nth(1).wait_for(state="attached")
    await page.get_by_label("Minted by").select_option(index=1)
    assert await console.findings() == []
    await page.get_by_role("button", name="Mint", exact=True).click()
    send = page.get_by_role("button", name="Send by Pocket")
    await send.wait_for()
    assert await console.findings() == []
    await send.click()
    await page.locator("header.title .badge", has_text="finalized").wait_for()
    assert await page.locator(".stage.done").count() == 5

    await console.open("events")
    await page.get_by_text("New events appear as they happen.").wait_for()
    await page.get_by_label("Type").select_option("mint.finalized")
    await page.locator(".list > li").first.wait_for()
    assert await console.findings() == []

    await console.open("wallet")
    await page.get_by_role("button", name="Unlink").click()
    await page.get_by_role("heading", name="No linked wallet").wait_for()
    await console.open("mints")
    await page.locator(".list li, .empty").first.wait_for()
    assert await console.findings() == []
    await page.get_by_role("button", name="Sign out").click()
    await page.get_by_role("button", name="Sign in", exact=True).wait_for()
    assert await page.evaluate("[sessionStorage.length, localStorage.length]") == [0, 0]
    await page.reload()
    await page.get_by_role("button", name="Sign in", exact=True).wait_for()


@asynccontextmanager
async def receiving(receiver: Receiver) -> AsyncIterator[str]:
    """Serve a webhook's receiver on this machine, and give its URL."""
    app = web.Application()
    app.router.add_post("/hooks", receiver.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/hooks"
    finally:
        await runner.cleanup()


SEND_TEST = """async webhook => {
    const { access } = JSON.parse(sessionStorage.getItem("mintline.session"));
    const url = new URL(`../v1/webhooks/${webhook}/test`, location.href.split("#")[0]);
    return (await fetch(url, { method: "POST", headers: { Authorization: `Bearer ${access}` } })).status;
}"""


async def test_console__when_the_stream_breaks__then_events_say_as_of_when_they_are_until_it_is_back(
    harness: Harness, console: Console
) -> None:
    page, opened = console.page, False

    async def break_off(route: Route) -> None:
        nonlocal opened
        if "text/event-stream" not in route.request.headers.get("accept", ""):
            await route.fallback()
        elif opened:
            await route.abort()
        else:
            opened = True
            await route.fulfill(body="id: 0000000000000\n\n", content_type="text/event-stream")

    await console.sign_in(harness.info["console"], button="Sign in as an operator")
    await page.route("**/v1/events**", break_off)
    await console.open("events")
    await page.get_by_text("The connection broke. What you see is as of").wait_for()
    assert await console.findings() == []
    await page.unroute("**/v1/events**")
    await page.get_by_text("New events appear as they happen.").wait_for()


async def test_console__when_an_operator_has_a_webhook__then_it_is_tested_and_events_appear_by_themselves(
    harness: Harness, console: Console
) -> None:
    page, name, receiver = console.page, f"Orders {uuid.uuid4().hex[:6]}", Receiver(refused=0)
    async with receiving(receiver) as url:
        await console.sign_in(harness.info["console"], button="Sign in as an operator")
        await console.open("webhooks/new")
        await page.get_by_label("URL").fill(url)
        await page.get_by_label("Description").fill(name)
        await page.get_by_label("collection.frozen").check()
        assert await console.findings() == []
        await page.get_by_role("button", name="Create the webhook").click()
        await page.get_by_text("It is shown this once.").wait_for()
        await page.get_by_role("link", name="See the webhook").click()
        await page.locator("header.title .badge", has_text="enabled").wait_for()
        webhook = page.url.rpartition("/")[2]
        await page.get_by_role("button", name="Send a test").click()
        deliveries = page.locator("section[aria-labelledby=deliveries] .badge", has_text="delivered")
        await deliveries.first.wait_for()
        assert receiver.types() == ["webhook.test"]
        await page.get_by_role("button", name="Replay from the beginning").click()
        await page.get_by_text("All events of the last 30 days are sent again.").wait_for()
        await deliveries.nth(1).wait_for()
        assert receiver.types() == ["webhook.test"] * 2
        assert len({headers["webhook-id"] for _, headers in receiver.deliveries}) == 1
        await page.get_by_role("button", name="Rotate the secret").click()
        await page.get_by_text("It is shown this once.").wait_for()
        assert await console.findings() == []

        await console.open("events")
        await page.get_by_label("Type").select_option("webhook.test")
        await page.get_by_text("New events appear as they happen.").wait_for()
        mine = page.locator(".list > li", has=page.locator(f"a[href$='{webhook}']"))
        await mine.first.wait_for()
        assert await page.evaluate(SEND_TEST, webhook) == 202
        await mine.nth(1).wait_for()
        await mine.first.locator("summary").click()
        assert await console.findings() == []

        await console.open("webhooks")
        await page.get_by_role("link", name=name).wait_for()
        assert await console.findings() == []
        await page.get_by_role("link", name=name).click()
        await page.get_by_role("button", name="Delete", exact=True).click()
        await page.get_by_role("button", name="Delete it for good").click()
        await page.get_by_role("link", name="New webhook").wait_for()
        await page.get_by_role("link", name=name).wait_for(state="detached")


def lines(*, count: int, bad: frozenset[int]) -> bytes:
    """Return a list as people make them in a spreadsheet; the lines `bad` name no address."""
    rows = ["address,name,image"]
    for number in range(1, count + 1):
        address = "nobody" if number in bad else f"0x{number:040x}"
        rows.append(f'{address},"Ticket, № {number}",https://tickets.example/{number}.png')
    return "\r\n".join(rows).encode()


async def test_console__when_an_operator_runs_a_drop_with_bad_lines__then_sees_them_before_the_rest_is_minted(
    harness: Harness, console: Console, tmp_path: Path
) -> None:
    page, name = console.page, f"Matinee {uuid.uuid4().hex[:6]}"
    await console.sign_in(harness.info["console"], button="Sign in as an operator")

    await page.get_by_role("link", name="New collection").click()
    await page.get_by_label("Name").fill(name)
    await page.get_by_label("Symbol").fill("MAT")
    await page.get_by_label("Supply").fill("1000")
    await page.get_by_label("Description").fill("Every Sunday.")
    await page.get_by_label("Picture").set_input_files(drawn(tmp_path, "cover.png"))
    assert await console.findings() == []
    await page.get_by_role("button", name="Create the collection").click()
    await page.locator("header.title .badge", has_text="ready").wait_for()
    shown = page.locator("section[aria-labelledby=shown]")
    await shown.get_by_text("Every Sunday.").wait_for()
    assert await shown.locator("img").evaluate(DECODED_WIDTH) == 240
    assert await console.findings() == []

    file = tmp_path / "tickets.csv"
    file.write_bytes(lines(count=50, bad=frozenset({7, 31})))
    await console.open("drops/new")
    await page.get_by_label("Name").fill("Tickets")
    await page.get_by_label("Collection").select_option(label=await option(page, name))
    await page.get_by_label("List").set_input_files(file)
    assert await console.findings() == []
    uploads = await break_first_upload(page)
    await page.get_by_role("button", name="Upload and check").click()
    await page.get_by_text("The API cannot be reached.").wait_for()
    await page.get_by_role("button", name="Upload and check").click()

    refused = page.locator("section[aria-labelledby=refused] tbody tr")
    await refused.nth(1).wait_for()
    assert [await row.locator("td").first.inner_text() for row in await refused.all()] == ["8", "32"]
    assert sum(size for _, size in uploads[1:]) == file.stat().st_size - int(uploads[1][0]) > 0
    await page.get_by_text("48 accepted, 2 refused").wait_for()
    await page.get_by_text("Cost, expected").wait_for()
    assert await console.findings() == []
    await page.get_by_role("button", name="Prepare 48 mints").click()
    await page.get_by_role("button", name="Start: mint 48 tokens").click()
    await page.get_by_text("48 of 48 on chain").wait_for()
    assert await console.findings() == []

    await console.open("collections")
    await page.get_by_role("link", name=name).click()
    await page.locator("section[aria-labelledby=tokens] tbody tr").nth(11).wait_for()
    await page.locator("section[aria-labelledby=holders] tbody tr").nth(11).wait_for()
    await page.get_by_text("48 minted, at most 1,000").wait_for()
    assert await console.findings() == []
    await page.get_by_role("button", name="Pause minting").click()
    await page.locator("header.title .badge", has_text="paused").wait_for()
    await page.locator("section[aria-labelledby=tokens] tbody a").first.click()
    await page.get_by_text("Matches its digest on chain").wait_for()
    assert await page.locator("nav.menu a[aria-current=page]").inner_text() == "Collections"
    assert await console.findings() == []


def drawn(folder: Path, name: str) -> Path:
    """Return a new file with a picture."""
    file = folder / name
    file.write_bytes(picture(random.Random(name)))
    return file


async def break_first_upload(page: Page) -> list[tuple[str, int]]:
    """Have half of the first upload arrive; return each upload's offset and size, as the page sends them."""
    uploads: list[tuple[str, int]] = []

    async def break_off(route: Route) -> None:
        sent = route.request
        body = sent.post_data_buffer or b""
        uploads.append((sent.headers["upload-offset"], len(body)))
        if len(uploads) > 1:
            await route.continue_()
            return
        headers = sent.headers | {"upload-complete": "?0"}
        await route.fetch(post_data=body[: len(body) // 2], headers=headers)
        await route.abort()

    await page.route("**/lines", break_off)
    return uploads


async def option(page: Page, name: str) -> str:
    """Return the label of the option that begins so, once it is there."""
    option_of_name = page.locator("#contract option", has_text=name)
    await option_of_name.wait_for(state="attached")
    return await option_of_name.inner_text()


async def test_console__when_an_operator_limits_a_client__then_the_client_has_that_budget(
    harness: Harness, console: Console
) -> None:
    page, name = console.page, f"Shop {uuid.uuid4().hex[:6]}"
    await console.sign_in(harness.info["console"], button="Sign in as an operator")
    await console.open("clients/new")
    await page.get_by_label("Name").fill(name)
    assert await console.findings() == []
    await page.get_by_role("button", name="Create the client").click()
    await page.get_by_text("It is shown this once.").wait_for()
    await page.get_by_role("link", name="All clients").click()
    await page.get_by_role("link", name=name).wait_for()
    assert await console.findings() == []

    await page.get_by_role("link", name=name).click()
    await page.get_by_label("Mints an hour").fill("25")
    await page.get_by_label("ETH a day").fill("0.125")
    await page.get_by_role("button", name="Save the budget").click()
    await page.get_by_text("0 of 25 mints this hour").wait_for()
    await page.get_by_text("0 ETH of 0.125 ETH today").wait_for()
    assert await console.findings() == []
    await page.get_by_role("button", name="Disable").click()
    await page.locator("header.title .badge", has_text="disabled").wait_for()


@asynccontextmanager
async def open_sqs(info: Mapping[str, Any]) -> AsyncIterator[SQSClient]:
    """Open SQS as an operator."""
    async with get_session().create_client(
        "sqs",
        region_name=info["region"],
        endpoint_url=info["aws_endpoint_url"],
        aws_access_key_id=info["operator"]["access_key_id"],
        aws_secret_access_key=info["operator"]["secret_access_key"],
    ) as client:
        yield client


async def dead_letter(sqs: SQSClient, prefix: str, queue: Queue, *bodies: str) -> None:
    """Put bodies among a queue's dead letters, as its consumer does."""
    url = (await sqs.get_queue_url(QueueName=queue.dead_letter_name(prefix)))["QueueUrl"]
    attributes = {"code": "undecodable", "reason": "the body is no message", "origin": queue.name}
    for body in bodies:
        await sqs.send_message(
            QueueUrl=url,
            MessageBody=body,
            MessageGroupId=uuid.uuid4().hex,
            MessageDeduplicationId=uuid.uuid4().hex,
            MessageAttributes={
                name: {"DataType": "String", "StringValue": text} for name, text in attributes.items()
            },
        )


async def test_console__when_an_operator_looks_at_the_pipeline__then_it_shows_what_waits_and_what_runs_out(
    harness: Harness, console: Console
) -> None:
    page = console.page
    await console.sign_in(harness.info["console"], button="Sign in as an operator")
    await console.open("pipeline")
    await page.locator("section[aria-labelledby=queues] tbody tr").nth(2).wait_for()
    relayers = page.locator("section[aria-labelledby=senders] tbody tr", has_text="Relayer")
    assert await relayers.count() == len(harness.info["relayers"])
    assert await console.findings() == []

    older = PIPELINE.model_dump_json(
        exclude={"dead_letters": True, "operations": {"__all__": {"dead_letter"}}}
    )
    await page.route(
        "**/v1/pipeline", lambda route: route.fulfill(body=older, content_type="application/json")
    )
    await page.get_by_text("mintline dlq redrive build --all").wait_for()

    shown = PIPELINE.model_copy(update={"missing": ["chain"]}).model_dump_json()
    await page.route(
        "**/v1/pipeline", lambda route: route.fulfill(body=shown, content_type="application/json")
    )
    letter = page.locator("section[aria-labelledby=dead] li", has_text="no node has block 21450902")
    await letter.get_by_text("attempts_exhausted").wait_for()
    await page.get_by_text("Its message is a dead letter: Unavailable: no node has block").wait_for()
    await page.get_by_text("Sent 2 times, each time for a higher fee.").wait_for()
    await page.get_by_text("15 days").wait_for()
    await page.get_by_text("Missing: the chain.").wait_for()
    assert await console.findings() == []

    await page.route("**/v1/pipeline", lambda route: route.abort())
    await page.get_by_text("What you see is as of").wait_for()
    await letter.wait_for()
    assert await console.findings() == []


async def test_console__when_an_operator_sends_dead_letters_back__then_asks_first_and_they_are_tried_again(
    harness: Harness, console: Console
) -> None:
    page = console.page
    async with open_sqs(harness.info) as sqs:
        await dead_letter(sqs, harness.info["prefix"], BROADCAST, "not a message", "nor this")
        await console.sign_in(harness.info["console"], button="Sign in as an operator")
        await console.open("pipeline")
        shown = page.locator("section[aria-labelledby=dead] .letters > li")
        letters = shown.filter(has_text="the body is no message")
        await letters.nth(1).wait_for()

        send = page.get_by_role("button", name="Send all 2 back")
        await send.focus()
        await page.keyboard.press("Enter")
        dialog = page.get_by_role("dialog", name="Send 2 messages back to broadcast?")
        await dialog.wait_for()
        assert await console.findings() == []
        await page.keyboard.press("Escape")
        await dialog.wait_for(state="detached")
        assert await send.evaluate("button => button === document.activeElement")
        assert await letters.count() == 2

        await page.keyboard.press("Enter")
        await dialog.get_by_role("button", name="Send back").click()
        await page.get_by_text("2 messages sent back to broadcast.").wait_for()
        # They are no messages: the broadcaster dead-letters them again, in words of its own.
        await (
            shown.filter(has_text="undecodable")
            .filter(has_not_text="the body is no message")
            .nth(1)
            .wait_for()
        )
        assert await letters.count() == 0
        assert await console.findings() == []
        await DeadLetters(sqs, harness.info["prefix"]).drop(BROADCAST)


async def test_console__when_a_person_is_no_operator__then_the_operators_app_client_gives_them_nothing(
    harness: Harness, console: Console
) -> None:
    await console.enter(harness.info["cognito"], button="Sign in as an operator")

    await console.page.get_by_text("Your session has ended").wait_for()
    assert await console.page.evaluate("sessionStorage.length") == 0
