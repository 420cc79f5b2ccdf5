"""The endpoints as the settings say them: chains, tokens and signatures, over real sockets."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any, Protocol

import pytest
from prometheus_client import CollectorRegistry

from mintline.chain.node import Node
from mintline.chain.rpc import Rpc
from mintline.chain.rpc_metrics import RpcMetrics
from mintline.chain.settings import ChainSettings
from mintline.errors import Misconfigured
from mintline.rpc_factory import open_rpc
from mintline.settings import load
from mintline_devstack.sigv4 import SignedRequest, verify
from mintline_testkit.constants import CHAIN_ID

pytestmark = pytest.mark.integration

Start = Callable[[str], Awaitable[Any]]


class Open(Protocol):
    """Opens an RPC client of endpoints that must serve a chain."""

    async def __call__(self, urls: str, chain_id: int = CHAIN_ID) -> Rpc: ...


@pytest.fixture
async def opened() -> AsyncIterator[Open]:
    async with AsyncExitStack() as stack:

        async def start(urls: str, chain_id: int = CHAIN_ID) -> Rpc:
            environ = {"MINTLINE_CHAIN_ID": str(chain_id), "MINTLINE_RPC_URLS": urls}
            observer = RpcMetrics(CollectorRegistry())
            return await open_rpc(stack, load(ChainSettings, environ), observer=observer)

        yield start


async def test_open__when_an_endpoint_wants_a_token__then_every_request_has_it(
    anvil_automine: str, sick_node: Start, opened: Open
) -> None:
    node = await sick_node(anvil_automine)
    rpc = await opened(f'[{{"url": "{node.url}", "auth": {{"type": "bearer", "token": "made-up"}}}}]')
    await Node(rpc).block_number()
    assert {headers.get("Authorization") for headers in node.headers} == {"Bearer made-up"}


async def test_open__when_an_endpoint_wants_aws_signatures__then_every_request_is_signed_as_aws_checks_it(
    anvil_automine: str, sick_node: Start, opened: Open
) -> None:
    node = await sick_node(anvil_automine)
    rpc = await opened(f'[{{"url": "{node.url}", "auth": {{"type": "sigv4", "region": "eu-west-1"}}}}]')
    await Node(rpc).block_number()
    assert len(node.headers) >= 2
    for headers, body in zip(node.headers, node.bodies, strict=True):
        request = SignedRequest("POST", {name.lower(): value for name, value in headers.items()}, body)
        assert verify(request, {"test": "test"}, service="managedblockchain", now=time.time()) == "test"
        assert "/eu-west-1/managedblockchain/" in headers["Authorization"]


async def test_open__when_one_endpoint_serves_another_chain__then_it_is_never_asked_about_this_one(
    anvil_automine: str, sick_node: Start, opened: Open
) -> None:
    wrong, right = await sick_node(anvil_automine), await sick_node(anvil_automine)
    wrong.tamper = lambda call, result: "0x1" if call["method"] == "eth_chainId" else result
    rpc = await opened(f'["{wrong.url}", "{right.url}"]')
    await Node(rpc).block_number()
    assert set(wrong.requested) == {"eth_chainId"}


async def test_open__when_every_endpoint_serves_another_chain__then_the_process_does_not_start(
    anvil_automine: str, opened: Open
) -> None:
    with pytest.raises(Misconfigured, match="serve chain 31337, but MINTLINE_CHAIN_ID is 5"):
        await opened(f'["{anvil_automine}"]', 5)


async def test_open__when_no_endpoint_answers__then_the_process_starts_all_the_same(opened: Open) -> None:
    await opened('["http://127.0.0.1:1/"]')
