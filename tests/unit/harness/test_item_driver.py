"""How mints of items are posted while reorgs take the collection's deployment back."""

from __future__ import annotations

import time
from collections.abc import Sequence

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from mintline.errors import Unavailable
from mintline_bench import load
from mintline_harness.chaos.items import ItemDriver


async def post(monkeypatch: pytest.MonkeyPatch, responses: Sequence[tuple[int, str]]) -> tuple[str, int]:
    """Post a mint to an API with these responses in turn; return its id, and how often it was repeated."""
    monkeypatch.setattr(load, "RETRY_PAUSE", 0)
    remaining = iter(responses)

    async def respond(_request: web.Request) -> web.Response:
        status, code = next(remaining)
        return web.json_response({"mint_id": "mint_1", "code": code}, status=status)

    app = web.Application()
    app.router.add_post("/v1/mints", respond)
    async with TestServer(app) as server, aiohttp.ClientSession() as session:
        api_url = str(server.make_url("")).rstrip("/")
        driver = ItemDriver(session, api_url=api_url, tokens=["token"], deadline=time.time() + 60)
        posted = await driver.post(0)
        return posted.mint_id, driver.retries


async def test_post__when_the_collection_is_not_ready_for_a_moment__then_posted_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert await post(monkeypatch, [(409, "collection-not-ready"), (202, "")]) == ("mint_1", 1)


async def test_post__when_it_is_refused_for_another_reason__then_unavailable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(Unavailable, match="collection-frozen"):
        await post(monkeypatch, [(409, "collection-frozen"), (202, "")])
