"""A token of a user's wallet in custody is burned by the wallet's signature."""

from __future__ import annotations

from mintline.records.operations import RelayedBurn
from mintline_builder.kinds.relayed import RelayedKind
from mintline_builder.token_simulation import HolderSignature, TokenCall, relayed_call


class RelayedBurnKind(RelayedKind[RelayedBurn]):
    """`relayed_burn`."""

    def call(self, operation: RelayedBurn, signed: HolderSignature) -> TokenCall:
        """Return `burnBySignature`."""
        return relayed_call(
            operation.contract,
            holder=operation.wallet.address,
            token_id=operation.token_id,
            signed=signed,
            quantity=operation.quantity,
        )


KIND = RelayedBurnKind
