"""A follower of tables in memory."""

from __future__ import annotations

from prometheus_client import CollectorRegistry

from mintline.events import EventLog
from mintline_notifier.cursors import Cursors
from mintline_notifier.expander import Expander
from mintline_notifier.follower import Follower
from mintline_notifier.late import LateEvents
from mintline_notifier.metrics import Metrics
from mintline_testkit.notifier.tables import MemoryTables

PUBLIC_URL = "http://localhost"


def follower(tables: MemoryTables, log: EventLog, cursors: Cursors, *, owner: str) -> Follower:
    """Return a follower that reads the tables' streams and appends to a log."""
    metrics = Metrics(CollectorRegistry())

    def late(expander: Expander) -> LateEvents:
        return LateEvents(records=tables, expander=expander, events=log, set_aside=metrics.set_aside)

    return Follower(
        streams=tables,
        cursors=cursors,
        events=log,
        expander=lambda: Expander(tables, public_url=PUBLIC_URL, set_aside=metrics.set_aside),
        late=late,
        owner=owner,
        metrics=metrics,
        now=lambda: tables.now,
    )
