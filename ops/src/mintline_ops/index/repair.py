"""Repairs the stored index where it differs from a rebuilt one, while it is read and written.

Every write is one transaction on the condition that the checkpoint is the one at which both indexes were
compared, and moves its revision. So an indexer that runs loses the write that it has in hand and reads again
what is stored, as it does when another writer overtakes it; and what it wrote first has the comparison
repeated. Only items that differ are touched: readers never see less than before, and what a crash leaves is
a smaller difference.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from mintline.aws.dynamo import (
    GONE,
    Change,
    Clause,
    Contended,
    Dynamo,
    Item,
    Put,
    TransactionCancelled,
    Update,
)
from mintline.errors import Throttled, Unavailable
from mintline.resources import BALANCES, BLOCKS, CHECKPOINTS, MINTS, TOKENS, TRANSFERS
from mintline_indexer.dynamo_changes import FENCE
from mintline_indexer.store_port import Progress
from mintline_ops.index.items import Difference, ItemKey
from mintline_ops.index.rebuild import Rebuild

BATCH = 50
"""Items a transaction: undo records can be large, and DynamoDB takes 4 MB at once."""
PASSES = 3
"""Comparisons of everything, each after a repair of all that the last one found."""
TRIES = 50
"""Transactions in a row that may lose against the indexer."""

_TABLES = {table.name: table for table in (TOKENS, BALANCES, TRANSFERS, BLOCKS)}


@dataclass(frozen=True, slots=True)
class Repaired:
    """What was repaired, and what still differs: outcomes of mints, which are not the index's alone."""

    repaired: list[Difference]
    left: list[Difference]


async def repair_index(rebuild: Rebuild, dynamo: Dynamo, *, chain_id: int, batch: int = BATCH) -> Repaired:
    """Make the stored index like the rebuilt one; safe to repeat, and to interrupt.

    One transaction repairs `batch` items at most, below 100. Raises Unavailable if the index is never at the
    chain's head, or if something else keeps writing it.
    """
    writer = _Writer(dynamo, str(chain_id), batch)
    repaired: dict[ItemKey, Difference] = {}
    for _ in range(PASSES):
        left = await rebuild.differences()
        due = {difference.key: difference for difference in _repairable(left)}
        if not due:
            return Repaired(list(repaired.values()), left)
        repaired |= due
        await _settle(rebuild, writer, due)
    raise Unavailable("items differ again as soon as they are repaired: does anything else write the index?")


async def _settle(rebuild: Rebuild, writer: _Writer, due: Collection[ItemKey]) -> None:
    lost = 0
    while due:
        progress, compared = await rebuild.at_one_block(key for key in due if key[0] != BLOCKS.name)
        # What is no different any more, the indexer has written meanwhile.
        differing = _repairable(compared)
        written = await writer.write(progress, differing)
        due = {difference.key for difference in differing[written:]}
        lost = 0 if written or not due else lost + 1
        if lost == TRIES:
            raise Unavailable("try again later: the index kept advancing")


@dataclass(frozen=True, slots=True)
class _Writer:
    dynamo: Dynamo
    chain: str
    batch: int

    async def write(self, progress: Progress, differences: Sequence[Difference]) -> int:
        """Write the rebuilt side of the differences; return how many before the checkpoint moved."""
        for start in range(0, len(differences), self.batch):
            following = replace(progress, revision=progress.revision + 1)
            changes = [_change(each, following.fence) for each in differences[start : start + self.batch]]
            try:
                await self.dynamo.transact([self._fence(progress.revision), *changes])
            except (TransactionCancelled, Contended, Throttled):
                return start
            progress = following
        return len(differences)

    def _fence(self, revision: int) -> Update:
        unmoved = Clause("last_revision", "revision", "eq", (revision,))
        return Update(CHECKPOINTS, {"chain": self.chain}, set={"revision": revision + 1}, where=(unmoved,))


def _repairable(differences: Sequence[Difference]) -> list[Difference]:
    return [difference for difference in differences if difference.key[0] != MINTS.name]


def _change(difference: Difference, fence: int) -> Change:
    """Return the write that repairs an item: what an indexer still has on its way does not undo it."""
    name, partition, sort = difference.key
    table = _TABLES[name]
    key: Item = {table.partition.name: partition}
    if table.sort is not None:
        key[table.sort.name] = sort
    if table is BLOCKS:
        assert difference.rebuilt is not None, "both have one"
        # An indexer prunes those of final blocks without moving the checkpoint.
        there = Clause("not_pruned", "hash", "exists")
        return Update(table, key, set=difference.rebuilt, where=(there,))
    if difference.rebuilt is None:
        return Put(table, key | {GONE: True, FENCE: fence})
    return Put(table, difference.rebuilt | {FENCE: fence})
