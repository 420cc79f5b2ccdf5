"""Whether a restored deployment is in order again: its index, its records, and the chain."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mintline.resources import EXTERNAL_IDS, MINTS
from mintline_indexer.reconciler.books import Books
from mintline_indexer.reconciler.comparison import Reconciliation
from mintline_ops.deployments import Target, open_records
from mintline_ops.index.check import IndexCheck
from mintline_ops.index.check import check as check_index
from mintline_ops.reconcile import report, settled


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is left to look at after a restore; `in_order` if nothing is.

    `unmatched` are external ids without their mint: the second of a restore cut the write of both in two.
    """

    index: IndexCheck
    books: Books
    reconciliation: Reconciliation
    unmatched: list[str]

    @property
    def in_order(self) -> bool:
        """Tell whether index, chain and records agree."""
        return not (self.index.differences or self.reconciliation.differences or self.unmatched)

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {
            "in_order": self.in_order,
            "index_repaired": len(self.index.repaired or ()),
            "index_differences": [difference.to_json() for difference in self.index.differences or ()],
            "external_ids_without_mint": self.unmatched,
            **report(self.books, self.reconciliation),
        }


async def check(target: Target, *, whole: int, patience: float) -> Verdict:
    """Repair the index from the chain, then compare all records with both; services run meanwhile."""
    index = await check_index(target, whole=whole, compare=True, repair=True)
    books, reconciliation = await settled(target, patience=patience)
    return Verdict(index, books, reconciliation, await _unmatched(target))


async def _unmatched(target: Target) -> list[str]:
    async with open_records(target) as records:
        named = {
            str(item.get("mint_id")): str(item["external_ref"]) async for item in records.every(EXTERNAL_IDS)
        }
        async for item in records.every(MINTS):
            named.pop(str(item["mint_id"]), None)
    return sorted(named.values())
