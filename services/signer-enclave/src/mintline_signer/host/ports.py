"""What the host's handler needs of the world."""

from __future__ import annotations

from typing import Protocol

from mintline.messages import KeyRef, SignBatch
from mintline_signer.protocol import Issued, Sign, Signed, WrappedKey


class WrappedKeySource(Protocol):
    """Where wrapped keys are kept."""

    async def read(self, key: KeyRef) -> WrappedKey:
        """Return the wrapped key; raises Rejected if there is none, or it is another's."""
        ...


class AuthorizationSource(Protocol):
    """Where the authorizations of sponsored mints are kept."""

    async def of(self, batch: SignBatch) -> list[bytes]:
        """Return the authorization of each line, in order; empty where there is none. Raises Retryable."""
        ...


class SigningPort(Protocol):
    """The enclave, as the host sees it."""

    async def sign(self, request: Sign) -> Signed | Issued:
        """Return the signed transaction or voucher; raises EnclaveRefusal, EnclaveFailure or Unavailable."""
        ...
