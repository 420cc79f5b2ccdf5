"""A token of a user's wallet in custody is burned."""

from __future__ import annotations

from mintline.records.operations import Operation, TokenBurn
from mintline_indexer.kinds.base import TokenChanges
from mintline_indexer.kinds.token_operation import TokenOperationKind, move_of


class BurnKind(TokenOperationKind):
    """`burn`."""

    def did(self, operation: Operation, tx_hash: bytes, changes: TokenChanges) -> bool:
        """Tell whether the transaction moved the token from its wallet to nobody."""
        return isinstance(operation, TokenBurn) and move_of(operation, tx_hash, changes) is not None


KIND = BurnKind()
