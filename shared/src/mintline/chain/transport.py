"""JSON-RPC over HTTP: requests in, parsed responses out, as web3's AsyncHTTPProvider writes and reads them.

Raw: no middleware, no formatters, and none of web3's retries, since `Rpc` does failover. The HTTP session is
ours: web3's closes the connection after every request, and is behind a lock that a thread takes for each.
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeAlias, cast

import aiohttp

from mintline.errors import Throttled, Unavailable

if TYPE_CHECKING:
    from web3 import AsyncHTTPProvider
    from web3.types import RPCEndpoint

RECURSION_LIMIT = 1_000
"""Python's own. With web3 comes py_ecc, which raises it a hundredfold: JSON that is nested deeply enough then
overruns the stack and kills the process, whichever part of it reads it, instead of raising RecursionError."""

TOO_LARGE = 413
MOST_BYTES = 64 * 1024 * 1024
"""The largest answer that is read: several times what a full block with its transactions takes."""

LONGEST_WAIT = 30.0
"""Seconds of `Retry-After` that are honoured. Providers send what is left of a day's quota: a message would
be hidden for as long, its sender's others with it, and stay so after the quota was raised."""

Authorize: TypeAlias = Callable[[str, bytes], Awaitable[Mapping[str, str]]]
"""Returns the headers that authorize a request, given its URL and body. Raises Unavailable."""


class BodyTooLarge(Unavailable):
    """The endpoint refused the request for its size (HTTP 413): ask for less at once."""


class AnswerTooLarge(Unavailable):
    """The endpoint's answer is longer than is read: ask for less at once."""


def load_web3() -> ModuleType:
    """Import web3 where it is used: what calls no node, such as most commands, starts a second sooner."""
    import web3  # noqa: PLC0415 - with eth-account and py_ecc, it takes longer than all else
    import web3.exceptions  # noqa: PLC0415

    sys.setrecursionlimit(RECURSION_LIMIT)
    return web3


class Request(NamedTuple):
    """One JSON-RPC call."""

    method: str
    params: Sequence[Any]


class Transport(Protocol):
    """Carries requests to one endpoint."""

    async def exchange(self, url: str, requests: Sequence[Request]) -> Any:
        """Return the response to one request; to several a list in their order, or one response to all.

        The list has None where a response is missing. No response's shape is checked. Raises Unavailable,
        BodyTooLarge, AnswerTooLarge or Throttled.
        """

    async def aclose(self) -> None:
        """Close every connection."""


class Web3Transport:
    """A Transport over web3, on connections that stay open.

    `timeout` is per exchange, in seconds; a half of it is the longest silence within one. `authorize` has the
    headers of endpoints that ask for more than their URL, by URL.
    """

    def __init__(self, timeout: float, *, authorize: Mapping[str, Authorize] | None = None) -> None:
        self._timeout = aiohttp.ClientTimeout(total=timeout, sock_connect=timeout / 2, sock_read=timeout / 2)
        self._authorize = authorize or {}
        self._web3 = load_web3()
        self._session: aiohttp.ClientSession | None = None
        self._endpoints: dict[str, _Endpoint] = {}

    async def exchange(self, url: str, requests: Sequence[Request]) -> Any:
        """Ask; messages name the endpoint's host only, as its path may hold an API key."""
        endpoint = self._endpoints.get(url) or self._open(url)
        # What web3 and aiohttp say of a failure quotes the URL or the answer: hence `from None`.
        try:
            return await endpoint.ask(requests)
        except TimeoutError:
            raise Unavailable(f"{host(url)} was silent, or not done in {self._timeout.total:g} s") from None
        except aiohttp.InvalidURL:
            raise Unavailable(f"{host(url)}: expected an http(s) URL") from None
        except (aiohttp.ClientError, OSError) as error:
            raise Unavailable(f"{host(url)} cannot be reached: {type(error).__name__}") from None
        except self._web3.exceptions.Web3TypeError:  # a parameter that has no JSON is our mistake
            raise
        except (ValueError, TypeError, AttributeError, RecursionError):
            # Nobody has looked at the shape of a batch yet, and nodes may nest without end.
            raise Unavailable(f"{host(url)} answered something other than JSON-RPC") from None

    async def aclose(self) -> None:
        self._endpoints.clear()
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _open(self, url: str) -> _Endpoint:
        if self._session is None:
            self._session = aiohttp.ClientSession(raise_for_status=_raise_for_status, response_class=_Bounded)
        provider: AsyncHTTPProvider = self._web3.AsyncHTTPProvider(url)
        options: dict[str, Any] = {
            "headers": provider.get_request_headers(),
            "timeout": self._timeout,
            "allow_redirects": False,
        }
        if url in self._authorize:
            options["middlewares"] = (_authorized(url, self._authorize[url]),)
        endpoint = self._endpoints[url] = _Endpoint(url, provider, self._session, options)
        return endpoint


