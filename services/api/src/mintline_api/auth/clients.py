"""Which machine clients count: their records, each read at most every 45 seconds.

::

    last read              less than 45 s ago    earlier           over 5 min ago
    storage responds       as read then          read again        read again
    storage is silent      as read then          as read then      503

So a client that is disabled, or deleted, is refused within a minute on every copy of the api.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import structlog

from mintline.errors import Unavailable
from mintline.records.clients import Client
from mintline_api.auth.ports import ClientStore
from mintline_api.caches import BoundedCache, SingleFlight

log = structlog.get_logger()

REREAD_AFTER = 45.0
"""Seconds for which a record serves without being read again."""
UNKNOWN_FOR = 5.0
"""Seconds for which it is known that there is none: a new client is not kept waiting for long."""
SERVED_FOR = 300.0
"""Seconds for which a record serves while storage does not respond."""
_KNOWN = 10_000


@dataclass(frozen=True, slots=True)
class _Read:
    client: Client | None
    at: float
    """When it was read, in Unix seconds."""


class ClientDirectory:
    """Remembers clients' records. `now` is in Unix seconds."""

    def __init__(self, store: ClientStore, *, now: Callable[[], float]) -> None:
        self._store = store
        self._now = now
        self._known: BoundedCache[str, _Read] = BoundedCache(max_weight=_KNOWN, clock=now)
        self._flights: SingleFlight[str, _Read] = SingleFlight()

    async def client(self, client_id: str) -> Client | None:
        """Return a client's record, disabled or not; None if there is none. Raises Unavailable."""
        known = self._known.get(client_id)
        if known is not None:
            age = self._now() - known.at
            if age < (UNKNOWN_FOR if known.client is None else REREAD_AFTER):
                return known.client
        try:
            read = await self._flights.run(client_id, partial(self._read, client_id))
        except Unavailable as error:
            if known is None:
                raise
            log.warning("client_not_read", reason=str(error))
            return known.client
        return read.client

    def forget(self, client_id: str) -> None:
        """Read the record again on its next use: it was changed here."""
        self._known.discard(client_id)

    async def _read(self, client_id: str) -> _Read:
        begun = self._now()
        read = _Read(await self._store.client(client_id), begun)
        self._known.put(client_id, read, ttl=SERVED_FOR)
        return read
