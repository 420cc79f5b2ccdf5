"""The policy document that the host hands to its enclave."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeAlias

from mintline.errors import Unavailable
from mintline_signer.protocol import MAX_POLICY

PolicySource: TypeAlias = Callable[[], Awaitable[bytes]]
"""Returns the policy document as it is now; raises Unavailable."""


def policy_source(path: Path) -> PolicySource:
    """Return the source that reads a file each time, so that a roll of the policy needs no new host."""

    async def read() -> bytes:
        return await asyncio.to_thread(_read, path)

    return read


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            document = file.read(MAX_POLICY + 1)
    except OSError as error:
        raise Unavailable(f"signing policy: cannot read {path}: {error.strerror}") from None
    if not 0 < len(document) <= MAX_POLICY:
        raise Unavailable(f"signing policy: {path} must have 1 to {MAX_POLICY} bytes")
    return document
