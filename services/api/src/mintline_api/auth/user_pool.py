"""Checks whether tokens were revoked: asks the user pool about each token in use, at most every 45 seconds.

A token is valid when it is issued, and when the pool accepts it at `/oauth2/userInfo`, which refuses the
tokens of users who were signed out, disabled or deleted.

::

    last accepted          less than 45 s ago    earlier             over 5 min ago
    the pool responds      valid                 ask the pool        ask the pool
    the pool is silent     valid                 valid               503

Source: "The userInfo endpoint" in Amazon Cognito's developer guide.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import aiohttp
import structlog

from mintline.errors import Unavailable
from mintline_api.auth.jwks import read_bounded
from mintline_api.auth.ports import TokenStatus
from mintline_api.caches import BoundedCache, SingleFlight

log = structlog.get_logger()

RECHECK_AFTER = 45.0
"""Seconds after which the pool is asked again about a token; its answer takes seconds more, so a minute."""
SERVED_FOR = 300.0
"""Seconds for which the last good news serves while the pool does not answer."""
RETRY_AFTER = 5.0
"""Seconds after a failure in which the pool is not asked, about any token."""
_KNOWN = 50_000


class HttpUserInfo:
    """The user pool's `/oauth2/userInfo`."""

    def __init__(self, session: aiohttp.ClientSession, url: str, *, timeout: float = 3.0) -> None:
        self._session = session
        self._url = url
        self._timeout = aiohttp.ClientTimeout(total=timeout)

    async def counts(self, token: str, *, sub: str) -> bool:
        headers = {"Authorization": f"Bearer {token}"}
        try:
            async with self._session.get(
                self._url, headers=headers, timeout=self._timeout, allow_redirects=False
            ) as response:
                if response.status == 401:
                    return False
                if response.status != 200:
                    raise Unavailable(f"userInfo: HTTP {response.status}")
                claims = json.loads(await read_bounded(response.content, what="userInfo"))
        except (aiohttp.ClientError, TimeoutError, ValueError, RecursionError) as error:
            raise Unavailable(f"userInfo: {type(error).__name__}") from error
        return isinstance(claims, dict) and claims.get("sub") == sub


@dataclass(slots=True)
class _Check:
    good_at: float
    """Unix seconds of the last good news."""
    refused_at: float | None = None
    """Unix seconds at which the pool refused the token."""


class TokenChecks:
    """Remembers what the pool said of each token. `now` is in Unix seconds, by which `issued` is compared."""

    def __init__(self, pool: TokenStatus, *, now: Callable[[], float]) -> None:
        self._pool = pool
        self._now = now
        self._known: BoundedCache[bytes, _Check] = BoundedCache(max_weight=_KNOWN, clock=now)
        self._flights: SingleFlight[bytes, None] = SingleFlight()
        self._failed_at: float | None = None

    async def counts(self, digest: bytes, token: str, *, sub: str, issued: float, expires: float) -> bool:
        """Tell whether a verified token still counts; raises Unavailable when that is not known.

        `digest` names the token; `issued` and `expires` are its own times, in Unix seconds.
        """
        now = self._now()
        check = self._known.get(digest)
        if check is None:
            check = _Check(good_at=min(issued, now))
            self._known.put(digest, check, ttl=max(expires - now, RECHECK_AFTER))
        known_at = check.good_at if check.refused_at is None else check.refused_at
        if now - known_at >= RECHECK_AFTER:
            await self._flights.run(digest, partial(self._recheck, check, token, sub))
        return check.refused_at is None

    async def _recheck(self, check: _Check, token: str, sub: str) -> None:
        begun = self._now()
        counts = await self._fetch(token, sub, begun)
        if counts is None:
            if begun - check.good_at >= SERVED_FOR:
                raise Unavailable("the user pool does not tell whether the token still counts")
        elif counts:
            check.good_at, check.refused_at = begun, None
        else:
            check.refused_at = begun

    async def _fetch(self, token: str, sub: str, begun: float) -> bool | None:
        """Return the pool's answer; None without one."""
        if self._failed_at is not None and begun - self._failed_at < RETRY_AFTER:
            return None
        try:
            counts = await self._pool.counts(token, sub=sub)
        except Unavailable as error:
            self._failed_at = begun
            log.warning("user_pool_unreachable", reason=str(error))
            return None
        self._failed_at = None
        return counts
