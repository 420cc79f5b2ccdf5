"""A follower of tables in memory."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry

from mintline.events import EventLog
from mintline_notifier.cursors import Cursors
from mintline_notifier.expander import Expander
from mintline_notifier.follower import Follower
from mintline_notifier.late import LateEvents
from mintline_notifier.metrics import Metrics
from mintline_testkit.notifier.tables import MemoryTables

PUBLIC_URL = "http://localhost"


def follower(
    tables: MemoryTables,
    log: EventLog,
    cursors: Cursors,
    *,
    owner: str,
    now: Callable[[], int] | None = None,
    metrics: Metrics | None = None,
    of: type[Follower] = Follower,
) -> Follower:
    """Return a follower of tables, by their clock or `now`."""
    metrics = metrics or Metrics(CollectorRegistry())

    def late(expander: Expander) -> LateEvents:
        return LateEvents(records=tables, expander=expander, events=log, set_aside=metrics.set_aside)

    return of(
        streams=tables,
        cursors=cursors,
        events=log,
        expander=lambda: Expander(tables, public_url=PUBLIC_URL, set_aside=metrics.set_aside),
        late=late,
        owner=owner,
        metrics=metrics,
        now=now or (lambda: tables.now),
    )
