"""What requests for many mints need from storage."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol

from mintline.lines import LinesChunk
from mintline.records.operations import Mint
from mintline.records.transactions import Transaction, TransactionKey
from mintline.states import MintStatus
from mintline_api.features.bulk.records import BulkRecord


class LineStore(Protocol):
    """Chunks, the mints of their lines, and the requests."""

    async def keep(self, chunk: LinesChunk) -> LinesChunk:
        """Store a chunk, and return the one that is on record: an earlier try's, if there is one."""
        ...

    async def chunk(self, request_id: str, number: int) -> LinesChunk | None:
        """Return a chunk that is on record; None once it has expired."""
        ...

    async def renew(self, request_id: str, number: int, envelope: bytes) -> None:
        """Replace the authorization of a chunk that is on record; harmless if it is not."""
        ...

    async def create_mints(self, mints: Sequence[Mint]) -> None:
        """Create the mints that do not exist, in any state; may be repeated.

        One whose external id another mint has got meanwhile is created as rejected.
        """
        ...

    async def record(self, record: BulkRecord) -> None:
        """Put a request on record, unless it is."""
        ...

    async def request(self, request_id: str) -> BulkRecord | None:
        """Return a request, None if it is not on record."""
        ...

    async def mints(self, mint_ids: Sequence[str]) -> dict[str, Mint]:
        """Return the mints that exist and are readable, as they stand, by id."""
        ...

    async def transactions(self, places: Collection[TransactionKey]) -> dict[TransactionKey, Transaction]:
        """Return the transactions that exist and are readable, by their keys."""
        ...

    async def statuses(self, mint_ids: Sequence[str]) -> dict[MintStatus, int]:
        """Return how many of the mints, as they stand, have which status; unreadable ones are left out."""
        ...

    async def external_ids(self, asked_by: str, names: Sequence[str]) -> dict[str, str]:
        """Return the mints that have external ids of those that are named, by external id."""
        ...
