"""JSON-RPC calls: coalesced into batches, with failover between endpoints.

A transport's failure is Unavailable or Throttled, after every endpoint was tried. What a node answers with an
error is RpcError, and only that call's: its neighbours in the batch are not concerned.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeAlias

import structlog

from mintline.batcher import Batcher
from mintline.chain.transport import BodyTooLarge, Request, Transport, Web3Transport, host
from mintline.errors import MintlineError, Retryable, Throttled, Unavailable

MAX_BATCH = 100
"""Calls in one batch: what the strictest of the public providers takes."""
FIRST_BACKOFF = 0.25
LONGEST_BACKOFF = 30.0

_THROTTLED = re.compile(
    r"rate.?limit|too many requests|request (rate|count) exceeded|compute units|exceeded .*capacity",
    re.IGNORECASE,
)
_RESPONSE_TOO_LARGE = re.compile(
    r"response (size )?(is )?too (large|big)|response size exceed", re.IGNORECASE
)

log = structlog.get_logger(__name__)


class RpcError(MintlineError):
    """The node answered a call with an error."""

    def __init__(self, code: int, message: str, data: Any = None) -> None:
        super().__init__(f"{message} ({code})")
        self.code = code
        self.message = message
        self.data = data


_Answer: TypeAlias = Any
"""A call's result, or the exception that its caller gets."""


class RpcObserver(Protocol):
    """Hears of every call; `mintline.chain.rpc_metrics.RpcMetrics` counts them. Endpoints are hosts."""

    def called(self, endpoint: str, method: str, outcome: str) -> None:
        """Hear of one call: `answered`, `refused` (the node answered with an error) or `failed`."""

    def exchanged(self, endpoint: str, seconds: float) -> None:
        """Hear how long one exchange took."""


class _Endpoint:
    """One node, and for how long not to ask it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.host = host(url)
        self.down_until = float("-inf")
        self._failures = 0

    def succeeded(self) -> None:
        self._failures = 0
        self.down_until = float("-inf")

    def failed(self, now: float) -> None:
        self.down_until = now + min(LONGEST_BACKOFF, FIRST_BACKOFF * 2 ** min(self._failures, 10))
        self._failures += 1


class Rpc:
    """Calls to a chain through one or more endpoints, the first healthy one in order of preference.

    Every method here may be asked twice, `eth_sendRawTransaction` included: a node knows a transaction by its
    hash. So a call that failed at one endpoint is tried at the next. `timeout` is per exchange, in seconds.
    """

    def __init__(
        self,
        endpoints: Sequence[str],
        *,
        timeout: float = 10.0,
        transport: Transport | None = None,
        clock: Callable[[], float] = time.monotonic,
        max_batch: int = MAX_BATCH,
        observer: RpcObserver | None = None,
    ) -> None:
        if not endpoints:
            raise ValueError("a chain needs at least one endpoint")
        self._endpoints = [_Endpoint(url) for url in endpoints]
        self._transport = transport if transport is not None else Web3Transport(timeout)
        self._clock = clock
        self._observer = observer
        self._batcher: Batcher[Request, _Answer] = Batcher(self._flush, max_items=max_batch)

    async def call(self, method: str, params: Sequence[Any]) -> Any:
        """Return the result of one call; raises RpcError, Unavailable or Throttled.

        A cancelled caller leaves the exchange alone: the batcher's flight owns it, as the transport needs.
        """
        return await self._batcher.submit(Request(method, params))

    async def aclose(self) -> None:
        """Finish the calls under way and close every connection."""
        await self._batcher.aclose()
        await self._transport.aclose()

    async def _flush(self, calls: Sequence[Request]) -> list[_Answer]:
        answers: list[_Answer] = [Unavailable("no endpoint was asked")] * len(calls)
        pending = list(range(len(calls)))
        for endpoint in self._in_order():
            started = self._clock()
            try:
                round_answers = await self._exchange(endpoint, [calls[index] for index in pending])
            except Retryable as error:
                round_answers = [error] * len(pending)
            if self._observer is not None:
                self._observer.exchanged(endpoint.host, self._clock() - started)
                for index, answer in zip(pending, round_answers, strict=True):
                    self._observer.called(endpoint.host, calls[index].method, _outcome(answer))
            for index, answer in zip(pending, round_answers, strict=True):
                answers[index] = answer
            # Throttled and Unavailable alone are worth another endpoint; an RpcError is an answer.
            pending = [index for index in pending if isinstance(answers[index], Retryable)]
            if not pending:
                endpoint.succeeded()
                break
            endpoint.failed(self._clock())
            log.warning("rpc_endpoint_failed", endpoint=endpoint.host, error=str(answers[pending[0]]))
        return answers

    def _in_order(self) -> list[_Endpoint]:
        """Healthy endpoints in order of preference, then the others, the soonest to recover first."""
        now = self._clock()
        return sorted(self._endpoints, key=lambda endpoint: max(endpoint.down_until, now))

    async def _exchange(self, endpoint: _Endpoint, calls: Sequence[Request]) -> list[_Answer]:
        """Ask one endpoint; a batch that it finds too large, or does not know, is asked in halves."""
        try:
            response = await self._transport.exchange(endpoint.url, calls)
        except BodyTooLarge:
            if len(calls) == 1:
                raise
            return await self._halves(endpoint, calls)
        if len(calls) == 1:
            return [_answer(endpoint.url, response)]
        if isinstance(response, list):
            return await self._again(endpoint, calls, [_answer(endpoint.url, item) for item in response])
        whole = _answer(endpoint.url, response)
        if isinstance(whole, RpcError):
            return await self._halves(endpoint, calls)
        raise whole if isinstance(whole, Retryable) else _unexpected(endpoint.url)

    async def _halves(self, endpoint: _Endpoint, calls: Sequence[Request]) -> list[_Answer]:
        middle = len(calls) // 2
        return [
            *await self._exchange(endpoint, calls[:middle]),
            *await self._exchange(endpoint, calls[middle:]),
        ]

    async def _again(
        self, endpoint: _Endpoint, calls: Sequence[Request], answers: list[_Answer]
    ) -> list[_Answer]:
        """Ask alone for what only the size of the common response left out."""
        for index, answer in enumerate(answers):
            cut = isinstance(answer, RpcError) and _RESPONSE_TOO_LARGE.search(answer.message) is not None
            if cut and len(calls) > 1:
                [answers[index]] = await self._exchange(endpoint, [calls[index]])
        return answers


def _outcome(answer: _Answer) -> str:
    if isinstance(answer, Retryable):
        return "failed"
    return "refused" if isinstance(answer, RpcError) else "answered"


def _unexpected(url: str) -> Unavailable:
    return Unavailable(f"{host(url)} answered something other than JSON-RPC")


def _answer(url: str, response: Any) -> _Answer:
    if response is None:
        return Unavailable(f"{host(url)} left a call unanswered")
    if not isinstance(response, dict):
        return _unexpected(url)
    error = response.get("error")
    if error is not None:
        return _error(error)
    if "result" not in response:
        return Unavailable("the node answered neither a result nor an error")
    return response["result"]


def _error(error: Any) -> MintlineError:
    if not isinstance(error, dict):
        return Unavailable(f"the node answered an error of no known shape: {str(error)[:200]}")
    code = error.get("code")
    message = str(error.get("message", ""))
    if code == 429 or _THROTTLED.search(message):
        return Throttled(f"the node asks for fewer requests: {message[:200]}")
    return RpcError(code if isinstance(code, int) else 0, message, error.get("data"))
