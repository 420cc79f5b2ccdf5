"""JSON-RPC calls: coalesced into batches, with failover between endpoints.

A transport's failure is Unavailable or Throttled, after other endpoints were tried. What a node answers with
an error is RpcError, and only that call's: its neighbours in the batch are not concerned.

An answer may be *doubted*: no logs where the block's bloom has some, no block where there must be one, a head
far behind one already seen. Then the next endpoint is asked. One that knows better is believed, and counts
against the first; if all say the same, it stands.
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
from mintline.chain.responses import Answer, RpcError
from mintline.chain.transport import AnswerTooLarge, BodyTooLarge, Request, Transport, Web3Transport
from mintline.errors import MintlineError, Misconfigured, Retryable, Unavailable
from mintline.retry_budget import RetryBudget

__all__ = ["MAX_BATCH", "Doubt", "Rpc", "RpcError", "RpcObserver", "Witness"]

MAX_BATCH = 100
"""Calls in one batch: what the strictest of the public providers takes."""
WATCH_INTERVAL = 5.0
"""Seconds between two looks at every endpoint's head, when there are several."""

T = TypeVar("T")
Doubt: TypeAlias = Callable[[Any], bool]
"""Tells whether a result, or an RpcError, is better not believed while another endpoint can be asked."""

log = structlog.get_logger(__name__)


class RpcObserver(Protocol):
    """Hears of every call; `mintline.chain.rpc_metrics.RpcMetrics` counts them. Endpoints are hosts."""

    def called(self, endpoint: str, method: str, outcome: str) -> None:
        """Hear of one call: `answered`, `refused` (answered with an error), `doubted` or `failed`."""

    def exchanged(self, endpoint: str, seconds: float) -> None:
        """Hear how long one exchange took."""

    def is_up(self, endpoint: str, *, up: bool, head: int | None) -> None:
        """Hear whether an endpoint is in service, and of the highest block that it told of."""

    def contradicted(self, endpoint: str) -> None:
        """Hear that an endpoint said what another one knew better."""


class Witness(NamedTuple):
    """One endpoint's answer to a question that all were asked."""

    host: str
    endpoint: int
    """Its place among the endpoints."""
    answer: Any


