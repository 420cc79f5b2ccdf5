"""Requests for many sponsored mints at once: one authorization for all lines, by a Merkle root.

::

    line ──sponsored_digest──▶ leaf ─┐
    line ────────────────────▶ leaf ─┴─▶ chunk's root ─┐
                                         chunk's root ─┴─▶ request's root ──lines_digest──▶ sealed once

A request is stored in chunks of at most `MAX_CHUNK` lines. A chunk's record has the request's envelope, the
chunk's leaves, and the path from the chunk's root to the request's root: so it proves each of its lines
without the other chunks. It also has the lines themselves, from which any reader can create the records of
mints that are missing. A request's token ids are contiguous within a chunk.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from pydantic import Field

from mintline.errors import Unreadable
from mintline.fields import Address, BoundedText, HexBytes, TokenId
from mintline.frozen import Frozen
from mintline.merkle import HASH_BYTES, merkle_root, root_of_path
from mintline.messages.parts import EnvelopeBytes, LineRef, MintId
from mintline.operation_ids import line_mint_id
from mintline.records.operations import Mint
from mintline.request_digests import lines_digest, sponsored_digest
from mintline.states import MintStatus

MAX_CHUNK = 250
"""Lines of a chunk at most: as many mints fit into one batch."""
MAX_LINES_BYTES = 4 * 1024 * 1024
"""Bytes of a chunk's lines, unpacked, at most."""

MAX_LABEL_BYTES = 200_000
"""Bytes of external ids and tags in a chunk, at most: its record is one item, of 400 kB at most."""


class Line(NamedTuple):
    """One line whose recipient is known, checked before."""

    sub: str
    """The user whose mint it is; of a client's mint to a bare address, the client."""
    to: str
    metadata_digest: bytes
    external_id: str | None = None
    tags: tuple[str, ...] | None = None
    item_id: int | None = None
    """In an ERC-1155 collection the token's id, which its caller chose; None in one of ERC-721."""
    quantity: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LinesRequest:
    """The principal who requests the lines, and where they are minted."""

    request_id: str
    asked_by: str
    """`sub` of the token that authorizes it: the user's, or the machine client's."""
    client_id: str | None
    chain_id: int
    contract: str
    request_digest: str = ""
    """Tells a retry from a reuse of an idempotency key; empty where nothing compares it."""
    trace: str = ""

    def leaves(self, lines: Sequence[Line], *, chunk: int, first_token_id: int) -> list[bytes]:
        """Return the leaves of a chunk: what the caller authorizes by each line."""
        return [
            sponsored_digest(
                mint_id=line_mint_id(self.request_id, chunk, number),
                sub=self.asked_by,
                chain_id=self.chain_id,
                contract=self.contract,
                to=line.to,
                metadata_digest=line.metadata_digest,
                token_id=first_token_id + number,
                item_id=line.item_id,
                quantity=line.quantity,
            )
            for number, line in enumerate(lines)
        ]

    def digest(self, root: bytes, count: int) -> bytes:
        """Return what the caller authorizes, given the Merkle root of all chunks' roots."""
        return lines_digest(
            request_id=self.request_id,
            sub=self.asked_by,
            chain_id=self.chain_id,
            contract=self.contract,
            root=root,
            count=count,
        )

    def chunk(
        self,
        lines: Sequence[Line],
        *,
        leaves: Sequence[bytes],
        first_token_id: int,
        envelope: bytes,
        created_at: int,
        number: int = 0,
        chunks: int = 1,
        count: int,
        path: Sequence[bytes] = (),
    ) -> LinesChunk:
        """Return the record of a chunk, with its `leaves`; `count` is the number of lines of all `chunks`.

        `path` leads from its root to the request's (`mintline.merkle`); `created_at` is in Unix milliseconds.
        """
        return LinesChunk(
            request_id=self.request_id,
            chunk=number,
            chunks=chunks,
            count=count,
            asked_by=self.asked_by,
            client_id=self.client_id,
            chain_id=self.chain_id,
            contract=self.contract,
            request_digest=self.request_digest,
            trace=self.trace,
            first_token_id=first_token_id,
            created_at=created_at,
            envelope=envelope,
            leaves=b"".join(leaves),
            path=b"".join(path),
            lines=pack_lines(lines),
        )


