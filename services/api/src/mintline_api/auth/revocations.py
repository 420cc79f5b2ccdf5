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
from mintline_api.auth.intake_sessions import IntakeSessions
from mintline_api.auth.ports import RevocationStore
from mintline_api.caches import BoundedCache, SingleFlight

log = structlog.get_logger()

TOKEN_SECONDS = 24 * 3600
"""The longest that the user pool lets an access token be valid."""
_RECORDED = 50_000
_KNOWN_FOR = 45.0
"""Seconds for which it is known what is on record of a user; a token this young is not looked up."""
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
        self._known: BoundedCache[str, int] = BoundedCache(max_weight=_RECORDED, clock=now)
        self._reads: SingleFlight[str, int] = SingleFlight()

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

    async def revoke(self, sub: str) -> None:
        """Record that all tokens issued so far are revoked, of a user or a machine client.

        Raises MintlineError if it cannot be recorded.
        """
        now = int(self._now())
        await self._record(sub, revoked_before=now + 1, expires=now + TOKEN_SECONDS + KEPT)

    async def covers(self, sub: str, *, issued: float) -> bool:
        """Tell whether a token that the pool still accepts is older than one that it revoked.

        The enclave refuses such a token for what is accepted from now on, which would end the mint; its user
        refreshes it instead. If the record cannot be read, the enclave is the guard alone.
        """
        if self._now() - issued < _KNOWN_FOR:
            return False
        known = self._known.get(sub)
        if known is None:
            try:
                async with asyncio.timeout(_WITHIN):
                    known = await self._reads.run(sub, lambda: self._store.revoked_before(sub))
            except (MintlineError, TimeoutError) as error:
                log.warning("revocation_not_read", reason=str(error) or type(error).__name__)
                return False
            self._known.put(sub, known, ttl=_KNOWN_FOR)
        return issued < known

    async def _record(self, sub: str, *, revoked_before: int, expires: int) -> None:
        """Record that the user's tokens up to this one's issue are revoked: as of now."""
        fields = revocation_fields(sub, revoked_before)
        stated = self._intake.state(REVOCATION, *fields, at=int(self._now() * 1000))
        await self._store.record(
            sub, revoked_before=revoked_before, statement=stated.to_bytes(), expires=expires
        )
        self._known.put(sub, revoked_before, ttl=_KNOWN_FOR)
        log.info("token_revoked", revoked_before=revoked_before)