@dataclass(frozen=True, slots=True)
class _Endpoint:
    """One endpoint, and how it is asked."""

    url: str
    codec: AsyncHTTPProvider
    """Writes requests and reads responses; it opens no connection."""
    session: aiohttp.ClientSession
    options: Mapping[str, Any]

    async def ask(self, requests: Sequence[Request]) -> Any:
        calls = [(cast("RPCEndpoint", method), params) for method, params in requests]
        # web3 takes the ids that follow this one.
        first = next(self.codec.request_counter) + 1
        alone = len(calls) == 1
        body = (
            self.codec.encode_rpc_request(*calls[0]) if alone else self.codec.encode_batch_rpc_request(calls)
        )
        response: Any = self.codec.decode_rpc_response(await self._post(body))
        if alone or not isinstance(response, list):
            return response
        if not all(isinstance(item.get("id", first), int) for item in response):
            raise ValueError("ids are whole numbers")
        by_id = {item.get("id"): item for item in response}
        return [by_id.get(first + index) for index in range(len(calls))]

    async def _post(self, body: bytes) -> bytes:
        try:
            async with self.session.post(self.url, data=body, **self.options) as response:
                return await response.read()
        except _Answered as error:
            return error.body


class _Answered(Exception):  # noqa: N818 - it carries a body to where it is read
    """An HTTP error whose body may be JSON-RPC; web3 would drop the body."""

    def __init__(self, body: bytes) -> None:
        self.body = body


class _Bounded(aiohttp.ClientResponse):
    """A response that is not read beyond `MOST_BYTES`."""

    async def read(self) -> bytes:
        """Return the body; raises AnswerTooLarge."""
        if self._body is None:
            try:
                self._body = await self._read_within_bounds()
            except BaseException:
                self.close()
                raise
        return await super().read()

    async def _read_within_bounds(self) -> bytes:
        parts, size = [], 0
        async for part in self.content.iter_any():
            size += len(part)
            if size > MOST_BYTES:
                raise AnswerTooLarge(f"{host(str(self.url))} answers without end")
            parts.append(part)
        return b"".join(parts)


def _authorized(url: str, authorize: Authorize) -> aiohttp.ClientMiddlewareType:
    async def middleware(
        request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        body = request.body
        request.headers.update(
            await authorize(url, body if isinstance(body, bytes) else await body.as_bytes())
        )
        return await handler(request)

    return middleware


async def _raise_for_status(response: aiohttp.ClientResponse) -> None:
    if response.status >= 300:
        body = await response.read()
        check_status(str(response.url), response.status, response.headers.get("Retry-After"), body)
        raise _Answered(body)


def check_status(url: str, status: int, retry_after: str | None, body: bytes) -> None:
    """Raise what an HTTP status means; some nodes answer JSON-RPC errors with 4xx, and those pass."""
    if status == 429:
        requested = float(retry_after) if retry_after is not None and retry_after.isdecimal() else None
        seconds = None if requested is None else min(requested, LONGEST_WAIT)
        raise Throttled(f"{host(url)} asks for fewer requests", retry_after=seconds)
    if status == TOO_LARGE:
        raise BodyTooLarge(f"{host(url)}: the request is too large")
    if status >= 500 or (status >= 300 and not body.lstrip().startswith((b"{", b"["))):
        raise Unavailable(f"{host(url)} answered HTTP {status}")


def host(url: str) -> str:
    """Return what may be logged of an endpoint: its host and port, never credentials, path or query."""
    return url.split("://", 1)[-1].split("/", 1)[0].split("?", 1)[0].rsplit("@", 1)[-1]
