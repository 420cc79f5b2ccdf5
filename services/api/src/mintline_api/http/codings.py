"""Content codings of requests (RFC 9110, section 8.4.1): gzip and deflate, strictly and bounded."""

from __future__ import annotations

import zlib

ACCEPTED = "gzip, deflate"
"""What `Accept-Encoding` says in the response that refuses another coding (RFC 7694)."""
_GZIP = 16 + zlib.MAX_WBITS
_DEFLATED = 8
"""The method in the first byte of a zlib header (RFC 1950)."""


class UndecodableError(ValueError):
    """A body that is not what its coding says, breaks off, or has something behind its end."""


class TooLargeError(ValueError):
    """A body that decodes to more bytes than it may have."""


def coding_of(headers: list[str]) -> str | None:
    """Return the coding that `Content-Encoding` headers name, empty for none; None if it is not supported."""
    named = [name.strip().lower() for header in headers for name in header.split(",")]
    coded = [name for name in named if name not in ("", "identity")]
    match coded:
        case []:
            return ""
        case ["gzip" | "x-gzip"]:
            return "gzip"
        case ["deflate"]:
            return "deflate"
        case _:
            return None


def decoded(raw: bytes, coding: str, *, limit: int) -> bytes:
    """Return a body of at most `limit` bytes; raises UndecodableError or TooLargeError.

    A gzip body may have several members (RFC 1952), and `deflate` may lack its zlib header, as some clients
    have it.
    """
    if not coding:
        return raw
    pieces: list[bytes] = []
    size = 0
    while raw or not pieces:
        stream = zlib.decompressobj(_window(raw, coding))
        try:
            piece = stream.decompress(raw, limit - size + 1)
        except zlib.error:
            raise UndecodableError("the body does not decode") from None
        size += len(piece)
        if size > limit:
            raise TooLargeError("the body decodes to too many bytes")
        if not stream.eof:
            raise UndecodableError("the body breaks off")
        pieces.append(piece)
        raw = stream.unused_data
        if raw and coding != "gzip":
            raise UndecodableError("bytes are left over behind the body")
    return b"".join(pieces)


def _window(raw: bytes, coding: str) -> int:
    if coding == "gzip":
        return _GZIP
    return zlib.MAX_WBITS if raw[:1] and raw[0] & 0x0F == _DEFLATED else -zlib.MAX_WBITS
