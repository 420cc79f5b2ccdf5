"""JSON-RPC calls: coalesced into batches, with failover between endpoints.

A transport's failure is Unavailable or Throttled, after other endpoints were tried. What a node answers with
an error is RpcError, and only that call's: its neighbours in the batch are not concerned.

A result may be *suspect*: no logs where the block's bloom has some, no block where there must be one, a head
far behind one already seen. Then the next endpoint is asked. A result that is not suspect replaces it, and
counts against the first endpoint; if all endpoints return the same, it stands.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, NamedTuple, Protocol, TypeAlias, TypeGuard, TypeVar

import structlog

from mintline.batcher import Batcher
from mintline.chain import responses
from mintline.chain.answers import quantity
from mintline.chain.health import LAG_BLOCKS, Health, in_order, note_lag
from mintline.chain.responses import CallResult, RpcError
from mintline.chain.transport import AnswerTooLarge, BodyTooLarge, Request, Transport, Web3Transport
from mintline.errors import MintlineError, Misconfigured, Retryable, Unavailable
from mintline.retry_budget import RetryBudget

__all__ = ["MAX_BATCH", "EndpointResponse", "Rpc", "RpcError", "RpcObserver", "Suspect"]

MAX_BATCH = 100
"""Calls in one batch: what the strictest of the public providers takes."""
WATCH_INTERVAL = 5.0
"""Seconds between two checks of every endpoint's head, when there are several."""

T = TypeVar("T")
Suspect: TypeAlias = Callable[[Any], bool]
"""Tells whether a result, or an RpcError, is to be checked with another endpoint."""

log = structlog.get_logger(__name__)


class RpcObserver(Protocol):
    """Hears of every call; `mintline.chain.rpc_metrics.RpcMetrics` counts them. Endpoints are hosts."""

    def called(self, endpoint: str, method: str, outcome: str) -> None:
        """Hear of one call: `answered`, `refused` (answered with an error), `doubted` or `failed`."""

    def exchanged(self, endpoint: str, seconds: float) -> None:
        """Hear how long one exchange took."""

    def is_up(self, endpoint: str, *, up: bool, head: int | None) -> None:
        """Hear whether an endpoint is in service, and the highest block that it reported."""

    def contradicted(self, endpoint: str) -> None:
        """Hear that an endpoint said what another one knew better."""


class EndpointResponse(NamedTuple):
    """What one endpoint returned for a request that all were sent."""

    host: str
    endpoint: int
    """Its place among the endpoints."""
    result: Any
    """An RpcError if it refused."""


class _Submitted(NamedTuple):
    request: Request
    suspect: Suspect | None


