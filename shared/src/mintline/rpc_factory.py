"""Opens the RPC client of a chain from the settings, the same way for every service."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Any

import structlog

from mintline.aws.managed_blockchain import SignedRequests
from mintline.chain.heads import Heads
from mintline.chain.health import upper_half
from mintline.chain.rpc import Rpc, RpcObserver
from mintline.chain.settings import Bearer, ChainSettings, SigV4
from mintline.chain.transport import Authorize, Request, Transport, Web3Transport, host
from mintline.errors import Retryable
from mintline.tracing import OFF, Tracer, client_span

log = structlog.get_logger(__name__)


async def open_rpc(
    stack: AsyncExitStack, settings: ChainSettings, *, observer: RpcObserver, tracer: Tracer = OFF
) -> Rpc:
    """Open the endpoints, which `stack` closes, and keep watching them.

    Raises Misconfigured if they serve another chain. Nodes that are down for now do not keep a process down:
    /readyz says so until they are back.
    """
    transport: Transport = Web3Transport(settings.rpc_timeout, authorize=authorizations(settings))
    rpc = Rpc(
        [endpoint.url.get_secret_value() for endpoint in settings.rpc_urls],
        chain_id=settings.chain_id,
        transport=transport if tracer is OFF else TracedTransport(transport, tracer),
        jitter=upper_half(random.Random()),  # noqa: S311 - jitter, not a secret
        observer=observer,
    )
    stack.push_async_callback(rpc.aclose)
    try:
        await rpc.check_chain()
    except Retryable as error:
        log.warning("chain_not_reachable_yet", error=str(error))
    rpc.watch()
    return rpc


def authorizations(settings: ChainSettings) -> Mapping[str, Authorize]:
    """Return how to authorize requests, by URL, for the endpoints that ask for more than their URL."""
    authorize: dict[str, Authorize] = {}
    for endpoint in settings.rpc_urls:
        match endpoint.auth:
            case Bearer(token=token):
                authorize[endpoint.url.get_secret_value()] = _Bearer(token.get_secret_value())
            case SigV4(region=region):
                authorize[endpoint.url.get_secret_value()] = SignedRequests(region or settings.aws_region)
    return authorize


def listeners(settings: ChainSettings, *, wake: Callable[[], None], rng: random.Random) -> list[Heads]:
    """Return a listener for each endpoint that pushes new heads; each calls `wake`."""
    return [
        Heads(
            endpoint.ws_url.get_secret_value(),
            wake=wake,
            headers=_Bearer(endpoint.auth.token.get_secret_value()).headers
            if isinstance(endpoint.auth, Bearer)
            else None,
            rng=rng,
        )
        for endpoint in settings.rpc_urls
        if endpoint.ws_url is not None
    ]


class TracedTransport:
    """A Transport with a span around every exchange made for a request."""

    def __init__(self, transport: Transport, tracer: Tracer) -> None:
        self._transport = transport
        self._tracer = tracer

    async def exchange(self, url: str, requests: Sequence[Request]) -> Any:
        """Send requests to an endpoint; the span is named for the method, if they share one."""
        methods = {request.method for request in requests}
        attributes: dict[str, str | int] = {
            "rpc.system": "jsonrpc",
            "server.address": host(url),
            "mintline.calls": len(requests),
        }
        with client_span(self._tracer, methods.pop() if len(methods) == 1 else "several methods", attributes):
            return await self._transport.exchange(url, requests)

    async def aclose(self) -> None:
        await self._transport.aclose()


class _Bearer:
    """Authorizes by a token."""

    def __init__(self, token: str) -> None:
        self.headers = {"Authorization": f"Bearer {token}"}

    async def __call__(self, _url: str, _body: bytes) -> Mapping[str, str]:
        return self.headers
