"""Opaque cursors: where a list goes on, sealed to the list that it came from."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Sequence

from mintline_api.http.problems import INVALID_CURSOR, Fault, RequestRefused

_MAC_BYTES = 16


class Cursors:
    """Issues and reads cursors under one secret.

    A cursor is base64url of MAC ‖ position. The MAC covers the query too (caller, route, filters), so a
    cursor of one list is worth nothing in another, and none can be made up.
    """

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()

    def issue(self, query: Sequence[str], after: str) -> str:
        """Return the cursor that continues `query` after the position `after`."""
        position = after.encode()
        sealed = self._mac(query, position) + position
        return base64.urlsafe_b64encode(sealed).rstrip(b"=").decode()

    def read(self, query: Sequence[str], cursor: str) -> str:
        """Return the position that `issue` sealed; raises RequestRefused for any other text."""
        try:
            sealed = base64.b64decode(
                cursor.encode() + b"=" * (-len(cursor) % 4), altchars=b"-_", validate=True
            )
        except (binascii.Error, ValueError):
            sealed = b""
        mac, position = sealed[:_MAC_BYTES], sealed[_MAC_BYTES:]
        if not hmac.compare_digest(mac, self._mac(query, position)):
            raise RequestRefused(
                INVALID_CURSOR,
                "Invalid cursor: send `next_cursor` of this list, with the same filters.",
                faults=[Fault("not a cursor of this list with these filters", parameter="cursor")],
            )
        return position.decode()

    def _mac(self, query: Sequence[str], position: bytes) -> bytes:
        bound = json.dumps(list(query)).encode()
        message = len(bound).to_bytes(4, "big") + bound + position
        return hmac.digest(self._secret, message, hashlib.sha256)[:_MAC_BYTES]
