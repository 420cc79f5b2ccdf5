"""The two implementations of the event log behave alike."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

from mintline.aws.dynamo import Delete, Dynamo, Page
from mintline.aws.event_log import DynamoEventLog
from mintline.events import (
    BATCH_EVENTS,
    START,
    Event,
    EventLog,
    InvalidPosition,
    Marks,
    Resource,
    event_id,
    mark_of,
)
from mintline.resource_types import Table
from mintline.resources import EVENTS
from mintline_testkit.events import MemoryEventLog

NOW = 1_700_000_000_000
Opener = Callable[[], EventLog]


def event(number: int, kind: str = "mint.accepted", *, principal: str = "alice") -> Event:
    return Event(
        id=event_id(kind, number),
        type=kind,
        created_at=NOW + number,
        principal=principal,
        resource=Resource("mint", f"mint_{number}"),
        data={"number": number},
    )


@pytest.fixture(params=["memory", "dynamo"])
def opener(request: pytest.FixtureRequest, dynamo: Dynamo) -> Opener:
    if request.param == "memory":
        log = MemoryEventLog()
        return lambda: log
    return lambda: DynamoEventLog(dynamo, now=lambda: NOW)


async def everything(log: EventLog, *, limit: int = 7, types: frozenset[str] | None = None) -> list[Event]:
    events, after, more = [], None, True
    while more:
        page = await log.read("alice", after=after, types=types, limit=limit)
        assert len(page.events) <= limit
        events += [entry.event for entry in page.events]
        after, more = page.next, page.more
    return events


async def test_append__when_repeated__appends_once_in_order(opener: Opener) -> None:
    first, second = opener(), opener()
    events = [event(number) for number in range(2 * BATCH_EVENTS + 30)]
    assert await first.tail("alice") == START
    assert await everything(first) == []
    assert len(await first.append("alice", events[:130])) == 130
    # Another process appends some of them again, and more.
    assert [entry.event.id for entry in await second.append("alice", events[100:])] == [
        event.id for event in events[130:]
    ]
    assert await first.append("alice", events) == ()
    logged = await everything(first)
    assert [event.id for event in logged] == [event.id for event in events]
    assert all(before.sequence < after.sequence for before, after in pairwise(logged))
    page = await second.read("alice", after=None, types=None, limit=1)
    later = await second.read("alice", after=page.next, types=None, limit=1)
    assert later.events[0].event.data == {"number": 1}
    tail = await second.tail("alice")
    nothing = await second.read("alice", after=tail, types=None, limit=5)
    assert (nothing.events, nothing.more) == ((), False)
    assert nothing.next >= tail
    assert await everything(opener(), limit=100) == logged


async def test_append__when_marked__knows_repetitions_by_their_changes(opener: Opener) -> None:
    first, second = opener(), opener()
    events = [event(number) for number in range(250)]
    of = tuple(mark_of("700", place) for place in range(250))
    # It was cut off within one change, whose events do not fit into one batch.
    await first.append("alice", events[:150], marks=Marks("shard-1", of[:150]))
    left = await second.append("alice", events, marks=Marks("shard-1", of))
    assert [entry.event.id for entry in left] == [event.id for event in events[150:]]
    other = await first.append("alice", [event(900)], marks=Marks("shard-2", (mark_of("5", 0),)))
    assert len(other) == 1
    assert await first.append("alice", events, marks=Marks("shard-1", of)) == ()
    # Of a change that nobody read yet, but whose events were found otherwise.
    late = Marks("shard-1", (mark_of("701", 0), mark_of("702", 0)))
    new = await second.append("alice", [events[0], event(901)], marks=late, known_since=NOW)
    assert [entry.event.data["number"] for entry in new] == [901]


async def test_append__when_ids_are_looked_up__reads_the_log_once(
    dynamo: Dynamo, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: list[object] = []
    query = dynamo.query

    async def counted(table: Table, **arguments: Any) -> Page:
        reads.append(arguments)
        return await query(table, **arguments)

    monkeypatch.setattr(dynamo, "query", counted)
    log, other = (DynamoEventLog(dynamo, now=lambda: NOW) for _ in range(2))
    await other.append("alice", [event(1), event(2)])
    await log.append("alice", [event(2), event(3)], known_since=NOW)
    before = len(reads)
    assert await log.append("alice", [event(1), event(3)], known_since=NOW) == ()
    assert len(await log.append("alice", [event(3), event(4)], known_since=NOW)) == 1
    assert len(reads) == before
    # What another process appends meanwhile is looked up again.
    await other.append("alice", [event(5)])
    before = len(reads)
    assert [
        placed.event.data for placed in await log.append("alice", [event(5), event(6)], known_since=NOW)
    ] == [{"number": 6}]
    assert len(reads) > before


async def test_append__when_several_write_at_once__leaves_out_nothing(opener: Opener) -> None:
    logs = [opener() for _ in range(4)]
    await asyncio.gather(
        *(log.append("alice", [event(10 * place + n) for n in range(10)]) for place, log in enumerate(logs))
    )
    events = await everything(logs[0])
    assert sorted(event.data["number"] for event in events) == list(range(40))


async def test_read__when_limited_to_types__then_it_passes_over_the_others(opener: Opener) -> None:
    log = opener()
    kinds = ["mint.mined" if number % 10 == 0 else "mint.accepted" for number in range(50)]
    for number, kind in enumerate(kinds):
        await log.append("alice", [event(number, kind)])
    events = await everything(log, limit=2, types=frozenset({"mint.mined"}))
    assert [event.data["number"] for event in events] == [0, 10, 20, 30, 40]
    with pytest.raises(InvalidPosition):
        await log.read("alice", after="yesterday", types=None, limit=1)
    assert (await log.read("bob", after=None, types=None, limit=1)).events == ()


async def test_append__when_all_that_a_log_had_has_expired__goes_on_above_it(dynamo: Dynamo) -> None:
    now = NOW
    logs = [DynamoEventLog(dynamo, now=lambda: now) for _ in range(2)]
    first = await logs[0].append("alice", [event(number) for number in range(BATCH_EVENTS + 1)])
    reader = first[-1].position
    page = await dynamo.query(EVENTS, partition="alice", limit=10)
    for item in page.items:
        await dynamo.write(Delete(EVENTS, {"principal": "alice", "batch": item["batch"]}))
    now += 31 * 86_400_000

    # The first one wrote the batches that expired, and the other never saw them.
    later = [*await logs[1].append("alice", [event(500)]), *await logs[0].append("alice", [event(501)])]
    rest = await logs[0].read("alice", after=reader, types=None, limit=10)
    assert [entry.event.id for entry in rest.events] == [entry.event.id for entry in later]
    assert len(later) == 2
    assert later[0].position < later[1].position


async def test_append__when_the_last_batch_has_expired_and_is_not_deleted__goes_on_above_it(
    dynamo: Dynamo,
) -> None:
    now = NOW
    logs = [DynamoEventLog(dynamo, now=lambda: now) for _ in range(2)]
    for number in range(2):
        await logs[0].append("alice", [event(number)])
    reader = await logs[0].tail("alice")
    now += 30 * 86_400_000
    # What has expired is deleted in no order: here the last batch before the first. One writer knows of it.
    page = await dynamo.query(EVENTS, partition="alice", limit=10)
    await dynamo.write(Delete(EVENTS, {"principal": "alice", "batch": page.items[-1]["batch"]}))
    assert await logs[1].tail("alice") >= reader, "it is no position behind the log's end"

    later = [*await logs[1].append("alice", [event(500)]), *await logs[0].append("alice", [event(501)])]
    rest = await logs[0].read("alice", after=reader, types=None, limit=10)
    assert [entry.event.data["number"] for entry in rest.events] == [500, 501]
    assert later[0].position < later[1].position
