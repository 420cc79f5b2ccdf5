"""Gas money for a wallet: it carries no operation, so there is nothing to tell."""

from __future__ import annotations

from mintline.records.operations import Operation
from mintline_indexer.kinds.base import IndexedKind, TokenChanges


class TopUpKind(IndexedKind):
    """`top_up`."""

    def did(self, operation: Operation, tx_hash: bytes, changes: TokenChanges) -> bool:
        """Return False: whatever names one of these is not its operation."""
        del operation, tx_hash, changes
        return False


KIND = TopUpKind()
