"""The least of HTTP/1.1 (RFC 9112) that KMS takes: POST over kept connections, answers with a length."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeAlias

from mintline.errors import Unavailable

Stream: TypeAlias = tuple[asyncio.StreamReader, asyncio.StreamWriter]

MAX_HEAD = 16 * 1024
MAX_BODY = 64 * 1024
_STATUS = re.compile(rb"HTTP/1\.1 ([2-5][0-9]{2})(?: [^\r\n]*)?")
_FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\r\n\x00]*?)[ \t]*")
_LENGTH = re.compile(rb"[0-9]{1,6}")


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """An answer: its body may be a secret, and is not shown."""

    status: int
    body: bytes

    def __repr__(self) -> str:
        return f"HttpResponse(status={self.status})"


class _Stale(Exception):  # noqa: N818 - a fact about a kept connection, not a failure
    """A kept connection was closed by the peer before it answered a byte."""


class HttpPool:
    """Up to `size` connections to one server, each with one request at a time, kept between requests.

    `timeout` bounds one request in seconds, the wait for a free connection included.
    """

    def __init__(
        self, connect: Callable[[], Awaitable[Stream]], *, size: int = 16, timeout: float = 5.0
    ) -> None:
        self._connect = connect
        self._slots = asyncio.Semaphore(size)
        self._idle: list[Stream] = []
        self._timeout = timeout

    async def post(self, headers: Mapping[str, str], body: bytes) -> HttpResponse:
        """Send `POST /`; raises Unavailable for whatever is not a whole, sound answer.

        A request goes out again if a kept connection turns out to be closed, so it must be idempotent.
        """
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        request = f"POST / HTTP/1.1\r\n{head}content-length: {len(body)}\r\n\r\n".encode("latin-1") + body
        try:
            async with asyncio.timeout(self._timeout), self._slots:
                while self._idle:
                    with suppress(_Stale):
                        return await self._exchange(self._idle.pop(), request)
                return await self._exchange(await self._connect(), request)
        except (OSError, TimeoutError, _Stale, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            raise Unavailable("the server did not answer") from None

    async def _exchange(self, stream: Stream, request: bytes) -> HttpResponse:
        reader, writer = stream
        keep = False
        try:
            response, keep = await _converse(reader, writer, request)
            return response
        finally:
            if keep:
                self._idle.append(stream)
            else:
                _drop(writer)

    async def aclose(self) -> None:
        """Close the kept connections."""
        while self._idle:
            _drop(self._idle.pop()[1])


def _drop(writer: asyncio.StreamWriter) -> None:
    """Close without waiting: what is left on the connection is of no interest, and may never come."""
    writer.transport.abort()
    writer.close()  # a TLS stream that was aborted does not know by itself that it is closed


async def _converse(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes
) -> tuple[HttpResponse, bool]:
    """Return the answer, and whether the connection can be kept."""
    try:
        writer.write(request)
        await writer.drain()
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        if error.partial:
            raise
        raise _Stale from None
    except ConnectionError:
        raise _Stale from None
    status, length, keep = _parse_head(head)
    return HttpResponse(status, await reader.readexactly(length)), keep


def _parse_head(head: bytes) -> tuple[int, int, bool]:
    """Return status, length of the body, and whether the connection stays; raises Unavailable."""
    status_line, *lines = head[:-4].split(b"\r\n")
    status = _STATUS.fullmatch(status_line)
    fields: dict[bytes, bytes] = {}
    for line in lines:
        matched = _FIELD.fullmatch(line)
        if matched is None:
            raise Unavailable("the server's answer is malformed")
        name = matched[1].lower()
        # Two lengths, or a length and chunks, are how answers get smuggled.
        if name in (b"content-length", b"transfer-encoding") and (
            name in fields or name == b"transfer-encoding"
        ):
            raise Unavailable("the server's answer has no single length")
        fields[name] = matched[2]
    length = fields.get(b"content-length", b"")
    if status is None or not _LENGTH.fullmatch(length) or int(length) > MAX_BODY:
        raise Unavailable("the server's answer is malformed")
    return int(status[1]), int(length), fields.get(b"connection", b"").lower() != b"close"
