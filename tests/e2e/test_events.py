"""Events of a mint on the whole stack: each step once, in order, with the resource as its GET has it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import aiohttp
import pytest

from mintline_client.events import Event
from tests.e2e.conftest import User, listed

if TYPE_CHECKING:
    from tests.e2e.conftest import Harness

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="session")]


async def test_events__when_a_mint_is_final__then_its_user_reads_each_step_in_order(user: User) -> None:
    mint = await user.mint("told of")
    final = await user.until(mint["mint_id"], "finalized")
    events: list[Event] = []
    after: str | None = None
    async with asyncio.timeout(90):
        while not any(event["type"] == "mint.finalized" for event in events):
            page = await user.client.events.read(after=after)
            events += [event for event in page["events"] if event["resource"]["id"] == mint["mint_id"]]
            after = page["next"]
            await asyncio.sleep(0.2)

    kinds = [event["type"] for event in events]
    assert [kinds[0], *kinds[-1:]] == ["mint.accepted", "mint.finalized"]
    assert kinds.index("mint.submitted") < kinds.index("mint.mined")
    assert len({event["id"] for event in events}) == len(events)
    assert [event["sequence"] for event in events] == sorted(event["sequence"] for event in events)
    assert events[-1]["data"] == final


async def test_stream__when_a_user_listens_while_the_api_is_killed__then_each_step_comes_once_as_in_the_log(
    harness: Harness, user: User
) -> None:
    streamed: list[Event] = []
    statuses: list[int] = []
    connected = asyncio.Event()

    async def note(_session: object, _context: object, ended: aiohttp.TraceRequestEndParams) -> None:
        statuses.append(ended.response.status)
        connected.set()

    trace = aiohttp.TraceConfig()
    trace.on_request_end.append(note)

    async def listen() -> None:
        async with aiohttp.ClientSession(trace_configs=[trace]) as session:
            listener = User(session, user.api, user.token)
            async for _, event in listener.client.events.stream(after="0000000000000"):
                streamed.append(event)
                if event["type"] == "mint.finalized":
                    return

    listening = asyncio.create_task(listen())
    await asyncio.wait_for(connected.wait(), 30)
    await user.mint("heard of")
    await harness.kill("api")
    await asyncio.wait_for(listening, 90)
    assert statuses.count(200) > 1, "the stream did not break"

    log = await listed(user.patient.events.list())
    assert streamed == log[: len(streamed)]
    assert streamed[-1]["type"] == "mint.finalized"
