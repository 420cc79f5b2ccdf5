"""Items of the index as a rebuild compares them, and how they differ."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mintline.aws.dynamo import Item
from mintline.records.operations import Operation
from mintline.resource_types import Table
from mintline.states import MintStatus
from mintline_indexer.dynamo_changes import FENCE
from mintline_indexer.store_port import UndoRecord

ItemKey = tuple[str, str, str]
"""Table, partition key, sort key (empty for a table without one)."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One item that is not the same in both; None where there is none."""

    key: ItemKey
    kept: Item | None
    rebuilt: Item | None

    def to_json(self) -> dict[str, Any]:
        """Return the difference as JSON values."""
        table, partition, sort = self.key
        return {
            "table": table,
            "key": [partition, sort] if sort else [partition],
            "fields": self.fields(),
            "kept": self.kept,
            "rebuilt": self.rebuilt,
        }

    def fields(self) -> list[str]:
        """Return the attributes that differ; none if the whole item is on one side only."""
        if self.kept is None or self.rebuilt is None:
            return []
        names = self.kept.keys() | self.rebuilt.keys()
        return sorted(name for name in names if self.kept.get(name) != self.rebuilt.get(name))


def keyed(table: Table, item: Item) -> tuple[ItemKey, Item]:
    """Return an item with its key."""
    sort = str(item[table.sort.name]) if table.sort is not None else ""
    return (table.name, str(item[table.partition.name]), sort), item


def without_fence(item: Item) -> Item:
    """Return an item without what only its writers need."""
    return {name: value for name, value in item.items() if name != FENCE}


def outcome_item(operation: Operation) -> Item | None:
    """Return what the chain decided about an operation, None if it has not.

    Mined and finalized are one: the two indexes may see finality at different moments.
    """
    if operation.status not in (MintStatus.MINED, MintStatus.FINALIZED, MintStatus.REVERTED):
        return None
    reverted = operation.status is MintStatus.REVERTED
    return {
        "mint_id": operation.operation_id,
        "outcome": "reverted" if reverted else "mined",
        "tx_hash": "0x" + operation.tx_hash.hex() if operation.tx_hash else None,
        "block_number": operation.block_number,
        "block_hash": "0x" + operation.block_hash.hex() if operation.block_hash else None,
        "problem": operation.problem.model_dump() if operation.problem else None,
    }


def undo_item(undo_record: UndoRecord) -> Item:
    """Return the part of an undo record that a wrong item changes: tokens and balances as they were."""
    before: Item = undo_record.model_dump(mode="json", include={"tokens", "balances"})
    return before