class _Asked(NamedTuple):
    request: Request
    doubt: Doubt | None


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
        self._batcher: Batcher[_Asked, Answer] = Batcher(self._flush, max_items=max_batch)

    async def call(self, method: str, params: Sequence[Any], *, doubt: Doubt | None = None) -> Any:
        """Return the result of one call; raises RpcError, Unavailable or Throttled.

        A cancelled caller leaves the exchange alone: the batcher's flight owns it, as the transport needs.
        """
        return await self._batcher.submit(_Asked(Request(method, params), doubt))

    @property
    def several(self) -> bool:
        """Whether there is more than one endpoint."""
        return len(self._endpoints) > 1

    @property
    def voices(self) -> int:
        """How many have to say the same where nothing can be undone.

        One failure takes an endpoint out of service until the watch has seen it: with two of three out for
        those seconds, the third would be a majority. Of two, one may be all that is left for long.
        """
        return 2 if len(self._endpoints) > 2 else 1

    async def witnesses(self, method: str, params: Sequence[Any]) -> list[Witness]:
        """Ask every endpoint that is in service, and return what they answer; a refusal is an RpcError."""
        now = self._clock()
        up = [endpoint for endpoint in self._endpoints if endpoint.is_up(now, half_open=False)]
        request = Request(method, params)
        found = await asyncio.gather(*(self._owned(self._ask(endpoint, [request])) for endpoint in up))
        for endpoint, [answer] in zip(up, found, strict=True):
            self._count(endpoint, request, responses.outcome(answer))
        return [
            Witness(endpoint.host, endpoint.preference, answer)
            for endpoint, [answer] in zip(up, found, strict=True)
            if not isinstance(answer, Retryable)
        ]

    def distrust(self, witness: Witness, reason: str) -> None:
        """Do not ask an endpoint for a while, since the others outvoted it."""
        endpoint = self._endpoints[witness.endpoint]
        endpoint.distrust(self._clock())
        self._contradicted(endpoint, reason)

    async def check_chain(self) -> None:
        """Raise Misconfigured if all endpoints serve another chain, Unavailable if none can be asked."""
        try:
            await self.call("eth_chainId", [])
        except Unavailable:
            others = {endpoint.chain_id for endpoint in self._endpoints} - {self._chain_id}
            if self._chain_id is not None and others and None not in others:
                found = " and ".join(str(other) for other in sorted(filter(None, others)))
                raise Misconfigured(
                    f"MINTLINE_RPC_URLS serve chain {found}, but MINTLINE_CHAIN_ID is {self._chain_id}"
                ) from None
            raise

    def watch(self, *, interval: float = WATCH_INTERVAL) -> None:
        """Keep looking at every endpoint, if there are several; from now on only that closes circuits."""
        if self.several and self._watch is None:
            self._watch = asyncio.create_task(self._keep_watching(interval), name="rpc:watch")

    async def look(self) -> None:
        """Ask every endpoint that may be up for its head, and compare them."""
        now = self._clock()
        asked = [endpoint for endpoint in self._endpoints if endpoint.is_up(now)]
        heads = await asyncio.gather(*(self._owned(self._head(endpoint)) for endpoint in asked))
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
                await self.look()
            except Exception as error:  # noqa: BLE001 - only the watch closes circuits: it outlives all
                log.error("rpc_watch_failed", error=type(error).__name__)  # noqa: TRY400 - its text may quote an endpoint

    async def _owned(self, work: Coroutine[Any, Any, T]) -> T:
        """Do work that a cancelled caller leaves alone, as the transport needs."""
        flight = asyncio.create_task(work)
        self._flights.add(flight)
        flight.add_done_callback(self._flights.discard)
        return await asyncio.shield(flight)

    async def _head(self, endpoint: Health) -> tuple[Health, int, int] | None:
        started = self._clock()
        request = Request("eth_getBlockByNumber", ["latest", False])
        [found] = await self._ask(endpoint, [request])
        self._count(endpoint, request, responses.outcome(found))
        try:
            number, timestamp = int(found["number"], 16), int(found["timestamp"], 16)
        except (TypeError, KeyError, ValueError):
            return None
        endpoint.took(self._clock() - started)
        return endpoint, number, timestamp

    async def _flush(self, asked: Sequence[_Asked]) -> list[Answer]:
        answers: list[Answer] = [Unavailable("no endpoint was asked")] * len(asked)
        pending = list(range(len(asked)))
        doubted: dict[int, list[Health]] = {}
        order = in_order(self._endpoints, self._clock(), watched=self._watch is not None)
        for place, endpoint in enumerate(order):
            # A doubt is no sign of too much load, and a second opinion is what keeps the index right.
            if place and doubted.keys().isdisjoint(pending) and not self._budget.spend():
                break
            found = await self._ask(endpoint, [asked[index].request for index in pending])
            left = []
            for index, answer in zip(pending, found, strict=True):
                request = asked[index].request
                if isinstance(answer, Retryable):
                    self._count(endpoint, request, "failed")
                    # A doubtful answer is still better than none.
                    answers[index] = answers[index] if index in doubted else answer
                    left.append(index)
                elif self._doubtful(asked[index], answer):
                    self._count(endpoint, request, "doubted")
                    answers[index] = answers[index] if index in doubted else answer
                    doubted.setdefault(index, []).append(endpoint)
                    left.append(index)
                else:
                    self._count(endpoint, request, responses.outcome(answer))
                    answers[index] = answer
                    for other in doubted.pop(index, ()):
                        other.failed(self._clock())
                        self._contradicted(other, f"{endpoint.host} knew better about {request.method}")
            pending = left
            if not pending:
                break
        for index in doubted:
            self._stands(asked[index].request, answers[index])
        return answers

    def _doubtful(self, asked: _Asked, answer: Answer) -> bool:
        if isinstance(answer, RpcError) and answer.is_own_trouble():
            return True
        head = responses.head_told(asked.request, answer)
        if head is not None and head + LAG_BLOCKS < self._best_head:
            return True
        return asked.doubt is not None and asked.doubt(answer)

    def _stands(self, request: Request, answer: Answer) -> None:
        """Take it that the chain went back, when nobody has a higher head any more."""
        head = responses.head_told(request, answer)
        if head is not None:
            self._best_head = head

    async def _ask(self, endpoint: Health, requests: Sequence[Request]) -> list[Answer]:
        """Ask one endpoint, and note how it fares; each answer may be an error."""
        started = self._clock()
        endpoint.begins()
        try:
            await self._verify(endpoint)
            found = await self._exchange(endpoint.url, requests)
        except Retryable as error:
            found = [error] * len(requests)
        finally:
            endpoint.ends()
        failure = next((answer for answer in found if _is_failure(answer)), None)
        if failure is None:
            endpoint.succeeded()
            self._budget.earn()
        else:
            endpoint.failed(self._clock(), retry_after=failure.retry_after)
            log.warning("rpc_endpoint_failed", endpoint=endpoint.host, error=str(failure))
        for request, answer in zip(requests, found, strict=True):
            if (head := responses.head_told(request, answer)) is not None:
                endpoint.head = head
                self._best_head = max(self._best_head, head)
        if self._observer is not None:
            self._observer.exchanged(endpoint.host, self._clock() - started)
            up = endpoint.is_up(self._clock(), half_open=False)
            self._observer.is_up(endpoint.host, up=up, head=endpoint.head)
        return found

    async def _verify(self, endpoint: Health) -> None:
        """Raise Unavailable unless the endpoint serves the chain that is asked about."""
        if self._chain_id is None or endpoint.verified:
            return
        [found] = await self._exchange(endpoint.url, [Request("eth_chainId", [])])
        if isinstance(found, MintlineError):
            raise found if isinstance(found, Retryable) else Unavailable(f"{endpoint.host}: {found}")
        endpoint.chain_id = quantity(found, "chain id")
        endpoint.verified = endpoint.chain_id == self._chain_id
        if not endpoint.verified:
            raise Unavailable(f"{endpoint.host} serves chain {endpoint.chain_id}, not {self._chain_id}")

    async def _exchange(self, url: str, calls: Sequence[Request]) -> list[Answer]:
        """Ask one endpoint; a batch that is too large, or that it does not know, is asked in halves.

        So a call whose answer alone is too long fails alone, whatever shares its batch.
        """
        try:
            response = await self._transport.exchange(url, calls)
        except (BodyTooLarge, AnswerTooLarge) as error:
            if len(calls) == 1:
                return [error]
            return await self._halves(url, calls)
        if len(calls) == 1:
            return [responses.answer(url, response)]
        if isinstance(response, list):
            return await self._again(url, calls, [responses.answer(url, item) for item in response])
        whole = responses.answer(url, response)
        if isinstance(whole, RpcError):
            return await self._halves(url, calls)
        raise whole if isinstance(whole, Retryable) else responses.unexpected(url)

    async def _halves(self, url: str, calls: Sequence[Request]) -> list[Answer]:
        middle = len(calls) // 2
        return [*await self._exchange(url, calls[:middle]), *await self._exchange(url, calls[middle:])]

    async def _again(self, url: str, calls: Sequence[Request], answers: list[Answer]) -> list[Answer]:
        """Ask alone for what only the size of the common response left out."""
        for index, answer in enumerate(answers):
            if isinstance(answer, RpcError) and answer.is_cut() and len(calls) > 1:
                [answers[index]] = await self._exchange(url, [calls[index]])
        return answers

    def _contradicted(self, endpoint: Health, reason: str) -> None:
        log.warning("rpc_endpoint_contradicted", endpoint=endpoint.host, reason=reason)
        if self._observer is not None:
            self._observer.contradicted(endpoint.host)

    def _count(self, endpoint: Health, request: Request, outcome: str) -> None:
        if self._observer is not None:
            self._observer.called(endpoint.host, request.method, outcome)


def _is_failure(answer: Answer) -> TypeGuard[Retryable]:
    """Tell whether an answer counts against its endpoint; one call's size does not."""
    return isinstance(answer, Retryable) and not isinstance(answer, BodyTooLarge | AnswerTooLarge)
