"""A token is burned by its holder's signature, which a relayer's transaction carries."""

from __future__ import annotations

from mintline.kinds.relayed import holder_call
from mintline.messages.intents import SignRelayedBurn
from mintline.request_digests import relayed_burn_digest
from mintline_signer.enclave.kinds.relayed import RelayedKind, requested_token


class RelayedBurnKind(RelayedKind[SignRelayedBurn]):
    """`sign_relayed_burn`."""

    action = "burn"

    def digest(self, request: SignRelayedBurn) -> bytes:
        """Return the digest of the burn."""
        return relayed_burn_digest(**requested_token(request), quantity=request.quantity)

    def typed_data(self, request: SignRelayedBurn) -> bytes:
        """Return the digest of `Burn`."""
        call = holder_call(request, to=None)
        return call.typed_data(chain_id=request.chain_id, contract=request.contract)


KIND = RelayedBurnKind()
