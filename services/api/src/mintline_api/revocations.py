"""Puts revoked tokens on record, signed, so that the enclave refuses them too.

A failure keeps nobody waiting and changes no answer: it is tried again when the token comes again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial

import structlog

from mintline.errors import MintlineError
from mintline.revocation import KEPT, REVOCATION, revocation_fields
from mintline_api.caches import BoundedCache, SingleFlight
from mintline_api.intake_sessions import IntakeSessions
from mintline_api.ports import RevocationStore

log = structlog.get_logger()

_RECORDED = 50_000
_WITHIN = 2.0
"""Seconds that an answer waits for the record."""


class Revocations:
    """Records each revoked token once in a process's life; `now` is in Unix seconds."""

    def __init__(self, store: RevocationStore, intake: IntakeSessions, *, now: Callable[[], float]) -> None:
        self._store = store
        self._intake = intake
        self._now = now
        self._recorded: BoundedCache[bytes, bool] = BoundedCache(max_weight=_RECORDED, clock=now)
        self._flights: SingleFlight[bytes, None] = SingleFlight()

    async def note(self, digest: bytes, *, sub: str, issued: float, expires: float) -> None:
        """Record that the token `digest` is revoked; `issued` and `expires` are its own, in Unix seconds."""
        if self._recorded.get(digest):
            return
        record = partial(self._record, sub, revoked_before=int(issued) + 1, expires=int(expires) + KEPT)
        try:
            async with asyncio.timeout(_WITHIN):
                await self._flights.run(digest, record)
        except (MintlineError, TimeoutError) as error:
            log.warning("revocation_not_recorded", reason=str(error) or type(error).__name__)
        else:
            self._recorded.put(digest, True, ttl=max(expires - self._now(), _WITHIN))  # noqa: FBT003 - a mark

    async def _record(self, sub: str, *, revoked_before: int, expires: int) -> None:
        """Record that the user's tokens up to this one's issue are revoked: as of now."""
        fields = revocation_fields(sub, revoked_before)
        stated = self._intake.state(REVOCATION, *fields, at=int(self._now() * 1000))
        await self._store.record(
            sub, revoked_before=revoked_before, statement=stated.to_bytes(), expires=expires
        )
        log.info("token_revoked", revoked_before=revoked_before)
