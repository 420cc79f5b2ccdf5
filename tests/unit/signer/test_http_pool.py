from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast

import pytest

from mintline.errors import Unavailable
from mintline_signer.enclave.http1 import MAX_BODY, HttpPool, HttpResponse, Stream

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


class FakeWriter:
    """The far end of a stream: for each request written, `respond` feeds the reader."""

    def __init__(
        self, reader: asyncio.StreamReader, response: Callable[[asyncio.StreamReader], None]
    ) -> None:
        self.reader = reader
        self.respond = response
        self.written: list[bytes] = []
        self.aborted = False

    def write(self, data: bytes) -> None:
        self.written.append(data)
        self.respond(self.reader)

    async def drain(self) -> None:
        pass

    @property
    def transport(self) -> FakeWriter:
        return self

    def abort(self) -> None:
        self.aborted = True

    def close(self) -> None:
        pass


class FakeServer:
    """Answers each request of each connection with the next of `answers`; None closes, "" says nothing."""

    def __init__(self, *answers: bytes | None) -> None:
        self.answers = list(answers)
        self.connections: list[FakeWriter] = []

    async def connect(self) -> Stream:
        reader = asyncio.StreamReader(limit=16 * 1024)
        writer = FakeWriter(reader, self.answer)
        self.connections.append(writer)
        return reader, cast("Any", writer)

    def answer(self, reader: asyncio.StreamReader) -> None:
        data = self.answers.pop(0)
        if data is None:
            reader.feed_eof()
        else:
            reader.feed_data(data)

    def pool(self, *, timeout: float = 1.0, size: int = 2) -> HttpPool:
        return HttpPool(self.connect, size=size, timeout=timeout)


async def test_pool__when_answered__gives_status_and_body_and_keeps_the_connection() -> None:
    server = FakeServer(OK, b"HTTP/1.1 400 Bad Request\r\nContent-Length: 3\r\n\r\nabc")
    pool = server.pool()
    assert await pool.post({"host": "kms"}, b"body") == HttpResponse(200, b"{}")
    assert await pool.post({"host": "kms"}, b"") == HttpResponse(400, b"abc")
    (connection,) = server.connections
    assert connection.written[0] == b"POST / HTTP/1.1\r\nhost: kms\r\ncontent-length: 4\r\n\r\nbody"
    await pool.aclose()
    assert connection.aborted


async def test_pool__when_a_kept_connection_was_closed__sends_again_on_a_new_one() -> None:
    server = FakeServer(OK, None, OK)
    pool = server.pool()
    await pool.post({}, b"")
    assert (await pool.post({}, b"")).status == 200
    assert [connection.aborted for connection in server.connections] == [True, False]


async def test_pool__when_the_server_says_close__does_not_keep_the_connection() -> None:
    server = FakeServer(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: Close\r\n\r\n", OK)
    pool = server.pool()
    await pool.post({}, b"")
    await pool.post({}, b"")
    assert [connection.aborted for connection in server.connections] == [True, False]


async def test_pool__when_a_new_connection_is_closed_at_once__is_unavailable() -> None:
    with pytest.raises(Unavailable):
        await FakeServer(None).pool().post({}, b"")


async def test_pool__when_nothing_comes__gives_up_and_closes() -> None:
    server = FakeServer(b"")
    with pytest.raises(Unavailable):
        await server.pool(timeout=0.01).post({}, b"")
    assert server.connections[0].aborted


async def test_pool__when_all_connections_are_busy__waits_within_the_timeout() -> None:
    server = FakeServer(b"", b"")
    pool = server.pool(timeout=0.01, size=1)
    outcomes = await asyncio.gather(pool.post({}, b""), pool.post({}, b""), return_exceptions=True)
    assert all(isinstance(outcome, Unavailable) for outcome in outcomes)
    assert len(server.connections) <= 2


@pytest.mark.parametrize(
    "response",
    [
        pytest.param(b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", id="another version"),
        pytest.param(b"HTTP/1.1 100 Continue\r\nContent-Length: 0\r\n\r\n", id="interim answer"),
        pytest.param(b"SSH-2.0-OpenSSH\r\n\r\n", id="another protocol"),
        pytest.param(b"HTTP/1.1 200 OK\r\n\r\n", id="no length"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", id="negative length"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 0x10\r\n\r\n", id="hex length"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\nx", id="signed length"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx", id="two lengths"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n", id="chunked"
        ),
        pytest.param(
            f"HTTP/1.1 200 OK\r\nContent-Length: {MAX_BODY + 1}\r\n\r\n".encode(), id="too long a body"
        ),
        pytest.param(b"HTTP/1.1 200 OK\r\nX: " + b"y" * 20_000 + b"\r\n\r\n", id="too long a head"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length : 1\r\n\r\nx", id="space before the colon"),
        pytest.param(b"HTTP/1.1 200 OK\r\n folded\r\nContent-Length: 0\r\n\r\n", id="folded line"),
    ],
)
async def test_pool__when_the_answer_is_unsound__is_unavailable_and_closes(response: bytes) -> None:
    server = FakeServer(response)
    with pytest.raises(Unavailable):
        await server.pool(timeout=0.2).post({}, b"")
    assert server.connections[0].aborted


async def test_pool__when_the_body_is_cut_short__is_unavailable() -> None:
    server = FakeServer(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab")
    with pytest.raises(Unavailable):
        await server.pool(timeout=0.05).post({}, b"")


def test_response__when_shown__hides_its_body() -> None:
    assert "hush" not in repr(HttpResponse(200, b"hush"))
