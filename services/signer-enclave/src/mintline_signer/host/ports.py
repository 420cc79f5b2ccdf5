"""What the host's handler needs of the world."""

from __future__ import annotations

from typing import Protocol

from mintline.messages.intents import SignBatch
from mintline.messages.parts import KeyRef
from mintline_signer.protocol import Issued, LinesProof, Sign, Signed, WrappedKey


class WrappedKeySource(Protocol):
    """Where wrapped keys are kept."""

    async def read(self, key: KeyRef) -> WrappedKey:
        """Return the wrapped key; raises Rejected if there is none, or it is another's."""
        ...


class AuthorizationSource(Protocol):
    """Where the authorizations of sponsored mints are kept."""

    async def of(self, batch: SignBatch) -> list[bytes]:
        """Return the authorization of each line, in order; empty where there is none. Raises Retryable.

        Empty for the lines of requests for many mints, too.
        """
        ...

    async def proofs_of(self, batch: SignBatch) -> list[LinesProof]:
        """Return what proves the lines of requests for many mints: each chunk once, if it is there.

        Raises Retryable.
        """
        ...


class SigningPort(Protocol):
    """The enclave, as the host sees it."""

    async def sign(self, request: Sign) -> Signed | Issued:
        """Return the signed transaction or voucher; raises EnclaveRefusal, EnclaveFailure or Unavailable."""
        ...
