"""A token is sent out of its user's wallet in custody by the wallet's signature."""

from __future__ import annotations

from mintline.records.operations import RelayedTransfer
from mintline_builder.kinds.relayed import RelayedKind
from mintline_builder.token_simulation import HolderSignature, TokenCall, relayed_call


class RelayedTransferKind(RelayedKind[RelayedTransfer]):
    """`relayed_transfer`."""

    def call(self, operation: RelayedTransfer, signed: HolderSignature) -> TokenCall:
        """Return `transferBySignature`."""
        return relayed_call(
            operation.contract,
            holder=operation.wallet.address,
            to=operation.to,
            token_id=operation.token_id,
            signed=signed,
            quantity=operation.quantity,
        )


KIND = RelayedTransferKind
