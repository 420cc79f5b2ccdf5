"""What must hold of requests for many mints; each breach is one sentence."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from mintline.canonical_json import digest_of
from mintline.lines import LinesChunk
from mintline.messages.intents import AnyIntent, BatchMint, SignBatch
from mintline.operation_ids import line_mint_id
from mintline.records.operations import Mint
from mintline.states import MintStatus
from mintline_harness.simulation.tables import Tables


def wrong_lines(intent: AnyIntent, tables: Tables) -> Iterator[str]:
    """Yield the lines of a signed batch that are not their mints'."""
    for line in intent.mints if isinstance(intent, SignBatch) else ():
        mint = tables.mints.get(line.mint_id)
        requested = None if mint is None else _asked(mint)
        if requested != _asked(line):
            yield f"{line.mint_id} was signed with what nobody asked for"


def _asked(line: Mint | BatchMint) -> tuple[object, ...]:
    item = (line.item_id, line.quantity)
    return (line.token_id, line.to, line.metadata_digest, line.request, *item)


def broken_requests(tables: Tables, refused: Collection[str]) -> Iterator[str]:
    """Yield what does not hold of the requests at rest; the clients of those `refused` were told so."""
    for chunk in tables.builder.chunks.values():
        created = [mint for mint_id in chunk.mint_ids if (mint := tables.mints.get(mint_id)) is not None]
        if created and len(created) < chunk.size:
            yield f"{chunk.request_id} has {len(created)} of its {chunk.size} mints on record"
        if created and chunk.request_id in refused:
            yield f"{chunk.request_id} was refused, and has {len(created)} mints on record"
        yield from _unlike(chunk, created)
        yield from _unserved(tables, created)
    for request_id, record in tables.requests.items():
        if any(mint_id not in tables.mints for mint_id in record.mint_ids):
            yield f"{request_id} is on record without all of its mints"


def _unlike(chunk: LinesChunk, created: Collection[Mint]) -> Iterator[str]:
    """Yield the mints that are not what their chunk, which is what was authorized, says."""
    wanted = {
        mint.mint_id: (mint.token_id, mint.to, mint.metadata_digest, mint.request) for mint in chunk.mints()
    }
    for mint in created:
        assert mint.request is not None
        expected_id = line_mint_id(chunk.request_id, chunk.chunk, mint.request.line)
        actual = (mint.token_id, mint.to, mint.metadata_digest, mint.request)
        if mint.mint_id != expected_id or actual != wanted[mint.mint_id]:
            yield f"{mint.mint_id} is not the line of its request"


def lone_unserved(tables: Tables) -> Iterator[str]:
    """Yield the lone mints that were built without their metadata being stored first, in a pack or alone."""
    for mint in tables.standing():
        if not isinstance(mint, Mint) or mint.request is not None or mint.item_id is not None:
            continue
        if mint.token_id is None or mint.built_at is None:
            continue
        own = tables.metadata.objects.get((mint.contract, mint.token_id))
        stored = [*_packed(tables, mint.token_id), *([] if own is None else [digest_of(own)])]
        if mint.metadata_digest not in stored:
            yield f"{mint.mint_id} was built, and its metadata is not stored"


def _unserved(tables: Tables, created: Collection[Mint]) -> Iterator[str]:
    for mint in created:
        if mint.status is MintStatus.REJECTED or mint.token_id is None:
            continue
        if mint.metadata_digest not in _packed(tables, mint.token_id):
            yield f"{mint.mint_id} has other metadata than is served, or none"


def _packed(tables: Tables, token_id: int) -> Iterator[bytes]:
    """Yield the digest of the metadata that is served for a token, if it is in a pack."""
    for pack in tables.packs.packs.values():
        if (span := pack.span_of(token_id)) is not None:
            yield digest_of(tables.packs.objects[pack.object_key][span[0] : span[1]].decode())
