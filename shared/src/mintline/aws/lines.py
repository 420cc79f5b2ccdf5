"""Requests for many mints in DynamoDB: their chunks, and the mints that come of them.

::

    authorizations   new_chunk        ─▶ the chunk that is there
    mints            new_mint         ─▶ it is created already
    external-ids     unused_name      ─▶ another mint has the name: this one is created as rejected
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress

from mintline.authorizations import KEPT, chunk_key
from mintline.aws.dynamo import (
    Change,
    Clause,
    ConditionFailed,
    Contended,
    Dynamo,
    Item,
    Put,
    TransactionCancelled,
    Update,
)
from mintline.aws.records import external_id_put, operation_item, read, to_item
from mintline.errors import Unavailable
from mintline.lines import LinesChunk
from mintline.records.operations import Mint
from mintline.records.problems import Problem
from mintline.resources import AUTHORIZATIONS, MINTS
from mintline.set_aside import SetAside
from mintline.states import MintStatus

MAX_WRITES = 100
"""Items of one DynamoDB transaction."""
EXTERNAL_ID_USED = Problem(
    code="external_id_used",
    reason="Another mint got this external_id in the same moment. Send the line again with another one.",
)
_NEW_CHUNK = Clause("new_chunk", "mint_id", "missing")
_NEW_MINT = Clause("new_mint", "mint_id", "missing")
_REFUSED = "ConditionalCheckFailed"


async def keep_chunk(dynamo: Dynamo, chunk: LinesChunk, aside: SetAside) -> LinesChunk:
    """Store a chunk, and return the one that is on record: an earlier try's, if there is one."""
    try:
        await dynamo.write(Put(AUTHORIZATIONS, _chunk_item(chunk), where=(_NEW_CHUNK,)))
    except ConditionFailed as lost:
        # As the refused write shows it: the api has no permission to read authorizations.
        if lost.item is None:
            raise Unavailable("the chunk's record is not shown") from None
        return read(LinesChunk, AUTHORIZATIONS, lost.item, aside)
    return chunk


async def read_chunk(dynamo: Dynamo, request_id: str, number: int, aside: SetAside) -> LinesChunk | None:
    """Return a chunk, None if there is none, or not any more; raises Unreadable."""
    key: Item = {"mint_id": request_id, "digest": chunk_key(number)}
    item = await dynamo.get(AUTHORIZATIONS, key)
    return None if item is None else read(LinesChunk, AUTHORIZATIONS, item, aside)


async def shown_chunk(dynamo: Dynamo, request_id: str, number: int, aside: SetAside) -> LinesChunk | None:
    """Return a chunk as a write that is always refused shows it: for the api, which may not read any."""
    key: Item = {"mint_id": request_id, "digest": chunk_key(number)}
    never = (Clause("kept_chunk", "mint_id", "exists"), Clause("never", "envelope", "missing"))
    try:
        await dynamo.write(Update(AUTHORIZATIONS, key, remove=("never",), where=never))
    except ConditionFailed as refused:
        return None if refused.item is None else read(LinesChunk, AUTHORIZATIONS, refused.item, aside)
    raise Unavailable("a write was carried out whose condition cannot hold")


async def renew_chunk(dynamo: Dynamo, request_id: str, number: int, envelope: bytes) -> None:
    """Replace the authorization of a chunk that is on record; harmless if it is not."""
    key: Item = {"mint_id": request_id, "digest": chunk_key(number)}
    kept = (Clause("kept_chunk", "mint_id", "exists"),)
    with suppress(ConditionFailed):
        await dynamo.write(Update(AUTHORIZATIONS, key, set={"envelope": envelope}, where=kept))


def _chunk_item(chunk: LinesChunk) -> Item:
    kept: Item = {
        **to_item(chunk),
        **{name: getattr(chunk, name) for name in ("envelope", "leaves", "path", "lines")},
        "mint_id": chunk.request_id,
        "digest": chunk_key(chunk.chunk),
        "expires": chunk.created_at // 1000 + KEPT,
    }
    return kept


async def create_mints(dynamo: Dynamo, mints: Sequence[Mint]) -> None:
    """Create mints of lines that do not exist yet, in as few transactions as take them; may be repeated.

    One whose external id another mint has got is created as rejected, and has none. Raises Unavailable if
    other writers kept interfering: some of the mints may exist then.
    """
    await asyncio.gather(*(_create(dynamo, batch) for batch in _batches(mints)))


def _batches(mints: Iterable[Mint]) -> Iterator[list[Mint]]:
    batch: list[Mint] = []
    writes = 0
    for mint in mints:
        more = 1 if mint.external_id is None else 2
        if writes + more > MAX_WRITES:
            yield batch
            batch, writes = [], 0
        batch.append(mint)
        writes += more
    if batch:
        yield batch


async def _create(dynamo: Dynamo, mints: list[Mint]) -> None:
    left = mints
    while left:
        writes = [_puts(mint) for mint in left]
        try:
            await dynamo.transact([change for puts in writes for change in puts])
        except Contended:
            raise Unavailable("mints of a request: other writers kept interfering") from None
        except TransactionCancelled as cancelled:
            reasons = iter(cancelled.reasons)
            outcomes = [[next(reasons).code == _REFUSED for _ in puts] for puts in writes]
            left = [
                _nameless(mint) if refused[-1] else mint
                for mint, refused in zip(left, outcomes, strict=True)
                if not refused[0]
            ]
        else:
            return


def _puts(mint: Mint) -> list[Change]:
    """Return the writes that create a mint: its own first, then its name's."""
    puts: list[Change] = [Put(MINTS, operation_item(mint), where=(_NEW_MINT,))]
    if mint.external_id is not None:
        puts.append(external_id_put(mint))
    return puts


def _nameless(mint: Mint) -> Mint:
    return mint.evolve(status=MintStatus.REJECTED, problem=EXTERNAL_ID_USED, external_id=None)
