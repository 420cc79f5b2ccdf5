"""A token is sent out of its user's wallet in custody, under one nonce for each request."""

from __future__ import annotations

from mintline.messages.intents import SignTransfer
from mintline.request_digests import transfer_digest
from mintline_signer.enclave.kinds.token import TokenKind, requested_token


class TransferKind(TokenKind[SignTransfer]):
    """`sign_transfer`."""

    action = "transfer"

    def digest(self, request: SignTransfer) -> bytes:
        """Return the digest of the transfer."""
        return transfer_digest(**requested_token(request), to=request.to)


KIND = TransferKind()
