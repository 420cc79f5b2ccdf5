"""What the enclave needs of the world outside of it."""

from __future__ import annotations

from typing import Protocol

from mintline_signer.protocol import WrappedKey


class KeyUnwrapper(Protocol):
    """Turns a wrapped key into the private key."""

    async def unwrap(self, key: WrappedKey) -> bytearray:
        """Return the 32-byte scalar, to be erased by the caller; raises Refused or Failed."""
        ...