class LinesChunk(Frozen):
    """A part of a request for many mints, as it is on record: written once, and kept for days."""

    request_id: MintId
    chunk: int = Field(ge=0)
    chunks: int = Field(gt=0)
    """How many the request has."""
    count: int = Field(gt=0)
    """How many lines all chunks have."""
    asked_by: str
    client_id: str | None = None
    chain_id: int
    contract: Address
    request_digest: str = ""
    trace: BoundedText = ""
    first_token_id: TokenId
    """Of its first line; those of the others follow."""
    created_at: int
    """Unix milliseconds of the acceptance."""
    envelope: EnvelopeBytes = Field(repr=False)
    """The request's authorization (`mintline.authorization`)."""
    leaves: HexBytes = Field(repr=False)
    """32 bytes a line."""
    path: HexBytes = Field(default=b"", repr=False)
    """From its root to the request's, 32 bytes a node."""
    lines: HexBytes = Field(repr=False)
    """`pack_lines`."""

    @property
    def size(self) -> int:
        """How many lines it has."""
        return len(self.leaves) // HASH_BYTES

    @property
    def mint_ids(self) -> tuple[str, ...]:
        """The ids of its mints, in order."""
        return tuple(line_mint_id(self.request_id, self.chunk, number) for number in range(self.size))

    def digest(self) -> bytes:
        """Return the digest of the request, by which its envelope is sealed; raises ValueError if broken."""
        root = root_of_path(merkle_root(hashes(self.leaves)), self.chunk, self.chunks, hashes(self.path))
        return lines_digest(
            request_id=self.request_id,
            sub=self.asked_by,
            chain_id=self.chain_id,
            contract=self.contract,
            root=root,
            count=self.count,
        )

    def mints(self, only: frozenset[int] | None = None) -> tuple[Mint, ...]:
        """Return the records of its mints as they are created, of those lines alone if they are named.

        Raises Unreadable if the lines are not what `pack_lines` makes.
        """
        lines = unpack_lines(self.lines)
        return tuple(
            self._mint(number, line) for number, line in enumerate(lines) if only is None or number in only
        )

    def _mint(self, number: int, line: Line) -> Mint:
        return Mint(
            mint_id=line_mint_id(self.request_id, self.chunk, number),
            sub=line.sub,
            client_id=self.client_id,
            external_id=line.external_id,
            tags=line.tags,
            status=MintStatus.ACCEPTED,
            chain_id=self.chain_id,
            contract=self.contract,
            to=line.to,
            custody="sponsored",
            metadata_digest=line.metadata_digest,
            request_digest="",
            trace=self.trace,
            token_id=self.first_token_id + number,
            created_at=self.created_at,
            updated_at=self.created_at,
            request=LineRef(request_id=self.request_id, chunk=self.chunk, line=number),
            item_id=line.item_id,
            quantity=line.quantity,
        )


def hashes(joined: bytes) -> list[bytes]:
    """Return hashes that are stored one after another; raises ValueError if their length is not 32 each."""
    if len(joined) % HASH_BYTES:
        raise ValueError("these are no hashes of 32 bytes")
    return [joined[start : start + HASH_BYTES] for start in range(0, len(joined), HASH_BYTES)]


def pack_lines(lines: Sequence[Line]) -> bytes:
    """Return lines as a chunk's record holds them: JSON, compressed."""
    plain = [
        [
            line.sub,
            line.to,
            line.metadata_digest.hex(),
            line.external_id,
            line.tags and list(line.tags),
            *([] if line.item_id is None else [str(line.item_id), str(line.quantity)]),
        ]
        for line in lines
    ]
    return zlib.compress(json.dumps(plain, separators=(",", ":")).encode(), level=3)


def unpack_lines(packed: bytes) -> list[Line]:
    """Return the lines that `pack_lines` was given; raises Unreadable."""
    decompressor = zlib.decompressobj()
    try:
        plain = json.loads(decompressor.decompress(packed, MAX_LINES_BYTES))
        return [
            Line(
                sub,
                to,
                bytes.fromhex(digest),
                external_id,
                None if tags is None else tuple(tags),
                *map(int, item),
            )
            for sub, to, digest, external_id, tags, *item in plain
        ]
    except (zlib.error, ValueError, TypeError):
        raise Unreadable("lines: not what was packed") from None
