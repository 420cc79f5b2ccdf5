"""An index built from nothing but the chain, and how the stored one differs from it.

The real indexer builds it, over the real chain and a store in memory. Of the deployment it reads which
collections there are, and which transactions belong to which operations: neither is on chain.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import suppress

from prometheus_client import CollectorRegistry

from mintline.aws.dynamo import Item
from mintline.aws.operations import with_transaction
from mintline.aws.records import row_place
from mintline.clock import UnixMs, monotonic
from mintline.errors import Misconfigured, Unavailable, Unreadable
from mintline.records.keys import scoped
from mintline.records.operations import Operation
from mintline.resources import BALANCES, BLOCKS, COLLECTIONS, MINTS, TOKENS, TRANSFERS
from mintline.set_aside import SetAside
from mintline.states import MintStatus
from mintline_indexer.chain_port import ChainReader
from mintline_indexer.dynamo_store import DynamoStore
from mintline_indexer.indexer import Indexer
from mintline_indexer.metrics import Metrics
from mintline_indexer.store_port import BalanceKey, CollectionRegistry, Progress, TokenKey, UndoRecord
from mintline_indexer.undo_records import linked
from mintline_ops.deployments import Records
from mintline_ops.index.items import Difference, ItemKey, keyed, outcome_item, undo_item, without_fence
from mintline_ops.index.replay_store import ReplayStore

WIDEST = 2_000
ATTEMPTS = 50
"""Attempts at a moment at which both indexes stand at the same block."""
BATCH = 100
"""Operations that are read at once."""
PAUSE = 0.1
"""Seconds between two of them."""


class Rebuild:
    """Builds an index in memory, and keeps it level with the stored one."""

    def __init__(
        self,
        *,
        records: Records,
        chain: ChainReader,
        collections: CollectionRegistry,
        chain_id: int,
        whole: int,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.store = ReplayStore()
        self._set_aside = SetAside()
        self.store.live = DynamoStore(records.dynamo, chain_id=chain_id, set_aside=self._set_aside)
        self._records = records
        self._chain_id = chain_id
        self._whole = whole
        self._sleep = sleep
        self._indexer = Indexer(
            chain=chain,
            store=self.store,
            collections=collections,
            chain_id=chain_id,
            writer="rebuild",
            takeover_after=3600.0,
            widest=WIDEST,
            whole=whole,
            metrics=Metrics(CollectorRegistry()),
            clock=monotonic,
            now=lambda: UnixMs(0),
            rng=random.Random(),  # noqa: S311 - nobody contends
        )

    async def catch_up(self) -> None:
        """Follow the chain to its head. Raises Unavailable if it went back past finality meanwhile."""
        while await self._indexer.poll():
            pass
        if (trouble := self._indexer.trouble()) is not None:
            raise Unavailable(trouble)

    async def differences(self) -> list[Difference]:
        """Compare every item, and those that differ again while both indexes stand at one block."""
        await self.catch_up()
        rebuilt = dict(self.store.items())
        suspects: set[ItemKey] = set(rebuilt)
        async for key, item in self._kept():
            if rebuilt.get(key) == item:
                suspects.discard(key)
            else:
                suspects.add(key)
        return (await self.at_one_block(suspects))[1]

    async def _kept(self) -> AsyncIterator[tuple[ItemKey, Item]]:
        for table in (TOKENS, BALANCES, TRANSFERS):
            async for item in self._records.every(table):
                key, _ = keyed(table, item)
                # By the key, which is always there: a damaged item differs, and is repaired as well.
                if key[1].startswith(scoped(self._chain_id, "")):
                    yield key, without_fence(item)
        batch: list[Item] = []
        async for item in self._records.every(MINTS):
            batch.append(item)
            if len(batch) == BATCH:
                for outcome in await self._outcomes(batch):
                    yield keyed(MINTS, outcome)
                batch = []
        for outcome in await self._outcomes(batch):
            yield keyed(MINTS, outcome)

    async def _outcomes(self, items: Sequence[Item]) -> list[Item]:
        """Return what the chain decided about operations of this chain, as far as a rebuild meets it."""
        operations = await asyncio.gather(*map(self._operation, items))
        seen = (
            operation
            for operation in operations
            if operation is not None and operation.chain_id == self._chain_id and self._may_see(operation)
        )
        return [outcome for operation in seen if (outcome := outcome_item(operation)) is not None]

    async def _operation(self, item: Item) -> Operation | None:
        """Return an operation as it stands; None if unreadable, which is noted: `reconcile` names it."""
        with suppress(Unreadable):
            return await with_transaction(self._records.dynamo, item, self._set_aside)
        return None

    def _may_see(self, operation: Operation) -> bool:
        """Tell whether a rebuild meets this outcome: one that reverted shows in whole blocks only."""
        oldest = self._own().finalized.number - self._whole
        return operation.status is not MintStatus.REVERTED or (operation.block_number or 0) > oldest

    async def at_one_block(self, suspects: Iterable[ItemKey]) -> tuple[Progress, list[Difference]]:
        """Compare these items, and the undo records, while both indexes stand at one block.

        Returns the checkpoint of that moment: all of it holds for as long as that has not moved. Raises
        Unavailable if the index is never at the chain's head, Misconfigured if there is none, or if it
        follows a contract that the rebuilt one does not.
        """
        wanted = sorted(suspects)
        for _ in range(ATTEMPTS):
            await self.catch_up()
            progress = await self._progress()
            self._check_collections(progress)
            if progress.mixed is None and progress.head == self._own().head:
                kept = await self._read(wanted)
                pairs = [Difference(key, kept.get(key), rebuilt) for key, rebuilt in self._rebuilt(wanted)]
                pairs += await self._undo_records(progress)
                if (await self._progress()).revision == progress.revision:
                    return progress, [pair for pair in pairs if pair.kept != pair.rebuilt]
            await self._sleep(PAUSE)
        why = "is an indexer running, and not behind or halted?"
        raise Unavailable(f"the index never stood at the chain's head: {why}")

    def _check_collections(self, progress: Progress) -> None:
        """Raise Misconfigured for a contract that only the stored index follows.

        Its tokens would look as if they were not on chain.
        """
        for contract in sorted({*progress.collections} - {*self._own().collections}):
            raise Misconfigured(
                f"the index follows {contract}, but {COLLECTIONS.name} {scoped(self._chain_id, contract)} is "
                "missing or not valid: repair that record first"
            )

    def _rebuilt(self, keys: Sequence[ItemKey]) -> Iterator[tuple[ItemKey, Item | None]]:
        items = dict(self.store.items())
        return ((key, items.get(key)) for key in keys)

    async def _undo_records(self, progress: Progress) -> list[Difference]:
        """Pair what both indexes would restore of tokens and balances in each block that is not final.

        A block may have been cut into other parts: then its records have no counterpart, and are passed over.
        """
        final = self._own().finalized.number
        rebuilt = linked(await self.store.undo_records(), self._own().tail, above=final)
        own = {(record.hash, record.first): record for record in rebuilt}
        pairs = []
        for undo_record in linked(
            await self.store.live.undo_records(), progress.tail, above=max(final, progress.finalized.number)
        ):
            other = own.get((undo_record.hash, undo_record.first))
            if other is not None and _named_in(undo_record) == _named_in(other):
                key = keyed(BLOCKS, row_place(self._chain_id, undo_record.position))[0]
                pairs.append(Difference(key, undo_item(undo_record), undo_item(other)))
        return pairs

    async def _read(self, keys: Sequence[ItemKey]) -> dict[ItemKey, Item]:
        tables = {table.name: table for table in (TOKENS, BALANCES, TRANSFERS, MINTS)}

        async def read(key: ItemKey) -> Item | None:
            table = tables[key[0]]
            names: Item = {table.partition.name: key[1]}
            if table.sort is not None:
                names[table.sort.name] = key[2]
            item = await self._records.dynamo.get(table, names)
            if item is None or table is not MINTS:
                return item and without_fence(item)
            operation = await self._operation(item)
            return None if operation is None else outcome_item(operation)

        items = await asyncio.gather(*(read(key) for key in keys))
        return {key: item for key, item in zip(keys, items, strict=True) if item is not None}

    async def _progress(self) -> Progress:
        progress = await self.store.live.load()
        if progress is None:
            raise Misconfigured(f"{self._records.prefix} has no index of chain {self._chain_id}")
        return progress

    def _own(self) -> Progress:
        assert self.store.progress is not None, "catch_up makes it"
        return self.store.progress


def _named_in(undo_record: UndoRecord) -> set[TokenKey | BalanceKey]:
    """Return the tokens and balances that a record restores."""
    tokens = {TokenKey(prior.contract, prior.token_id) for prior in undo_record.tokens}
    return {*tokens, *(prior.key for prior in undo_record.balances)}
