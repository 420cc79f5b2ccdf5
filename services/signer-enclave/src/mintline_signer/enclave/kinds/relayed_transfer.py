"""A token is sent by its holder's signature, which a relayer's transaction carries."""

from __future__ import annotations

from mintline.holder_signatures import transfer_hash
from mintline.messages import SignRelayedTransfer
from mintline.request_digests import relayed_transfer_digest
from mintline_signer.enclave.kinds.relayed import RelayedKind, asked


class RelayedTransferKind(RelayedKind[SignRelayedTransfer]):
    """`sign_relayed_transfer`."""

    action = "transfer"

    def digest(self, request: SignRelayedTransfer) -> bytes:
        """Return the digest of the transfer."""
        return relayed_transfer_digest(**asked(request), to=request.to)

    def typed_data(self, request: SignRelayedTransfer) -> bytes:
        """Return the digest of `Transfer`."""
        return transfer_hash(
            chain_id=request.chain_id,
            contract=request.contract,
            holder=request.holder.address,
            to=request.to,
            token_id=request.token_id,
            counter=request.counter,
            deadline=request.deadline,
        )


KIND = RelayedTransferKind()
