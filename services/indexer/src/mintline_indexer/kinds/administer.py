"""A collection was changed: that is what its transaction did, or it failed."""

from __future__ import annotations

from mintline.records.operations import CollectionCall, Operation
from mintline_indexer.kinds.base import IndexedKind, TokenChanges


class AdministerKind(IndexedKind):
    """`administer`."""

    by_receipt = True

    def did(self, operation: Operation, tx_hash: bytes, changes: TokenChanges) -> bool:
        """Tell whether it is what the transaction was signed for: no token shows it."""
        del tx_hash, changes
        return isinstance(operation, CollectionCall)


KIND = AdministerKind()
