"""A token of a user's wallet in custody is burned, under one nonce for each request."""

from __future__ import annotations

from mintline.messages.intents import SignBurn
from mintline.request_digests import burn_digest
from mintline_signer.enclave.kinds.token import TokenKind, requested_token


class BurnKind(TokenKind[SignBurn]):
    """`sign_burn`."""

    action = "burn"

    def digest(self, request: SignBurn) -> bytes:
        """Return the digest of the burn."""
        return burn_digest(**requested_token(request))


KIND = BurnKind()
