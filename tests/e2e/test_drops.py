"""A drop with bad lines, whose upload is cut and whose processes are killed, on the whole stack."""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from mintline_client.sign_in import demo_client_token
from tests.e2e.conftest import User, metadata

if TYPE_CHECKING:
    from tests.e2e.conftest import Harness

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="session")]

LINES = 400
BAD = (3, 50, 51, 120, 249, 300, 398)
"""Places of lines that are refused."""
EMAILS = range(200, 212)
"""Places of lines that name e-mail addresses."""


def lines_of(run: str) -> bytes:
    """Return the lines of a drop as NDJSON."""
    lines: list[dict[str, Any]] = []
    for number in range(LINES):
        recipient = {"address": f"0x{secrets.token_hex(20)}"}
        if number in EMAILS:
            recipient = {"email": f"{run}-{number}@example.com"}
        if number in BAD:
            recipient = {"email": "nobody"}
        lines.append({"recipient": recipient, "metadata": metadata(f"{run} {number}"), "tags": [run]})
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


async def cut(body: bytes) -> AsyncIterator[bytes]:
    """Send a body in pieces, and break off."""
    for start in range(0, len(body), 16_384):
        yield body[start : start + 16_384]
        await asyncio.sleep(0.01)
    raise ConnectionError("cut")


class Drop:
    """A drop of the demo client's; every request is repeated while the api is away."""

    def __init__(self, harness: Harness) -> None:
        self._harness = harness
        self.path = "/v1/drops"

    async def call(self, method: str, path: str = "", body: Any = None, **headers: str) -> Any:
        deadline = time.monotonic() + 60
        while True:
            try:
                tokens = await demo_client_token(self._harness.session, self._harness.info)
                client = User(self._harness.session, self._harness.info["api_url"], tokens.access_token)
                answer = await client.call(method, self.path + path, body, **headers)
                if answer.status < 500:
                    assert answer.status < 300, answer
                    return answer.body
            except (aiohttp.ClientError, TimeoutError):
                pass
            assert time.monotonic() < deadline, "the api was away for a minute"
            await asyncio.sleep(0.2)

    async def upload(self, data: Any, offset: int) -> int:
        """Send lines, and return the status; raises as aiohttp does if it breaks off."""
        tokens = await demo_client_token(self._harness.session, self._harness.info)
        headers = {
            "Authorization": f"Bearer {tokens.access_token}",
            "Content-Type": "application/x-ndjson",
            "Upload-Offset": str(offset),
        }
        url = self._harness.info["api_url"] + self.path + "/lines"
        async with self._harness.session.patch(url, data=data, headers=headers) as answer:
            return answer.status

    async def refused(self) -> str:
        """Return the refused lines."""
        tokens = await demo_client_token(self._harness.session, self._harness.info)
        headers = {"Authorization": f"Bearer {tokens.access_token}"}
        url = self._harness.info["api_url"] + self.path + "/refused"
        async with self._harness.session.get(url, headers=headers) as answer:
            return await answer.text()

    async def offset(self) -> int:
        """Return where the upload goes on."""
        taken: int = (await self.call("GET", "/lines"))["offset"]
        return taken

    async def offset_after(self, offset: int) -> int:
        """Return where the upload goes on, once what came before it broke off is stored."""
        deadline = time.monotonic() + 20
        while (taken := await self.offset()) <= offset:
            assert time.monotonic() < deadline, taken
            await asyncio.sleep(0.1)
        return taken

    async def until(self, done: Callable[[Any], bool], within: float = 150.0) -> Any:
        """Poll the drop until it is so."""
        deadline = time.monotonic() + within
        while not done(drop := await self.call("GET")):
            assert time.monotonic() < deadline, drop
            await asyncio.sleep(0.3)
        return drop


async def test_drop__when_it_is_cut_and_processes_are_killed__then_each_good_line_is_one_token(
    harness: Harness,
) -> None:
    run = f"drop-{secrets.token_hex(4)}"
    body, drop = lines_of(run), Drop(harness)
    made = await drop.call("POST", body={"name": run}, idempotency_key=run)
    drop.path += f"/{made['drop_id']}"

    # The upload is cut by its client, then by the death of the api.
    # The error is not kept: it holds the connection open.
    with suppress(aiohttp.ClientError, ConnectionError):
        await drop.upload(cut(body[: len(body) // 3]), 0)
    first = await drop.offset_after(0)
    assert first <= len(body) // 3
    assert body[:first].endswith(b"\n"), "whole lines are kept"
    sending = asyncio.ensure_future(drop.upload(cut(body[first : 2 * len(body) // 3]), first))
    await asyncio.sleep(0.05)
    await harness.kill("api")
    await asyncio.gather(sending, return_exceptions=True)
    second = await drop.offset()
    assert await drop.upload(body[second:], second) == 200
    taken = await drop.call("GET", "/lines")
    assert (taken["lines"], taken["accepted"], taken["refused"]) == (LINES, LINES - len(BAD), len(BAD))
    assert taken["recipients"]["emails"] == len(EMAILS)
    refused = [json.loads(text) for text in (await drop.refused()).splitlines()]
    assert [each["refused"]["line"] for each in refused] == [place + 1 for place in BAD]

    tried = await drop.call("POST", "/dry-run")
    assert tried["wallets"] == {"to_make": 12, "at_most": 12, "looked_up": 12, "exact": True}
    assert len(tried["costs"]) == 3

    await drop.call("POST", "/prepare")
    await drop.until(lambda seen: seen["preparation"]["prepared"] >= 1 or seen["status"] == "prepared")
    await harness.kill("api")
    prepared = await drop.until(lambda seen: seen["status"] == "prepared")
    assert prepared["minting"]["lines"] == LINES - len(BAD)

    await drop.call("POST", "/start")
    await drop.until(lambda seen: seen["minting"]["handed_on"] > 0)
    await asyncio.gather(*(harness.kill(part) for part in ("api", "builder", "signer-host")))
    for part in ("broadcaster", "enclave", "indexer", "notifier"):
        await harness.kill(part)
    completed = await drop.until(lambda seen: seen["status"] == "completed")

    assert completed["minting"]["by_status"] == {"finalized": LINES - len(BAD)}
    assert completed["cost"]["lines"] == LINES - len(BAD)
    tokens = await demo_client_token(harness.session, harness.info)
    client = User(harness.session, harness.info["api_url"], tokens.access_token)
    mints = await all_mints(client, run)
    assert len(mints) == LINES - len(BAD)
    assert Counter(mint["status"] for mint in mints) == {"finalized": LINES - len(BAD)}
    assert len({mint["token_id"] for mint in mints}) == len(mints)
    one = mints[0]
    token = await client.get(f"/v1/tokens/{one['contract']}/{one['token_id']}")
    assert token["owner"] == one["to"]


async def all_mints(client: User, tag: str) -> list[Any]:
    """Return the client's mints with a tag."""
    mints: list[Any] = []
    cursor = ""
    while True:
        page = await client.get(f"/v1/mints?tag={tag}&limit=100{cursor}")
        mints += page["items"]
        if page["next_cursor"] is None:
            return mints
        cursor = f"&cursor={page['next_cursor']}"
