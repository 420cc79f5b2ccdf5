"""A drop with bad lines, whose upload is cut and whose processes are killed, on the whole stack."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from mintline.errors import Unavailable
from mintline_client.models import DropView, LinesView
from tests.e2e.conftest import User, demo_client, listed, metadata

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
    """A drop of the demo client's; calls are repeated while the api is away, uploads are not."""

    def __init__(self, client: User, drop_id: str) -> None:
        self._client, self.drop_id = client, drop_id
        self.drops = client.patient.drops

    @classmethod
    async def create(cls, harness: Harness, name: str, **request: Any) -> Drop:
        """Make an empty drop."""
        client = await demo_client(harness)
        created = await client.client.drops.create({"name": name, **request}, idempotency_key=name)  # type: ignore[typeddict-item]
        return cls(client, created["drop_id"])

    async def upload(self, data: Any, offset: int) -> LinesView:
        """Send lines in one try; raises as aiohttp does if it breaks off."""
        headers = {"Content-Type": "application/x-ndjson", "Upload-Offset": str(offset)}
        path = f"/v1/drops/{self.drop_id}/lines"
        taken: LinesView = await self._client.client.api.send("PATCH", path, data, headers=headers)
        return taken

    async def refused(self) -> list[Any]:
        """Return the refused lines."""
        return [json.loads(text) for text in (await self.drops.refused(self.drop_id)).splitlines()]

    async def offset_after(self, offset: int) -> int:
        """Return where the upload goes on, once what came before it broke off is stored."""
        async with asyncio.timeout(20):
            while (taken := await self.drops.offset(self.drop_id)) <= offset:  # noqa: ASYNC110 - over HTTP
                await asyncio.sleep(0.1)
        return taken

    async def until(self, done: Callable[[DropView], bool], within: float = 150.0) -> DropView:
        """Poll the drop until it is so."""
        async with asyncio.timeout(within):
            while not done(drop := await self.drops.get(self.drop_id)):  # noqa: ASYNC110 - over HTTP
                await asyncio.sleep(0.3)
        return drop


async def test_drop__when_it_is_cut_and_processes_are_killed__then_each_good_line_is_one_token(
    harness: Harness,
) -> None:
    run = f"drop-{secrets.token_hex(4)}"
    body, drop = lines_of(run), await Drop.create(harness, run)

    # The upload is cut by its client, then by the death of the api.
    # The error is not kept: it holds the connection open.
    with suppress(Unavailable, ConnectionError):
        await drop.upload(cut(body[: len(body) // 3]), 0)
    first = await drop.offset_after(0)
    assert first <= len(body) // 3
    assert body[:first].endswith(b"\n"), "whole lines are kept"
    sending = asyncio.ensure_future(drop.upload(cut(body[first : 2 * len(body) // 3]), first))
    await asyncio.sleep(0.05)
    await harness.kill("api")
    await asyncio.gather(sending, return_exceptions=True)
    second = await drop.drops.offset(drop.drop_id)
    taken = await drop.upload(body[second:], second)
    assert (taken["lines"], taken["accepted"], taken["refused"]) == (LINES, LINES - len(BAD), len(BAD))
    assert taken["recipients"]["emails"] == len(EMAILS)
    assert [each["refused"]["line"] for each in await drop.refused()] == [place + 1 for place in BAD]

    tried = await drop.drops.dry_run(drop.drop_id)
    assert tried["wallets"] == {"to_make": 12, "at_most": 12, "looked_up": 12, "exact": True}
    assert len(tried["costs"]) == 3

    await drop.drops.prepare(drop.drop_id)
    await drop.until(lambda seen: seen["preparation"]["prepared"] >= 1 or seen["status"] == "prepared")
    await harness.kill("api")
    prepared = await drop.until(lambda seen: seen["status"] == "prepared")
    assert prepared["minting"]["lines"] == LINES - len(BAD)

    await drop.drops.start(drop.drop_id)
    await drop.until(lambda seen: seen["minting"]["handed_on"] > 0)
    await asyncio.gather(*(harness.kill(part) for part in ("api", "builder", "signer-host")))
    for part in ("broadcaster", "enclave", "indexer", "notifier"):
        await harness.kill(part)
    completed = await drop.until(lambda seen: seen["status"] == "completed")

    assert completed["minting"]["by_status"] == {"finalized": LINES - len(BAD)}
    assert completed["cost"]["lines"] == LINES - len(BAD)
    shop = await demo_client(harness)
    mints = await listed(shop.client.drops.mints(drop.drop_id))
    assert {mint["mint_id"] for mint in await listed(shop.client.mints.list(tag=run))} == {
        mint["mint_id"] for mint in mints
    }
    assert len(mints) == LINES - len(BAD)
    assert Counter(mint["status"] for mint in mints) == {"finalized": LINES - len(BAD)}
    assert len({mint["token_id"] for mint in mints}) == len(mints)
    mint = mints[0]
    token = await shop.client.tokens.get(mint["contract"], mint["token_id"] or "")
    assert token["owner"] == mint["to"]
