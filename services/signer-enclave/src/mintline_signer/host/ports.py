"""What the host's handler needs of the world."""

from __future__ import annotations

from typing import Protocol

from mintline.messages import KeyRef
from mintline_signer.protocol import Issued, Sign, Signed, WrappedKey


class WrappedKeySource(Protocol):
    """Where wrapped keys are kept."""

    async def read(self, key: KeyRef) -> WrappedKey:
        """Return the wrapped key; raises Rejected if there is none, or it is another's."""
        ...


class SigningPort(Protocol):
    """The enclave, as the host sees it."""

    async def sign(self, request: Sign) -> Signed | Issued:
        """Return the signed transaction or voucher; raises Refused, or Unavailable (Failed among them)."""
        ...
