from __future__ import annotations

import asyncio
import gzip
import json
from typing import Any

from mintline.events import Event, EventPage, Resource, event_id
from mintline_api.features.events.routes import STREAMS
from mintline_testkit.api.client import MemoryClient
from mintline_testkit.api.harness import Harness


def event(number: int, kind: str = "mint.accepted", *, principal: str = "alice") -> Event:
    return Event(
        id=event_id(kind, number),
        type=kind,
        created_at=1_700_000_000_000 + number,
        principal=principal,
        resource=Resource("mint", f"mint_{number}"),
        data={"number": number},
    )


async def test_events__when_read_by_pages__then_in_order_and_the_callers_alone(
    harness: Harness, client: MemoryClient
) -> None:
    await harness.events.append("alice", [event(number) for number in range(5)])
    await harness.events.append("bob", [event(9, principal="bob")])
    first = await client.request("GET", "/v1/events?limit=3", headers=harness.headers())
    page = first.json()
    assert [event["data"]["number"] for event in page["events"]] == [0, 1, 2]
    assert page["more"]
    rest = await client.request("GET", f"/v1/events?after={page['next']}", headers=harness.headers())
    assert [event["data"]["number"] for event in rest.json()["events"]] == [3, 4]
    none = await client.request("GET", "/v1/events?type=mint.mined", headers=harness.headers())
    assert none.json()["events"] == []
    for query in ("type=mint.eaten", "after=yesterday", "limit=0"):
        refused = await client.request("GET", f"/v1/events?{query}", headers=harness.headers())
        assert refused.status == 400, query
    other = await client.request("GET", "/v1/events?principal=bob", headers=harness.headers())
    assert other.status == 403


async def test_events__when_the_caller_takes_gzip__then_a_page_comes_compressed(
    harness: Harness, client: MemoryClient
) -> None:
    await harness.events.append("alice", [event(number) for number in range(100)])
    plain = await client.request("GET", "/v1/events?limit=100", headers=harness.headers())
    fields = {**harness.headers(), "Accept-Encoding": "gzip"}
    packed = await client.request("GET", "/v1/events?limit=100", headers=fields)

    assert "content-encoding" not in plain.headers
    assert packed.headers["content-encoding"] == "gzip"
    assert gzip.decompress(packed.body) == plain.body
    assert len(packed.body) < len(plain.body) / 5


async def test_events__when_streamed__then_they_come_after_the_last_one(harness: Harness) -> None:
    placed = await harness.events.append("alice", [event(number) for number in range(3)])
    app = harness.app()
    read, wrote = harness.events.read, asyncio.Event()

    async def watched(*arguments: Any, **named: Any) -> EventPage:
        page = await read(*arguments, **named)
        if not page.events:
            wrote.set()
        return page

    harness.events.read = watched  # type: ignore[method-assign]
    headers = harness.headers() | {"Accept": "text/event-stream", "Last-Event-ID": placed[0].position}
    async with MemoryClient(app) as client, asyncio.timeout(30):
        asking = asyncio.create_task(client.request("GET", "/v1/events", headers=headers))
        await wrote.wait()
        await harness.events.append("alice", [event(7, "mint.mined")])
        for _ in range(2):
            wrote.clear()
            await wrote.wait()
        app[STREAMS].close()
        response = await asking
    assert response.status == 200
    assert response.headers["content-type"] == "text/event-stream"
    texts = response.body.decode().strip().split("\n\n")
    begins, *fields = [dict(line.split(": ", 1) for line in text.split("\n")) for text in texts]
    assert begins == {"id": placed[0].position}, "a reader cut off before the first event comes back here"
    assert [json.loads(field["data"])["data"]["number"] for field in fields] == [1, 2, 7]
    assert fields[0]["id"] == placed[1].position
    assert fields[2]["event"] == "mint.mined"


async def test_events__when_read_from_behind_the_logs_end__then_refused_with_where_it_ends(
    harness: Harness, client: MemoryClient
) -> None:
    headers = harness.headers()
    stream = headers | {"Accept": "text/event-stream"}
    # Nothing is known of an empty log: its events may have expired.
    empty = await client.request("GET", "/v1/events?after=0000000004999", headers=headers)
    assert (empty.status, empty.json()["next"]) == (200, "0000000004999")
    placed = await harness.events.append("alice", [event(number) for number in range(3)])
    end = placed[-1].position
    beyond = f"{int(end) + 1:013d}"

    for url, header_set in (
        (f"/v1/events?after={beyond}", headers),
        (f"/v1/events?after={beyond}", stream),
        ("/v1/events", stream | {"Last-Event-ID": beyond}),
    ):
        refused = await client.request("GET", url, headers=header_set)
        assert refused.status == 400
        assert end in refused.json()["detail"]
    at_end = await client.request("GET", f"/v1/events?after={end}&type=drop.started", headers=headers)
    assert (at_end.status, at_end.json()["next"]) == (200, end)
