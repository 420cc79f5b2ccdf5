"""A factory made a collection: that is what its transaction did, or it failed."""

from __future__ import annotations

from mintline.records.operations import CollectionDeployment, Operation
from mintline.records.problems import ALREADY_CREATED, Problem
from mintline_indexer.chain_port import TransactionOutcome
from mintline_indexer.kinds.base import IndexedKind, TokenChanges


class DeployKind(IndexedKind):
    """`deploy`."""

    by_receipt = True

    def did(self, operation: Operation, tx_hash: bytes, changes: TokenChanges) -> bool:
        """Tell whether it is what the transaction was signed for: no token shows it."""
        del tx_hash, changes
        return isinstance(operation, CollectionDeployment)

    def problem(self, ended: TransactionOutcome) -> Problem | None:
        """Return why it failed, in our words where an earlier transaction had made the collection."""
        return ALREADY_CREATED if ended.revert == "AlreadyCreated" else ended.problem


KIND = DeployKind()
