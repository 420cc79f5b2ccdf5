"""Records that cannot be used as they are: each is logged and counted, and the work goes on without it.

The record itself stays where it is, for an operator to repair (docs/set-aside.md).
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import structlog
from prometheus_client import CollectorRegistry, Counter
from pydantic import ValidationError

from mintline.errors import Unusable
from mintline.frozen import faults_of

AGAIN = 300.0
"""Seconds after which the same record is logged again: the alarm lasts as long as the record is unusable."""
REMEMBERED = 10_000
"""How many records' last times are remembered."""

log = structlog.get_logger(__name__)


class SetAside:
    """Tells of what one process sets aside. `clock` is monotonic, in seconds."""

    def __init__(
        self, registry: CollectorRegistry | None = None, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._clock = clock
        self._logged: OrderedDict[tuple[str, str], float] = OrderedDict()
        self._counter = Counter(
            "mintline_records_set_aside",
            "Records that could not be read or written as they are; counted again every five minutes.",
            ("table",),
            registry=registry,
        )

    @contextmanager
    def guarding(self, table: str, key: str) -> Iterator[None]:
        """Do what concerns one record; if that, or what it needs, is unusable, set it aside and go on.

        What says nothing of the record (an outage, throttling, a lost race) is raised as it is.
        """
        try:
            yield
        except Unusable as error:
            self.note(table, key, error)
        except ValidationError as error:
            self.note(table, key, f"{error.title}: {faults_of(error)}")

    def note(self, table: str, key: str, reason: object) -> None:
        """Log and count a record that is set aside, unless it was within the last five minutes."""
        now = self._clock()
        last = self._logged.pop((table, key), None)
        due = last is None or now - last >= AGAIN
        self._logged[table, key] = now if last is None or due else last
        if len(self._logged) > REMEMBERED:
            self._logged.popitem(last=False)
        if due:
            self._counter.labels(table).inc()
            log.error("record_set_aside", table=table, key=key, reason=str(reason))
