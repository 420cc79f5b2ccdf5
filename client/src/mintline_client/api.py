"""Requests to the API: tries, idempotency keys, problem documents, pages."""

from __future__ import annotations

import asyncio
import json
import random
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import urlencode

import aiohttp

from mintline.errors import Unavailable
from mintline_client.errors import TryLater, error_of


class Token(Protocol):
    """Gets access tokens."""

    async def __call__(self, *, fresh: bool) -> str:
        """Return an access token; with `fresh` another one, as the last one was refused."""


PAGE = 100
"""Items that a page of a list has at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retries:
    """How often and how soon a request is tried again: after 429, 502 to 504, or no answer at all."""

    tries: int = 5
    first_delay: float = 0.25
    """Seconds; doubled each time, and shortened at random by up to a half."""
    longest_delay: float = 8.0
    longest_retry_after: float = 60.0
    """A `Retry-After` of more seconds ends the tries."""

    def delay(self, attempt: int, retry_after: float | None) -> float | None:
        """Return the seconds before the try after the one with this number, from 1; None: no more."""
        if attempt >= self.tries or (retry_after is not None and retry_after > self.longest_retry_after):
            return None
        backoff = min(self.longest_delay, self.first_delay * 2.0 ** (attempt - 1))
        # Jitter, so that those who were refused together do not return together.
        return max(retry_after or 0.0, backoff * random.uniform(0.5, 1.0))  # noqa: S311 - no secret


RETRIES = Retries()
ONCE = Retries(tries=1)
_AGAIN = frozenset({429, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class Response:
    """A response that the API gave to a request that it did as asked."""

    status: int
    headers: Mapping[str, str]
    content: bytes

    def json(self) -> Any:
        """Return the body's JSON; None for none."""
        return json.loads(self.content) if self.content else None


class Api:
    """A deployment's API for one caller.

    `token` is the caller's access token, or what returns it (`mintline_client.access`). All calls raise
    Refused for what the API refuses, and Unavailable when all tries failed. Every POST and PATCH carries an
    idempotency key, so that a repetition is the same request.
    """

    def __init__(
        self,
        http: aiohttp.ClientSession,
        url: str,
        token: str | Token | None,
        *,
        retries: Retries = RETRIES,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.http = http
        self.url = url.rstrip("/")
        self._token = token
        self._retries = retries
        self._sleep = sleep

    async def get(self, path: str, query: Mapping[str, Any] | None = None) -> Any:
        """Return a resource's JSON; `query` leaves out what is None."""
        return (await self.request("GET", path + _query(query))).json()

    async def post(
        self,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        idempotency_key: str | None = None,
        retries: Retries | None = None,
    ) -> Any:
        """Post JSON, or nothing, and return the response's; a new idempotency key if None."""
        return await self._write("POST", path, body, idempotency_key, retries)

    async def patch(self, path: str, body: Mapping[str, Any], *, idempotency_key: str | None = None) -> Any:
        """Patch a resource by JSON and return the response's."""
        return await self._write("PATCH", path, body, idempotency_key)

    async def delete(self, path: str) -> None:
        """Delete a resource."""
        await self.request("DELETE", path)

    async def send(self, method: str, path: str, data: Any, *, headers: Mapping[str, str]) -> Any:
        """Send a body that is no JSON, in one try, and return the response's JSON."""
        return (await self.request(method, path, data=data, headers=headers, retries=ONCE)).json()

    async def get_bytes(self, path: str) -> bytes:
        """Return the exact bytes of a resource."""
        return (await self.request("GET", path)).content

    async def pages(self, path: str, query: Mapping[str, Any] | None = None) -> AsyncIterator[Any]:
        """Return each item of a list, page by page (`items`, `next_cursor`)."""
        cursor: str | None = None
        while True:
            page = await self.get(path, {"limit": PAGE, **(query or {}), "cursor": cursor})
            for item in page["items"]:
                yield item
            cursor = page["next_cursor"]
            if not cursor:
                return

    async def request(
        self,
        method: str,
        path: str,
        *,
        data: Any = None,
        headers: Mapping[str, str] | None = None,
        retries: Retries | None = None,
    ) -> Response:
        """Send a request, again where that may help, and return the response."""
        retries = retries or self._retries
        attempt = 0
        fresh = False
        while True:
            attempt += 1
            try:
                response = await self._once(method, path, data, headers or {}, fresh=fresh)
            except Unavailable as away:
                delay = retries.delay(attempt, None)
                if delay is None:
                    raise
                failure: Unavailable = away
            else:
                if response.status < 400:
                    return response
                if response.status == 401 and callable(self._token) and not fresh:
                    fresh = True
                    continue
                retry_after = _seconds(response.headers.get("Retry-After"))
                error = error_of(response.status, _json(response), retry_after=retry_after)
                if not isinstance(error, TryLater) or response.status not in _AGAIN:
                    raise error
                failure, delay = error, retries.delay(attempt, retry_after)
            if delay is None:
                raise failure
            await self._sleep(delay)

    async def headers(self, *, fresh: bool = False) -> dict[str, str]:
        """Return the headers that say who calls."""
        token = await self._token(fresh=fresh) if callable(self._token) else self._token
        return {} if token is None else {"Authorization": f"Bearer {token}"}

    async def _write(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None,
        idempotency_key: str | None,
        retries: Retries | None = None,
    ) -> Any:
        headers = {"Idempotency-Key": idempotency_key or str(uuid.uuid4())}
        data = None
        if body is not None:
            headers["Content-Type"] = "application/json"
            data = json.dumps(body).encode()
        return (await self.request(method, path, data=data, headers=headers, retries=retries)).json()

    async def _once(
        self, method: str, path: str, data: Any, headers: Mapping[str, str], *, fresh: bool
    ) -> Response:
        caller = await self.headers(fresh=fresh)
        try:
            async with self.http.request(
                method, self.url + path, data=data, headers={**caller, **headers}, allow_redirects=False
            ) as response:
                return Response(response.status, response.headers, await response.read())
        except (aiohttp.ClientError, TimeoutError) as error:
            raise Unavailable(
                f"no answer from the API at {self.url}: {error or type(error).__name__}"
            ) from None


def _query(query: Mapping[str, Any] | None) -> str:
    given = {name: value for name, value in (query or {}).items() if value is not None}
    return f"?{urlencode(given, doseq=True)}" if given else ""


def _seconds(text: str | None) -> float | None:
    return float(text) if text is not None and text.isascii() and text.isdigit() else None


def _json(response: Response) -> Any:
    try:
        return response.json()
    except ValueError:
        return None
