"""Drops in DynamoDB, and their lines in S3.

::

    drops        new_drop (no such id) · version_before (version = mine - 1), with a part and its marks
    drop-parts   only with the drop, under its version: by an upload or by the lease's holder;
                 a collection's reservations: version_before (version = mine - 1, or none yet)
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from mintline.aws.dynamo import (
    Clause,
    ConditionFailed,
    Contended,
    Dynamo,
    Item,
    Put,
    TransactionCancelled,
)
from mintline.aws.errors import translated
from mintline.aws.lines import renew_chunk
from mintline.aws.objects import read_object
from mintline.aws.records import read, to_item
from mintline.drop_records import (
    Drop,
    DropPart,
    SupplyReservations,
    marks_key,
    part_key,
    reservations_id,
)
from mintline.errors import Conflict, Unavailable, Unreadable
from mintline.records.keys import OPEN_SHARDS, created_key, open_shard
from mintline.resources import DROP_LINES, DROP_PARTS, DROPS
from mintline.set_aside import SetAside
from mintline_api.features.pages import Page, newest_first, text_of

if TYPE_CHECKING:
    from types_aiobotocore_s3 import S3Client

_BY_CLIENT = DROPS.index("by_client")
_OPEN = DROPS.index("open")
_MOST_OPEN = 25
"""Open drops of a shard that a runner looks at."""
_PAGE = 25
"""Parts, or their marks of 7 kB each, that are read at once."""
_LAST = 999_999
_RESERVATIONS = "reservations"


class DynamoDrops:
    """The tables of drops and of their parts."""

    def __init__(self, dynamo: Dynamo, *, set_aside: SetAside | None = None) -> None:
        self._dynamo = dynamo
        self._set_aside = set_aside or SetAside()

    async def create(self, drop: Drop) -> Drop | None:
        new = Clause("new_drop", "drop_id", "missing")
        try:
            await self._dynamo.write(Put(DROPS, _item(drop), where=(new,)))
        except ConditionFailed as lost:
            if lost.item is not None:
                return self._read(lost.item)
            return await self.get(drop.drop_id)
        return None

    async def get(self, drop_id: str) -> Drop | None:
        item = await self._dynamo.get(DROPS, {"drop_id": drop_id})
        return None if item is None else self._read(item)

    def _read(self, item: Item) -> Drop:
        return read(Drop, DROPS, item, self._set_aside)

    async def ids_of(self, client_id: str, *, limit: int, after: str | None) -> Page[str]:
        """Return a client's drop ids, newest first; the index lags behind `create` by moments."""
        return await newest_first(self._dynamo, DROPS, _BY_CLIENT, client_id, limit=limit, after=after)

    async def open(self) -> list[str]:
        pages = await asyncio.gather(
            *(
                self._dynamo.query(DROPS, index=_OPEN, partition=str(shard), limit=_MOST_OPEN)
                for shard in range(OPEN_SHARDS)
            )
        )
        return [text_of(item, "drop_id") for page in pages for item in page.items]

    async def replace(self, drop: Drop, part: DropPart | None = None, marks: bytes | None = None) -> None:
        before = Clause("version_before", "version", "eq", (drop.version - 1,))
        put = Put(DROPS, _item(drop), where=(before,))
        if part is None:
            try:
                await self._dynamo.write(put)
            except ConditionFailed as lost:
                self._check_lost(drop, lost.item, lost)
            return
        puts = [put, Put(DROP_PARTS, _part_item(part))]
        if marks is not None:
            marked: Item = {"drop_id": part.drop_id, "part": marks_key(part.number), "marks": marks}
            puts.append(Put(DROP_PARTS, marked))
        try:
            await self._dynamo.transact(puts)
        except TransactionCancelled as lost:
            self._check_lost(drop, lost.reasons[0].item, lost)
        except Contended:
            raise Unavailable("other writers kept moving the same drop") from None

    def _check_lost(self, drop: Drop, item: Item | None, lost: Conflict) -> None:
        """Raise Conflict unless what stood in a write's way is the write itself, whose answer was lost."""
        if item is None or self._read(item) != drop:
            raise Conflict(str(lost)) from None

    async def renew(self, drop_id: str, chunk: int, envelope: bytes) -> None:
        await renew_chunk(self._dynamo, drop_id, chunk, envelope)

    async def part(self, drop_id: str, number: int) -> DropPart | None:
        item = await self._dynamo.get(DROP_PARTS, {"drop_id": drop_id, "part": part_key(number)})
        return None if item is None else read(DropPart, DROP_PARTS, item, self._set_aside)

    async def parts(self, drop_id: str, *, first: int = 0) -> AsyncIterator[DropPart]:
        async for item in self._items(drop_id, part_key(first), part_key(_LAST)):
            yield read(DropPart, DROP_PARTS, item, self._set_aside)

    async def marks(self, drop_id: str) -> AsyncIterator[bytes]:
        async for item in self._items(drop_id, marks_key(0), marks_key(_LAST)):
            marks = item["marks"]
            assert isinstance(marks, bytes)
            yield marks

    async def reservations(self, chain_id: int, contract: str) -> SupplyReservations:
        key: Item = {"drop_id": reservations_id(chain_id, contract), "part": _RESERVATIONS}
        item = await self._dynamo.get(DROP_PARTS, key)
        if item is None:
            return SupplyReservations(chain_id=chain_id, contract=contract)
        return read(SupplyReservations, DROP_PARTS, item, self._set_aside)

    async def reserve(self, reservations: SupplyReservations) -> None:
        if reservations.version == 1:
            before = Clause("version_before", "version", "missing")
        else:
            before = Clause("version_before", "version", "eq", (reservations.version - 1,))
        name = reservations_id(reservations.chain_id, reservations.contract)
        item: Item = {**to_item(reservations), "drop_id": name, "part": _RESERVATIONS}
        try:
            await self._dynamo.transact([Put(DROP_PARTS, item, where=(before,))])
        except TransactionCancelled as lost:
            stored = lost.reasons[0].item
            if (
                stored is None
                or read(SupplyReservations, DROP_PARTS, stored, self._set_aside) != reservations
            ):
                raise Conflict(str(lost)) from None
        except Contended:
            raise Unavailable("other drops kept reserving in the same collection") from None

    async def _items(self, drop_id: str, first: str, last: str) -> AsyncIterator[Item]:
        start: Item | None = None
        while True:
            page = await self._dynamo.query(
                DROP_PARTS, partition=drop_id, sort_between=(first, last), limit=_PAGE, start=start
            )
            for item in page.items:
                yield item
            if page.next is None:
                return
            start = page.next


def _item(drop: Drop) -> Item:
    item: Item = {**to_item(drop), "created_key": created_key(drop.created_at, drop.drop_id)}
    if drop.open:
        item["open_shard"] = open_shard(drop.drop_id)
    return item


def _part_item(part: DropPart) -> Item:
    return {**to_item(part), "part": part_key(part.number)}


class S3Lines:
    """The bucket of drops' lines."""

    def __init__(self, s3: S3Client, *, prefix: str) -> None:
        self._s3 = s3
        self._bucket = DROP_LINES.bucket_name(prefix)

    async def put(self, key: str, data: bytes) -> None:
        with translated():
            await self._s3.put_object(
                Bucket=self._bucket, Key=key, Body=data, ContentType="application/x-ndjson"
            )

    async def get(self, key: str) -> bytes:
        """Return an object; raises Unreadable if there is none: it has expired, or was deleted."""
        body = await read_object(self._s3, self._bucket, key)
        if body is None:
            raise Unreadable(f"the lines of {key} are not there: expired, or deleted")
        return body

    async def delete(self, key: str) -> None:
        with translated():
            await self._s3.delete_object(Bucket=self._bucket, Key=key)