class Rpc:
    """Calls to a chain through one or more endpoints: see `mintline.chain.health` for which is asked first.

    Every method here may be asked twice, `eth_sendRawTransaction` included: a node knows a transaction by its
    hash. So a call that failed at one endpoint is tried at the next. `timeout` is per exchange, in seconds.
    With a `chain_id`, an endpoint that serves another chain is down. `jitter` scales a backoff.
    """

    def __init__(
        self,
        endpoints: Sequence[str],
        *,
        chain_id: int | None = None,
        timeout: float = 10.0,
        transport: Transport | None = None,
        clock: Callable[[], float] = time.monotonic,
        jitter: Callable[[], float] = lambda: 1.0,
        max_batch: int = MAX_BATCH,
        observer: RpcObserver | None = None,
    ) -> None:
        if not endpoints:
            raise ValueError("a chain needs at least one endpoint")
        self._endpoints = [Health(url, place, jitter) for place, url in enumerate(endpoints)]
        self._chain_id = chain_id
        self._transport = transport if transport is not None else Web3Transport(timeout)
        self._clock = clock
        self._observer = observer
        self._budget = RetryBudget()
        self._best_head = 0
        self._watch: asyncio.Task[None] | None = None
        self._flights: set[asyncio.Task[Any]] = set()
        self._batcher: Batcher[_Submitted, CallResult] = Batcher(self._flush, max_items=max_batch)

    async def call(self, method: str, params: Sequence[Any], *, suspect: Suspect | None = None) -> Any:
        """Return the result of one call; raises RpcError, Unavailable or Throttled.

        A cancelled caller leaves the exchange alone: the batcher's flight owns it, and others share it.
        """
        return await self._batcher.submit(_Submitted(Request(method, params), suspect))

    @property
    def several(self) -> bool:
        """Whether there is more than one endpoint."""
        return len(self._endpoints) > 1

    @property
    def min_agreement(self) -> int:
        """How many endpoints must agree on an irreversible decision.

        One failure takes an endpoint out of service until the watch has seen it: with two of three out for
        those seconds, the third would be a majority. Of two, one may be all that is left for long.
        """
        return 2 if len(self._endpoints) > 2 else 1

    async def ask_all(self, method: str, params: Sequence[Any]) -> list[EndpointResponse]:
        """Send a request to every endpoint that is in service, and return their responses."""
        now = self._clock()
        up = [endpoint for endpoint in self._endpoints if endpoint.is_up(now, half_open=False)]
        request = Request(method, params)
        results = await asyncio.gather(*(self._owned(self._ask(endpoint, [request])) for endpoint in up))
        for endpoint, [result] in zip(up, results, strict=True):
            self._count(endpoint, request, responses.outcome(result))
        return [
            EndpointResponse(endpoint.host, endpoint.preference, result)
            for endpoint, [result] in zip(up, results, strict=True)
            if not isinstance(result, Retryable)
        ]

    def quarantine(self, response: EndpointResponse, reason: str) -> None:
        endpoint = self._endpoints[response.endpoint]
        endpoint.quarantine(self._clock())
        self._contradicted(endpoint, reason)

    async def check_chain(self) -> None:
        """Raise Misconfigured if all endpoints serve another chain, Unavailable if none can be asked."""
        try:
            await self.call("eth_chainId", [])
        except Unavailable:
            others = {endpoint.chain_id for endpoint in self._endpoints} - {self._chain_id}
            if self._chain_id is not None and others and None not in others:
                chains = " and ".join(str(other) for other in sorted(filter(None, others)))
                raise Misconfigured(
                    f"MINTLINE_RPC_URLS serve chain {chains}, but MINTLINE_CHAIN_ID is {self._chain_id}"
                ) from None
            raise

    def watch(self, *, interval: float = WATCH_INTERVAL) -> None:
        """Keep checking every endpoint, if there are several; from now on only that closes circuits."""
        if self.several and self._watch is None:
            self._watch = asyncio.create_task(self._keep_watching(interval), name="rpc:watch")

    async def check_heads(self) -> None:
        """Ask every endpoint that may be up for its head, and compare them."""
        now = self._clock()
        up = [endpoint for endpoint in self._endpoints if endpoint.is_up(now)]
        heads = await asyncio.gather(*(self._owned(self._head(endpoint)) for endpoint in up))
        note_lag([head for head in heads if head is not None])

    async def aclose(self) -> None:
        """Finish the calls under way and close every connection."""
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.wait({self._watch})
        await self._batcher.aclose()
        if self._flights:
            await asyncio.wait(self._flights)
        await self._transport.aclose()

    async def _keep_watching(self, interval: float) -> None:
        while True:
            await asyncio.sleep(interval)
            try:
                await self.check_heads()
            except Exception as error:  # noqa: BLE001 - only the watch closes circuits: it outlives all
                log.error("rpc_watch_failed", error=type(error).__name__)  # noqa: TRY400 - its text may quote an endpoint

    async def _owned(self, work: Coroutine[Any, Any, T]) -> T:
        """Do work that a cancelled caller leaves alone: its outcome counts for the endpoint."""
        flight = asyncio.create_task(work)
        self._flights.add(flight)
        flight.add_done_callback(self._flights.discard)
        return await asyncio.shield(flight)

    async def _head(self, endpoint: Health) -> tuple[Health, int, int] | None:
        started = self._clock()
        request = Request("eth_getBlockByNumber", ["latest", False])
        [block] = await self._ask(endpoint, [request])
        self._count(endpoint, request, responses.outcome(block))
        try:
            number, timestamp = int(block["number"], 16), int(block["timestamp"], 16)
        except (TypeError, KeyError, ValueError):
            return None
        endpoint.took(self._clock() - started)
        return endpoint, number, timestamp

    async def _flush(self, submitted: Sequence[_Submitted]) -> list[CallResult]:
        results: list[CallResult] = [Unavailable("no endpoint was asked")] * len(submitted)
        pending = list(range(len(submitted)))
        suspected: dict[int, list[Health]] = {}
        order = in_order(self._endpoints, self._clock(), watched=self._watch is not None)
        for place, endpoint in enumerate(order):
            # A suspect result is no sign of overload, and a second endpoint keeps the index right.
            if place and suspected.keys().isdisjoint(pending) and not self._budget.spend():
                break
            batch = await self._ask(endpoint, [submitted[index].request for index in pending])
            left = []
            for index, result in zip(pending, batch, strict=True):
                request = submitted[index].request
                if isinstance(result, Retryable):
                    self._count(endpoint, request, "failed")
                    # A suspect result is still better than none.
                    results[index] = results[index] if index in suspected else result
                    left.append(index)
                elif self._is_suspect(submitted[index], result):
                    self._count(endpoint, request, "doubted")
                    results[index] = results[index] if index in suspected else result
                    suspected.setdefault(index, []).append(endpoint)
                    left.append(index)
                else:
                    self._count(endpoint, request, responses.outcome(result))
                    results[index] = result
                    for other in suspected.pop(index, ()):
                        other.failed(self._clock())
                        self._contradicted(other, f"{endpoint.host} contradicted it about {request.method}")
            pending = left
            if not pending:
                break
        for index in suspected:
            self._stands(submitted[index].request, results[index])
        return results

    def _is_suspect(self, submitted: _Submitted, result: CallResult) -> bool:
        if isinstance(result, RpcError) and result.is_own_trouble():
            return True
        head = responses.reported_head(submitted.request, result)
        if head is not None and head + LAG_BLOCKS < self._best_head:
            return True
        return submitted.suspect is not None and submitted.suspect(result)

    def _stands(self, request: Request, result: CallResult) -> None:
        """Assume that the chain went back, once no endpoint has a higher head any more."""
        head = responses.reported_head(request, result)
        if head is not None:
            self._best_head = head

    async def _ask(self, endpoint: Health, requests: Sequence[Request]) -> list[CallResult]:
        """Send requests to one endpoint, and note its health; each result may be an error."""
        started = self._clock()
        endpoint.begins()
        try:
            await self._verify(endpoint)
            results = await self._exchange(endpoint.url, requests)
        except Retryable as error:
            results = [error] * len(requests)
        finally:
            endpoint.ends()
        failure = next((result for result in results if _is_failure(result)), None)
        if failure is None:
            endpoint.succeeded()
            self._budget.earn()
        else:
            endpoint.failed(self._clock(), retry_after=failure.retry_after)
            log.warning("rpc_endpoint_failed", endpoint=endpoint.host, error=str(failure))
        for request, result in zip(requests, results, strict=True):
            if (head := responses.reported_head(request, result)) is not None:
                endpoint.head = head
                self._best_head = max(self._best_head, head)
        if self._observer is not None:
            self._observer.exchanged(endpoint.host, self._clock() - started)
            up = endpoint.is_up(self._clock(), half_open=False)
            self._observer.is_up(endpoint.host, up=up, head=endpoint.head)
        return results

    async def _verify(self, endpoint: Health) -> None:
        """Raise Unavailable unless the endpoint serves the configured chain."""
        if self._chain_id is None or endpoint.verified:
            return
        [chain_id] = await self._exchange(endpoint.url, [Request("eth_chainId", [])])
        if isinstance(chain_id, MintlineError):
            raise chain_id if isinstance(chain_id, Retryable) else Unavailable(f"{endpoint.host}: {chain_id}")
        endpoint.chain_id = quantity(chain_id, "chain id")
        endpoint.verified = endpoint.chain_id == self._chain_id
        if not endpoint.verified:
            raise Unavailable(f"{endpoint.host} serves chain {endpoint.chain_id}, not {self._chain_id}")

    async def _exchange(self, url: str, calls: Sequence[Request]) -> list[CallResult]:
        """Send calls to one endpoint; a batch that is too large, or not supported, is sent in halves.

        So a call whose result alone is too long fails alone, whatever shares its batch.
        """
        try:
            response = await self._transport.exchange(url, calls)
        except (BodyTooLarge, AnswerTooLarge) as error:
            if len(calls) == 1:
                return [error]
            return await self._halves(url, calls)
        if len(calls) == 1:
            return [responses.result_of(url, response)]
        if isinstance(response, list):
            return await self._again(url, calls, [responses.result_of(url, item) for item in response])
        whole = responses.result_of(url, response)
        if isinstance(whole, RpcError):
            return await self._halves(url, calls)
        raise whole if isinstance(whole, Retryable) else responses.unexpected(url)

    async def _halves(self, url: str, calls: Sequence[Request]) -> list[CallResult]:
        middle = len(calls) // 2
        return [*await self._exchange(url, calls[:middle]), *await self._exchange(url, calls[middle:])]

    async def _again(self, url: str, calls: Sequence[Request], results: list[CallResult]) -> list[CallResult]:
        """Send alone the calls that only the size of the common response left out."""
        for index, result in enumerate(results):
            if isinstance(result, RpcError) and result.is_cut() and len(calls) > 1:
                [results[index]] = await self._exchange(url, [calls[index]])
        return results

    def _contradicted(self, endpoint: Health, reason: str) -> None:
        log.warning("rpc_endpoint_contradicted", endpoint=endpoint.host, reason=reason)
        if self._observer is not None:
            self._observer.contradicted(endpoint.host)

    def _count(self, endpoint: Health, request: Request, outcome: str) -> None:
        if self._observer is not None:
            self._observer.called(endpoint.host, request.method, outcome)


def _is_failure(result: CallResult) -> TypeGuard[Retryable]:
    """Tell whether a result counts against its endpoint; one call's size does not."""
    return isinstance(result, Retryable) and not isinstance(result, BodyTooLarge | AnswerTooLarge)
