"""How late events are is logged once a minute by the reader, for an alarm, and by no other copy."""

from __future__ import annotations

from structlog.testing import capture_logs

from mintline_testkit.events import MemoryEventLog
from mintline_testkit.notifier.followers import follower
from mintline_testkit.notifier.tables import MemoryCursors, MemoryTables


async def test_lag__when_two_copies_poll__then_the_reader_logs_it_once_a_minute() -> None:
    tables, log, cursors = MemoryTables(), MemoryEventLog(), MemoryCursors()
    reader, other = (follower(tables, log, cursors, owner=name) for name in ("first", "second"))
    with capture_logs() as logs:
        for _ in range(12):
            await reader.poll()
            await other.poll()
            tables.now += 10_000
    logged = [entry for entry in logs if entry["event"] == "event_lag"]
    assert [entry["lag_seconds"] for entry in logged] == [0.0, 0.0]
