"""A token is sent out of its user's wallet in custody by a relayer, as the wallet signed."""

from __future__ import annotations

from mintline.records.operations import Operation, RelayedTransfer
from mintline_indexer.kinds.base import TokenChanges
from mintline_indexer.kinds.token_operation import TokenOperationKind, move_of


class RelayedTransferKind(TokenOperationKind):
    """`relayed_transfer`."""

    def did(self, operation: Operation, tx_hash: bytes, changes: TokenChanges) -> bool:
        """Tell whether the transaction moved the token from its wallet to the recipient."""
        return isinstance(operation, RelayedTransfer) and move_of(operation, tx_hash, changes) is not None


KIND = RelayedTransferKind()
