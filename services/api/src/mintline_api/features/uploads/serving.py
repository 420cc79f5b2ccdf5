"""Serves files that were uploaded: whole or in ranges (RFC 9110, section 14), to everyone."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable

import structlog
from aiohttp import hdrs, web

from mintline.errors import Unavailable
from mintline_api.caches import BoundedCache
from mintline_api.features.uploads.ports import FileStore, StoredFile
from mintline_api.features.uploads.problems import RANGE_NOT_SATISFIABLE, UNKNOWN_MEDIA
from mintline_api.http.context import DEADLINE
from mintline_api.http.problems import OVERLOADED, RequestRefused

log = structlog.get_logger()

MEDIA_HEADERS = {
    "Cache-Control": "public, max-age=31536000, immutable",
    # Opened by itself, a file is shown in an origin of its own, and runs and loads nothing.
    "Content-Security-Policy": "default-src 'none'; img-src 'self'; media-src 'self'; sandbox",
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": "ETag, Content-Range, Accept-Ranges",
    "Accept-Ranges": "bytes",
}
STREAMS = 64
"""Files that one copy of the API sends at once."""
_STALL_SECONDS = 30.0
"""How long a client may take for one piece of 256 KiB."""
_RETRY_SECONDS = 2
_REMEMBERED = 10_000
_RANGE = re.compile(r"bytes=(\d{0,15})-(\d{0,15})")


class MediaFiles:
    """The files that are served; type and size of some are remembered, since they never change."""

    def __init__(self, files: FileStore, *, clock: Callable[[], float], streams: int = STREAMS) -> None:
        self.files = files
        self._known: BoundedCache[bytes, StoredFile] = BoundedCache(max_weight=_REMEMBERED, clock=clock)
        self._free = streams

    async def describe(self, sha256: bytes) -> StoredFile:
        """Return type and size of a file; raises RequestRefused for one that is not there."""
        stored = self._known.get(sha256)
        if stored is None:
            stored = await self.files.describe(sha256)
            if stored is None:
                raise RequestRefused(UNKNOWN_MEDIA, "File not found.")
            self._known.put(sha256, stored)
        return stored

    async def send(self, request: web.Request, sha256: bytes) -> web.StreamResponse:
        """Send a file, or the part of it that a client asks for; raises RequestRefused."""
        if self._free <= 0:
            detail = "The API sends as many files as it can. Ask again."
            raise RequestRefused(OVERLOADED, detail, headers={"Retry-After": str(_RETRY_SECONDS)})
        self._free -= 1
        try:
            file = await self.describe(sha256)
            return await self._send(request, sha256, file)
        finally:
            self._free += 1

    async def _send(self, request: web.Request, sha256: bytes, file: StoredFile) -> web.StreamResponse:
        etag = sha256.hex()
        if any(tag.value in (etag, "*") for tag in request.if_none_match or ()):
            response = web.StreamResponse(status=304, headers=MEDIA_HEADERS)
            response.etag = etag
            return response
        part = None if request.method == hdrs.METH_HEAD else range_of(request, file.size, etag=etag)
        first, length = (0, file.size) if part is None else part
        response = web.StreamResponse(status=200 if part is None else 206, headers=MEDIA_HEADERS)
        response.etag = etag
        response.content_type = file.content_type
        response.content_length = length
        if part is not None:
            response.headers[hdrs.CONTENT_RANGE] = f"bytes {first}-{first + length - 1}/{file.size}"
        if request.method == hdrs.METH_HEAD:
            return response
        # From here on the client's pace counts, not the request's deadline.
        request[DEADLINE].suspend()
        pieces = self.files.read(sha256, start=first, length=length)
        # Before the first byte a failure is still a problem document.
        piece = await anext(pieces, b"")
        await response.prepare(request)
        try:
            while piece:
                async with asyncio.timeout(_STALL_SECONDS):
                    await response.write(piece)
                piece = await anext(pieces, b"")
            await response.write_eof()
        except (TimeoutError, ConnectionError, Unavailable) as error:
            # A part of the body is out: all that is left is to close the connection.
            log.info("media_cut_off", sha256=etag, reason=type(error).__name__)
            if request.transport is not None:
                request.transport.abort()
        return response


def range_of(request: web.Request, size: int, *, etag: str) -> tuple[int, int] | None:
    """Return start and length of the one range that a request asks for; None for the whole file.

    Several ranges, other units and what cannot be parsed are passed over, as RFC 9110 allows. Raises
    RequestRefused (416) for a range beyond the file.
    """
    match = _RANGE.fullmatch(request.headers.get(hdrs.RANGE, "").replace(" ", ""))
    if match is None or request.headers.get(hdrs.IF_RANGE, f'"{etag}"') != f'"{etag}"':
        return None
    start, end = match.groups()
    if start:
        first, last = int(start), min(int(end) if end else size - 1, size - 1)
        if end and int(end) < int(start):
            return None
    elif end:
        first, last = max(0, size - int(end)), size - 1
    else:
        return None
    if first > last:
        raise RequestRefused(
            RANGE_NOT_SATISFIABLE,
            f"The file has {size} bytes.",
            headers={hdrs.CONTENT_RANGE: f"bytes */{size}"},
        )
    return first, last - first + 1
