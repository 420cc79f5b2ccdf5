"""Requests for many mints, in memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from mintline.aws.lines import EXTERNAL_ID_USED
from mintline.lines import LinesChunk
from mintline.records.keys import external_ref
from mintline.records.operations import Mint
from mintline.records.transactions import Transaction, TransactionKey
from mintline.states import MintStatus
from mintline_api.features.bulk.records import BulkRecord
from mintline_testkit.api.operations import MemoryMints


@dataclass
class MemoryLines:
    """Chunks and requests in dicts; their mints are among the others."""

    table: MemoryMints
    chunks: dict[tuple[str, int], LinesChunk] = field(default_factory=dict)
    requests: dict[str, BulkRecord] = field(default_factory=dict)
    carriers: dict[TransactionKey, Transaction] = field(default_factory=dict)
    """The transactions that carry the mints."""
    failure: Exception | None = None
    """What creating mints fails with, once `room` of them are created."""
    room: int = 0

    async def keep(self, chunk: LinesChunk) -> LinesChunk:
        return self.chunks.setdefault((chunk.request_id, chunk.chunk), chunk)

    async def chunk(self, request_id: str, number: int) -> LinesChunk | None:
        return self.chunks.get((request_id, number))

    async def renew(self, request_id: str, number: int, envelope: bytes) -> None:
        """Replace a chunk's authorization."""
        if (chunk := self.chunks.get((request_id, number))) is not None:
            self.chunks[request_id, number] = chunk.evolve(envelope=envelope)

    async def create_mints(self, mints: Sequence[Mint]) -> None:
        for number, mint in enumerate(mints):
            if self.failure is not None and number >= self.room:
                raise self.failure
            if mint.mint_id in self.table.items:
                continue
            created = mint
            if mint.external_id is not None:
                name = external_ref(mint.asked_by, mint.external_id)
                if self.table.external_ids.setdefault(name, mint.mint_id) != mint.mint_id:
                    created = mint.evolve(
                        status=MintStatus.REJECTED, problem=EXTERNAL_ID_USED, external_id=None
                    )
            self.table.items[mint.mint_id] = created

    async def record(self, record: BulkRecord) -> None:
        self.requests.setdefault(record.request_id, record)

    async def request(self, request_id: str) -> BulkRecord | None:
        return self.requests.get(request_id)

    async def mints(self, mint_ids: Sequence[str]) -> dict[str, Mint]:
        mints = {mint_id: await self.table.get(mint_id) for mint_id in mint_ids}
        return {mint_id: mint for mint_id, mint in mints.items() if mint is not None}

    async def transactions(self, places: Collection[TransactionKey]) -> dict[TransactionKey, Transaction]:
        return {
            place: transaction for place in places if (transaction := self.carriers.get(place)) is not None
        }

    async def statuses(self, mint_ids: Sequence[str]) -> dict[MintStatus, int]:
        mints = [await self.table.get(mint_id) for mint_id in mint_ids]
        return dict(Counter(mint.status for mint in mints if mint is not None))

    async def external_ids(self, asked_by: str, names: Sequence[str]) -> dict[str, str]:
        ids = {name: self.table.external_ids.get(external_ref(asked_by, name)) for name in names}
        return {name: mint_id for name, mint_id in ids.items() if mint_id is not None}
