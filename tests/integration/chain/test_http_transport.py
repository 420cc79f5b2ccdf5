"""Real sockets: connections that stay open, and every way in which an endpoint can fail."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from mintline.chain.rpc import Rpc
from mintline.chain.transport import BodyTooLarge, Request, Web3Transport
from mintline.errors import Throttled, Unavailable

pytestmark = pytest.mark.integration

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


async def answer(request: web.Request) -> web.Response:
    call = await request.json()
    calls = call if isinstance(call, list) else [call]
    results = [{"jsonrpc": "2.0", "id": call["id"], "result": call["method"]} for call in calls]
    return web.json_response(results if isinstance(call, list) else results[0])


@pytest.fixture
async def serve() -> AsyncIterator[Callable[[Handler], Awaitable[str]]]:
    servers = []

    async def start(handler: Handler) -> str:
        app = web.Application()
        app.router.add_post("/", handler)
        server = TestServer(app, host="127.0.0.1")
        await server.start_server()
        servers.append(server)
        return str(server.make_url("/"))

    yield start
    for server in servers:
        await server.close()


async def test_calls__when_one_after_another__then_one_connection_serves_them(
    serve: Callable[[Handler], Awaitable[str]],
) -> None:
    peers = set()

    async def handler(request: web.Request) -> web.Response:
        assert request.transport is not None
        peers.add(request.transport.get_extra_info("peername"))
        assert request.content_type == "application/json"
        return await answer(request)

    rpc = Rpc([await serve(handler)])
    for _ in range(5):
        assert await rpc.call("eth_blockNumber", []) == "eth_blockNumber"
    await rpc.aclose()
    assert len(peers) == 1


@pytest.mark.parametrize(
    ("status", "error"), [(429, Throttled), (500, Unavailable), (403, Unavailable), (302, Unavailable)]
)
async def test_call__when_http_says_no__then_retryable_and_no_redirect_is_followed(
    serve: Callable[[Handler], Awaitable[str]], status: int, error: type[Exception]
) -> None:
    async def handler(_: web.Request) -> web.Response:
        return web.Response(status=status, text="no", headers={"Location": "http://127.0.0.1:1/"})

    rpc = Rpc([await serve(handler)])
    with pytest.raises(error):
        await rpc.call("m", [])
    await rpc.aclose()


async def test_call__when_the_endpoint_hangs__then_unavailable_in_time_and_the_next_one_answers(
    serve: Callable[[Handler], Awaitable[str]],
) -> None:
    async def hang(_: web.Request) -> web.Response:
        await asyncio.sleep(30)
        raise AssertionError

    rpc = Rpc([await serve(hang), await serve(answer)], timeout=0.2)
    async with asyncio.timeout(2):
        assert await rpc.call("m", []) == "m"
    await rpc.aclose()


async def test_call__when_nobody_listens_or_the_line_is_cut__then_the_next_one_answers(
    serve: Callable[[Handler], Awaitable[str]],
) -> None:
    async def cut(request: web.Request) -> web.Response:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    rpc = Rpc(["http://127.0.0.1:1/", await serve(cut), await serve(answer)])
    assert await rpc.call("m", []) == "m"
    await rpc.aclose()


async def test_call__when_callers_give_up_at_any_point__then_the_next_call_is_answered(
    serve: Callable[[Handler], Awaitable[str]],
) -> None:
    rpc = Rpc([await serve(answer)])
    for turns in [*range(12)] * 10:
        callers = [asyncio.create_task(rpc.call("m", [])) for _ in range(4)]
        for _ in range(turns):
            await asyncio.sleep(0)
        for caller in callers:
            caller.cancel()
        await asyncio.gather(*callers, return_exceptions=True)
    async with asyncio.timeout(5):
        assert await rpc.call("m", []) == "m"
    await rpc.aclose()


@pytest.fixture
async def transport() -> AsyncIterator[Web3Transport]:
    opened = Web3Transport(1.0)
    yield opened
    await opened.aclose()


def saying(
    change: Callable[[list[dict[str, Any]]], Any], *, status: int = 200, headers: dict[str, str] | None = None
) -> Handler:
    """Answer with what `change` makes of the requests, as JSON, or as it is when it makes bytes."""

    async def handler(request: web.Request) -> web.Response:
        calls = await request.json()
        result = change(calls if isinstance(calls, list) else [calls])
        body = result if isinstance(result, bytes) else json.dumps(result).encode()
        return web.Response(body=body, status=status, headers=headers)

    return handler


def responses(calls: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{"jsonrpc": "2.0", "id": call["id"], "result": call["params"][0]} for call in calls]


def requests(count: int) -> list[Request]:
    return [Request("m", [f"0x{number}"]) for number in range(count)]


async def test_exchange__when_alone__then_one_json_rpc_request(
    serve: Callable[[Handler], Awaitable[str]], transport: Web3Transport
) -> None:
    seen: list[Any] = []

    async def handler(request: web.Request) -> web.Response:
        seen.append(await request.json())
        return await answer(request)

    await transport.exchange(await serve(handler), [Request("eth_call", [{"to": "0x"}, "latest"])])
    [request] = seen
    del request["id"]
    assert request == {"jsonrpc": "2.0", "method": "eth_call", "params": [{"to": "0x"}, "latest"]}


async def test_exchange__when_batches_cross_and_answers_come_backwards__then_each_in_its_order(
    serve: Callable[[Handler], Awaitable[str]], transport: Web3Transport
) -> None:
    url = await serve(saying(lambda calls: responses(calls)[::-1]))
    batches = await asyncio.gather(*(transport.exchange(url, requests(count)) for count in (2, 5, 3)))
    for count, batch in zip((2, 5, 3), batches, strict=True):
        assert [item["result"] for item in batch] == [f"0x{number}" for number in range(count)]


async def test_exchange__when_an_answer_is_left_out__then_none_in_its_place(
    serve: Callable[[Handler], Awaitable[str]], transport: Web3Transport
) -> None:
    url = await serve(saying(lambda calls: [responses(calls)[2], {"id": 9_999, "result": "a stranger"}]))
    first, second, third = await transport.exchange(url, requests(3))
    assert (first, second, third["result"]) == (None, None, "0x2")


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("body", [b"", b"<html>gateway for API-KEY</html>", b"\xff\xfe", b'{"jsonrpc":'])
async def test_exchange__when_the_answer_is_no_json__then_unavailable_without_its_text(
    serve: Callable[[Handler], Awaitable[str]], transport: Web3Transport, body: bytes, count: int
) -> None:
    with pytest.raises(Unavailable, match="other than JSON-RPC") as caught:
        await transport.exchange(await serve(saying(lambda _: body)), requests(count))
    assert "API-KEY" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("items", [[3, 4], [None], [{"id": 1}, {"id": "x"}], [{"id": [1]}]])
async def test_exchange__when_a_batch_is_answered_with_nonsense__then_unavailable(
    serve: Callable[[Handler], Awaitable[str]], transport: Web3Transport, items: list[Any]
) -> None:
    with pytest.raises(Unavailable, match="other than JSON-RPC"):
        await transport.exchange(await serve(saying(lambda _: items)), requests(2))


@pytest.mark.parametrize("count", [1, 3])
async def test_exchange__when_the_answer_is_nested_without_end__then_unavailable(
    serve: Callable[[Handler], Awaitable[str]], transport: Web3Transport, count: int
) -> None:
    with pytest.raises(Unavailable, match="other than JSON-RPC"):
        await transport.exchange(await serve(saying(lambda _: b"[" * 200_000)), requests(count))


@pytest.mark.parametrize("count", [1, 3])
async def test_exchange__when_a_json_rpc_answer_comes_with_a_4xx__then_it_counts(
    serve: Callable[[Handler], Awaitable[str]], transport: Web3Transport, count: int
) -> None:
    error = {"jsonrpc": "2.0", "id": None, "error": {"code": -32602, "message": "block range is too wide"}}
    url = await serve(saying(lambda _: error, status=400))
    assert await transport.exchange(url, requests(count)) == error


@pytest.mark.parametrize("count", [1, 3])
async def test_exchange__when_429__then_throttled_for_as_long_as_asked(
    serve: Callable[[Handler], Awaitable[str]], transport: Web3Transport, count: int
) -> None:
    url = await serve(saying(lambda _: b"slow down", status=429, headers={"Retry-After": "7"}))
    with pytest.raises(Throttled) as caught:
        await transport.exchange(url, requests(count))
    assert caught.value.retry_after == 7.0


@pytest.mark.parametrize("count", [1, 3])
async def test_exchange__when_413__then_the_body_is_too_large(
    serve: Callable[[Handler], Awaitable[str]], transport: Web3Transport, count: int
) -> None:
    with pytest.raises(BodyTooLarge):
        await transport.exchange(await serve(saying(lambda _: b"too large", status=413)), requests(count))


async def test_calls__when_a_batch_is_too_large_for_the_endpoint__then_halves_of_it_are_sent(
    serve: Callable[[Handler], Awaitable[str]],
) -> None:
    async def handler(request: web.Request) -> web.Response:
        calls = await request.json()
        return (
            web.Response(status=413) if isinstance(calls, list) and len(calls) > 3 else await answer(request)
        )

    rpc = Rpc([await serve(handler)])
    methods = [f"m{number}" for number in range(10)]
    assert await asyncio.gather(*(rpc.call(method, []) for method in methods)) == methods
    await rpc.aclose()


@pytest.mark.parametrize("count", [1, 3])
async def test_exchange__when_it_fails__then_one_attempt_and_nothing_said_of_path_or_credentials(
    serve: Callable[[Handler], Awaitable[str]],
    transport: Web3Transport,
    caplog: pytest.LogCaptureFixture,
    count: int,
) -> None:
    requests_made = 0

    async def cut(request: web.Request) -> web.Response:
        nonlocal requests_made
        requests_made += 1
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    caplog.set_level(logging.INFO)
    working = urlsplit(await serve(cut))
    urls = [
        f"http://user:PASSWORD@{working.netloc}{working.path}?key=API-KEY",
        "http://user:PASSWORD@127.0.0.1:1/API-KEY",
        f"{await serve(saying(lambda _: b'no', status=403))}?key=API-KEY",
        f"{await serve(saying(lambda _: b'no', status=429))}?key=API-KEY",
    ]
    for url in urls:
        with pytest.raises((Unavailable, Throttled)) as caught:
            await transport.exchange(url, requests(count))
        text = "".join(traceback.format_exception(caught.value))
        assert "API-KEY" not in text
        assert "PASSWORD" not in text
    await transport.aclose()
    assert requests_made == 1
    # The test's own server logs what it is asked for.
    messages = [record.getMessage() for record in caplog.records if record.name != "aiohttp.access"]
    assert not any("API-KEY" in line or "PASSWORD" in line for line in messages)


async def test_exchange__when_a_parameter_has_no_json__then_it_is_a_mistake_and_not_unavailable(
    serve: Callable[[Handler], Awaitable[str]], transport: Web3Transport
) -> None:
    with pytest.raises(TypeError):
        await transport.exchange(await serve(answer), [Request("m", [object()])])


async def test_exchange__when_many_start_at_once__then_they_share_one_session(
    serve: Callable[[Handler], Awaitable[str]],
) -> None:
    # A second session would be left open, which pytest reports as a warning, thus as an error.
    transport = Web3Transport(1.0)
    urls = [await serve(answer), await serve(answer)]
    await asyncio.gather(*(transport.exchange(url, [Request("m", [])]) for url in urls * 5))
    await transport.aclose()
    gc.collect()
