"""Frames on the socket between host and enclave: 4-byte big-endian length, then one CBOR item (RFC 8949).

No input or output here: bytes go in, bodies come out, wherever the stream was cut.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mintline.strict_cbor import MalformedCbor, dumps, loads
from mintline_signer.errors import BrokenFrame

MAX_BODY = 1 << 20
"""Bytes of a body at most; a longer announcement is refused before a byte of it is stored."""
MAX_DEPTH = 8
"""Nested containers at most."""
_HEADER = 4


class FrameDecoder:
    """Cuts a byte stream into bodies, from pieces of any size."""

    def __init__(self, *, max_body: int = MAX_BODY) -> None:
        self._buffer = bytearray()
        self._max_body = max_body

    @property
    def partial(self) -> bool:
        """Tell whether a frame has begun and not ended."""
        return bool(self._buffer)

    def feed(self, data: bytes) -> list[bytes]:
        """Return the bodies that `data` completes; raises BrokenFrame for a length that is not allowed."""
        buffer = self._buffer
        buffer += data
        bodies: list[bytes] = []
        start = 0
        while len(buffer) - start >= _HEADER:
            end_of_header = start + _HEADER
            length = int.from_bytes(buffer[start:end_of_header], "big")
            if not 0 < length <= self._max_body:
                raise BrokenFrame("a frame announces a length that is not allowed")
            if len(buffer) < end_of_header + length:
                break
            start = end_of_header + length
            bodies.append(bytes(buffer[end_of_header:start]))
        del buffer[:start]
        return bodies


def frame(value: Mapping[str, Any]) -> bytes:
    """Return `value` as one frame; raises BrokenFrame if it is too long to be one."""
    body = dumps(value)
    if len(body) > MAX_BODY:
        raise BrokenFrame("the value does not fit in a frame")
    return len(body).to_bytes(_HEADER, "big") + body


def decode(body: bytes) -> Any:
    """Return the CBOR item in `body`; raises BrokenFrame unless it is what `frame` would have written."""
    try:
        return loads(body, max_depth=MAX_DEPTH)
    except MalformedCbor:
        raise BrokenFrame("a body is not the CBOR that is spoken here") from None
