"""An issuer's signing keys: fetched once, kept while they last, fetched again when a new one shows up."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import aiohttp
import structlog
from pydantic import TypeAdapter, ValidationError

from mintline.access_tokens.rules import PublicKey
from mintline.errors import Unavailable
from mintline.http_bodies import read_at_most
from mintline.oidc_issuers import AnyJwk
from mintline_api.auth.ports import JwksSource
from mintline_api.caches import SingleFlight

log = structlog.get_logger()

_JWK: TypeAdapter[AnyJwk] = TypeAdapter(AnyJwk)
MOST_BYTES = 256 * 1024
"""The longest document that is read; a user pool's JWKS has two keys and a kilobyte."""


class HttpJwks:
    """A JWKS document over HTTP."""

    def __init__(self, session: aiohttp.ClientSession, url: str, *, timeout: float = 3.0) -> None:
        self._session = session
        self._url = url
        self._timeout = aiohttp.ClientTimeout(total=timeout)

    async def fetch(self) -> dict[str, Any]:
        """Return the document; raises Unavailable for anything but a 200 with a JSON object of some size."""
        try:
            async with self._session.get(self._url, timeout=self._timeout, allow_redirects=False) as response:
                if response.status != 200:
                    raise Unavailable(f"JWKS: HTTP {response.status}")
                document = json.loads(await read_bounded(response.content, what="JWKS"))
        except (aiohttp.ClientError, TimeoutError, ValueError, RecursionError) as error:
            raise Unavailable(f"JWKS: {type(error).__name__}") from error
        if not isinstance(document, dict):
            raise Unavailable("JWKS: not a JSON object")
        return document


async def read_bounded(content: aiohttp.StreamReader, *, what: str) -> bytes:
    """Return a whole body of MOST_BYTES at most; raises Unavailable for a longer one."""
    body = await read_at_most(content, MOST_BYTES)
    if body is None:
        raise Unavailable(f"{what}: more than {MOST_BYTES} bytes")
    return body


class KeySet:
    """Signing keys by id.

    An old set is renewed in the background, and used for as long as the source does not answer. A key id that
    is not in it makes a fetch, but at most one per `min_interval` (seconds), so that made-up ids cost little.
    """

    def __init__(
        self,
        source: JwksSource,
        *,
        clock: Callable[[], float],
        ttl: float = 3600.0,
        min_interval: float = 5.0,
    ) -> None:
        self._source = source
        self._clock = clock
        self._ttl = ttl
        self._min_interval = min_interval
        self._keys: Mapping[str, PublicKey] | None = None
        self._fetched_at = 0.0
        self._tried_at: float | None = None
        self._failure: Unavailable | None = None
        self._flights: SingleFlight[str, None] = SingleFlight()
        self._renewal: asyncio.Task[None] | None = None

    async def key(self, kid: str) -> PublicKey | None:
        """Return the key; None if the issuer publishes none of that id.

        Raises Unavailable when that is not known, because the source does not answer.
        """
        if self._keys is not None and kid in self._keys:
            self._renew_when_old()
            return self._keys[kid]
        await self._refresh()
        if self._keys is not None and kid in self._keys:
            return self._keys[kid]
        if self._failure is not None:
            raise self._failure
        return None

    async def check(self) -> None:
        """Raise Unavailable if there are no keys to verify tokens with."""
        if self._keys is None:
            await self._refresh()
        if self._keys is None:
            raise self._failure or Unavailable("JWKS: not fetched yet")

    async def aclose(self) -> None:
        """Stop a renewal that is under way."""
        if self._renewal is not None:
            self._renewal.cancel()
            await asyncio.gather(self._renewal, return_exceptions=True)

    def _renew_when_old(self) -> None:
        old = self._clock() - self._fetched_at >= self._ttl
        if old and (self._renewal is None or self._renewal.done()) and self._may_fetch():
            self._renewal = asyncio.create_task(self._refresh(), name="jwks-renewal")

    def _may_fetch(self) -> bool:
        return self._tried_at is None or self._clock() - self._tried_at >= self._min_interval

    async def _refresh(self) -> None:
        await self._flights.run("jwks", self._fetch)

    async def _fetch(self) -> None:
        if not self._may_fetch():
            return
        self._tried_at = self._clock()
        try:
            document = await self._source.fetch()
        except Unavailable as error:
            self._failure = error
            log.warning("jwks_unreachable", reason=str(error), stale=self._keys is not None)
            return
        self._keys = read_keys(document)
        self._fetched_at = self._clock()
        self._failure = None
        log.info("jwks_fetched", keys=sorted(self._keys))


async def check_any(key_sets: Sequence[KeySet]) -> None:
    """Raise Unavailable if no set has keys; one that hangs or fails does not hold up the others."""
    failure = Unavailable("JWKS: no issuer is configured")
    checks = [asyncio.ensure_future(keys.check()) for keys in key_sets]
    try:
        for check in asyncio.as_completed(checks):
            try:
                await check
            except Unavailable as error:
                failure = error
            else:
                return
    finally:
        for check in checks:
            check.cancel()
        await asyncio.gather(*checks, return_exceptions=True)
    raise failure


def read_keys(document: Mapping[str, Any]) -> dict[str, PublicKey]:
    """Return the keys of a JWKS document (RFC 7517) for RS256 and ES256, by id; others are left out."""
    keys: dict[str, PublicKey] = {}
    entries = document.get("keys")
    for position, entry in enumerate(entries if isinstance(entries, list) else []):
        try:
            jwk = _JWK.validate_python(entry)
            key = jwk.key()
        except (ValidationError, ValueError) as error:
            log.warning("jwks_key_unreadable", position=position, reason=type(error).__name__)
            continue
        if jwk.kid in keys:
            log.warning("jwks_key_id_twice", position=position)
            continue
        keys[jwk.kid] = key
    return keys
