"""The one JSON text of a value, and its digest."""

from __future__ import annotations

import hashlib
import json
from typing import Any

_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def canonical_json(value: Any) -> str:
    """Return the one JSON text of a value: sorted keys, no spaces, UTF-8, no NaN.

    Raises ValueError for numbers that JSON does not have.
    """
    return _CANONICAL.encode(value)


def digest_of(text: str) -> bytes:
    """Return the SHA-256 of a text's UTF-8 bytes: `metadataDigest`, and S3's own checksum of the object."""
    return hashlib.sha256(text.encode()).digest()
