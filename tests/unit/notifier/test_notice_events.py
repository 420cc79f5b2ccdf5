"""Notices become events: of funds for operators, of a budget for its client too, each once."""

from __future__ import annotations

from mintline.aws.notices import notice_item
from mintline.clock import DAY_MS
from mintline.events import EVENT_TYPES, OPERATORS
from mintline.notices import BudgetReached, RelayerLow, TreasuryLow
from mintline.resources import NOTICES
from mintline_testkit.events import MemoryEventLog
from mintline_testkit.notifier.followers import follower
from mintline_testkit.notifier.tables import MemoryCursors, MemoryTables

ADDRESS = "0x" + "3" * 40


def relayer(at: int) -> RelayerLow:
    return RelayerLow(chain_id=1, address=ADDRESS, balance=10**30, batches_left=7, at=at)


async def test_notices__when_they_are_on_record__then_those_concerned_have_an_event_each() -> None:
    tables, log = MemoryTables(), MemoryEventLog()
    reader = follower(tables, log, MemoryCursors(), owner="first")
    await reader.poll()
    at = tables.now
    for notice in (
        relayer(at),
        TreasuryLow(chain_id=1, address=ADDRESS, balance=5, top_ups_left=0, at=at),
        BudgetReached(client_id="shop", budget="mints_per_hour", limit=100, resets_at=at + 1, at=at),
        relayer(at + DAY_MS),
    ):
        tables.put(NOTICES, notice_item(notice))
    await reader.poll()

    seen = [(event.type, event.resource, event.created_at) for event in log.all(OPERATORS)]
    assert seen == [
        ("relayer.low", ("relayer", ADDRESS), at),
        ("treasury.low", ("treasury", ADDRESS), at),
        ("client.budget_reached", ("client", "shop"), at),
        ("relayer.low", ("relayer", ADDRESS), at + DAY_MS),
    ]
    assert {kind for kind, _, _ in seen} <= EVENT_TYPES
    assert [event.data for event in log.all(OPERATORS)][:3] == [
        {"chain_id": 1, "address": ADDRESS, "balance": str(10**30), "batches_left": 7},
        {"chain_id": 1, "address": ADDRESS, "balance": "5", "top_ups_left": 0},
        {
            "client_id": "shop",
            "budget": "mints_per_hour",
            "limit": "100",
            "resets_at": "2023-11-14T22:13:20.001Z",
        },
    ]
    [event] = log.all("shop")
    assert (event.type, event.id) == ("client.budget_reached", log.all(OPERATORS)[2].id)


async def test_notices__when_changes_were_gone_before_they_were_read__then_told_late_and_once() -> None:
    tables, log, cursors = MemoryTables(), MemoryEventLog(), MemoryCursors()
    reader = follower(tables, log, cursors, owner="first")
    await reader.poll()
    tables.put(NOTICES, notice_item(relayer(tables.now)))
    await reader.poll()
    await reader.step_down()
    tables.now += 25 * 3_600_000
    tables.put(NOTICES, notice_item(relayer(tables.now)))
    tables.lose_streams()
    await follower(tables, log, cursors, owner="second").poll()
    assert [event.type for event in log.all(OPERATORS)] == ["relayer.low"] * 2


async def test_notices__when_one_is_damaged_or_expires__then_the_others_are_told() -> None:
    tables, log = MemoryTables(), MemoryEventLog()
    reader = follower(tables, log, MemoryCursors(), owner="first")
    await reader.poll()
    for member, value in (("address", "nobody"), ("type", "relayer.rich"), ("at", None)):
        damaged = notice_item(relayer(tables.now)) | {"notice_id": f"damaged {member}", member: value}
        tables.put(NOTICES, damaged)
    item = notice_item(relayer(tables.now))
    tables.put(NOTICES, item)
    tables.put(NOTICES, item | {"expires": 1})
    await reader.poll()
    assert [event.type for event in log.all(OPERATORS)] == ["relayer.low"]
