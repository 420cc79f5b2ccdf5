"""A token is sent by its holder's signature, which a relayer's transaction carries."""

from __future__ import annotations

from mintline.kinds.relayed import holder_call
from mintline.messages.intents import SignRelayedTransfer
from mintline.request_digests import relayed_transfer_digest
from mintline_signer.enclave.kinds.relayed import RelayedKind, requested_token


class RelayedTransferKind(RelayedKind[SignRelayedTransfer]):
    """`sign_relayed_transfer`."""

    action = "transfer"

    def digest(self, request: SignRelayedTransfer) -> bytes:
        """Return the digest of the transfer."""
        return relayed_transfer_digest(**requested_token(request), to=request.to, quantity=request.quantity)

    def typed_data(self, request: SignRelayedTransfer) -> bytes:
        """Return the digest of `Transfer`."""
        call = holder_call(request, to=request.to)
        return call.typed_data(chain_id=request.chain_id, contract=request.contract)


KIND = RelayedTransferKind()
