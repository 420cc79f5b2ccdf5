"""A token is burned by its holder's signature, which a relayer's transaction carries."""

from __future__ import annotations

from mintline.holder_signatures import burn_hash
from mintline.messages import SignRelayedBurn
from mintline.request_digests import relayed_burn_digest
from mintline_signer.enclave.kinds.relayed import RelayedKind, asked


class RelayedBurnKind(RelayedKind[SignRelayedBurn]):
    """`sign_relayed_burn`."""

    action = "burn"

    def digest(self, request: SignRelayedBurn) -> bytes:
        """Return the digest of the burn."""
        return relayed_burn_digest(**asked(request))

    def typed_data(self, request: SignRelayedBurn) -> bytes:
        """Return the digest of `Burn`."""
        return burn_hash(
            chain_id=request.chain_id,
            contract=request.contract,
            holder=request.holder.address,
            token_id=request.token_id,
            counter=request.counter,
            deadline=request.deadline,
        )


KIND = RelayedBurnKind()
