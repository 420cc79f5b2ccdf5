"""Requests for many mints in DynamoDB, and packs of metadata in S3.

::

    requests   new_request ─▶ it stays as it is
    packs      new_pack    ─▶ it stays as it is; another pack there is a fault
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

import structlog

from mintline.aws.dynamo import Clause, ConditionFailed, Dynamo, Item, Put
from mintline.aws.lines import create_mints, keep_chunk, renew_chunk, shown_chunk
from mintline.aws.objects import put_once, read_object
from mintline.aws.operations import read_operations, read_transaction
from mintline.aws.records import read, read_operation_item, to_item
from mintline.errors import Unavailable, Unreadable
from mintline.lines import LinesChunk
from mintline.packs import Pack, PackIndex
from mintline.records.keys import external_ref
from mintline.records.locks import ExternalId
from mintline.records.operations import Mint, Operation
from mintline.records.transactions import Transaction, TransactionKey, as_far_as, carried_by
from mintline.resources import EXTERNAL_IDS, METADATA, MINTS, PACKS, REQUESTS
from mintline.set_aside import SetAside
from mintline.states import MintStatus
from mintline_api.features.bulk.records import BulkRecord

if TYPE_CHECKING:
    from types_aiobotocore_s3 import S3Client

log = structlog.get_logger()


class DynamoLines:
    """The tables of requests, their chunks, and mints."""

    def __init__(self, dynamo: Dynamo, *, set_aside: SetAside | None = None) -> None:
        self._dynamo = dynamo
        self._set_aside = set_aside or SetAside()

    async def keep(self, chunk: LinesChunk) -> LinesChunk:
        """Store a chunk, and return the one that is on record."""
        return await keep_chunk(self._dynamo, chunk, self._set_aside)

    async def chunk(self, request_id: str, number: int) -> LinesChunk | None:
        return await shown_chunk(self._dynamo, request_id, number, self._set_aside)

    async def renew(self, request_id: str, number: int, envelope: bytes) -> None:
        await renew_chunk(self._dynamo, request_id, number, envelope)

    async def create_mints(self, mints: Sequence[Mint]) -> None:
        """Create the mints that do not exist, a hundred writes at a time."""
        await create_mints(self._dynamo, mints)

    async def record(self, record: BulkRecord) -> None:
        absent = Clause("new_request", "request_id", "missing")
        with suppress(ConditionFailed):
            await self._dynamo.write(Put(REQUESTS, to_item(record), where=(absent,)))

    async def request(self, request_id: str) -> BulkRecord | None:
        item = await self._dynamo.get(REQUESTS, {"request_id": request_id})
        return None if item is None else read(BulkRecord, REQUESTS, item, self._set_aside)

    async def mints(self, mint_ids: Sequence[str]) -> dict[str, Mint]:
        operations = await read_operations(self._dynamo, mint_ids, self._set_aside)
        return {mint_id: mint for mint_id, mint in operations.items() if isinstance(mint, Mint)}

    async def transactions(self, places: Collection[TransactionKey]) -> dict[TransactionKey, Transaction]:
        async def read_or_none(place: TransactionKey) -> Transaction | None:
            with suppress(Unreadable):
                return await read_transaction(self._dynamo, place, self._set_aside)
            return None

        transactions = await asyncio.gather(*map(read_or_none, places))
        pairs = zip(places, transactions, strict=True)
        return {place: transaction for place, transaction in pairs if transaction is not None}

    async def statuses(self, mint_ids: Sequence[str]) -> dict[MintStatus, int]:
        """Return how many mints have which status: those of one batch are as far as its transaction."""
        items = await asyncio.gather(*(self._dynamo.get(MINTS, {"mint_id": mint_id}) for mint_id in mint_ids))
        alike = _alike(item for item in items if item is not None)
        counts = await asyncio.gather(*map(self._statuses, alike))
        return dict(sum(counts, Counter[MintStatus]()))

    async def _statuses(self, items: Sequence[Item]) -> Counter[MintStatus]:
        """Return the statuses of mints that are stored alike: one stands for all, but for those not made."""
        operations: list[Operation] = []
        for item in items:
            with suppress(Unreadable):
                operations.append(read_operation_item(item, self._set_aside))
                break
        if not operations:
            return Counter()
        place = carried_by(operations[0])
        carrier = None
        if place is not None:
            carrier = await read_transaction(self._dynamo, place, self._set_aside)
        ids = {item["mint_id"] for item in items}
        not_made = ids.intersection(() if carrier is None else carrier.not_made or ())
        existing = next((name for name in ids if name not in not_made), None)
        counts: Counter[MintStatus] = Counter()
        for name, count in (
            (existing, len(ids) - len(not_made)),
            (next(iter(not_made), None), len(not_made)),
        ):
            if name is not None:
                operation = operations[0].evolve(mint_id=name)
                counts[as_far_as(operation, carrier).status] += count
        return counts

    async def external_ids(self, asked_by: str, names: Sequence[str]) -> dict[str, str]:
        refs = [external_ref(asked_by, name) for name in names]
        items = await asyncio.gather(*(self._dynamo.get(EXTERNAL_IDS, {"external_ref": ref}) for ref in refs))
        return {
            name: read(ExternalId, EXTERNAL_IDS, item, self._set_aside).mint_id
            for name, item in zip(names, items, strict=True)
            if item is not None
        }


def _alike(items: Iterable[Item]) -> list[list[Item]]:
    """Return items in groups whose status is the same, and whose transaction is."""
    groups: dict[tuple[object, ...], list[Item]] = {}
    for item in items:
        sender = item.get("sender")
        address = sender.get("address") if isinstance(sender, dict) else None
        groups.setdefault((item.get("status"), address, item.get("nonce")), []).append(item)
    return list(groups.values())


class Packs:
    """Packs in the metadata bucket, and the table that says which tokens they have."""

    def __init__(
        self, s3: S3Client, dynamo: Dynamo, *, prefix: str, set_aside: SetAside | None = None
    ) -> None:
        self._s3 = s3
        self._dynamo = dynamo
        self._bucket = METADATA.bucket_name(prefix)
        self._set_aside = set_aside or SetAside()

    async def put(self, pack: Pack) -> None:
        """Store a pack's bytes, once; S3 checks them against their SHA-256."""
        key = pack.index.object_key
        if await put_once(
            self._s3,
            self._bucket,
            key,
            pack.body,
            content_type="application/octet-stream",
            digest=pack.digest,
        ):
            return
        if await read_object(self._s3, self._bucket, key) != pack.body:
            log.error("metadata_conflict", key=key)
            raise Unavailable(f"other bytes are stored as {key}")

    async def announce(self, index: PackIndex) -> None:
        item = {**to_item(index), "offsets": index.offsets}
        try:
            await self._dynamo.write(
                Put(PACKS, item, where=(Clause("new_pack", "collection_id", "missing"),))
            )
        except ConditionFailed as lost:
            existing = None if lost.item is None else read(PackIndex, PACKS, lost.item, self._set_aside)
        else:
            return
        if existing != index:
            log.error("metadata_conflict", key=index.object_key)
            raise Unavailable("another pack is on record for these tokens")
