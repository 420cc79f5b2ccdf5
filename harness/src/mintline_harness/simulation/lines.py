"""Requests for many mints as the processes store them: in several writes, so one may die between any two."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from mintline.authorizations import Authorization
from mintline.lines import LinesChunk
from mintline.records.operations import Mint
from mintline_builder.ports import LinesOnRecord
from mintline_harness.simulation.process import Process
from mintline_harness.simulation.tables import Tables
from mintline_testkit.api.lines import MemoryLines
from mintline_testkit.builder.tables import MemoryOperations

AT_ONCE = 10
"""Mints of one write; DynamoDB takes a hundred, which would be more than a whole request here."""


class StoredLines(MemoryLines):
    """The chunks of a deployment, among its other tables."""

    def __init__(self, tables: Tables) -> None:
        super().__init__(tables.api_mints, chunks=tables.builder.chunks, requests=tables.requests)
        self._tables = tables

    async def read_chunk(self, request_id: str, number: int) -> LinesChunk | None:
        """Return a chunk."""
        return self.chunks.get((request_id, number))

    async def standing(self, mint_ids: Sequence[str]) -> dict[str, Mint]:
        """Return the mints that exist, as they stand."""
        mints = {mint_id: self._tables.builder.standing(mint_id) for mint_id in mint_ids}
        return {mint_id: mint for mint_id, mint in mints.items() if mint is not None}


class TornLines:
    """The api's store of lines, which creates mints by many writes."""

    def __init__(self, process: Process, stored: StoredLines) -> None:
        self._reached = process.port(stored)

    async def create_mints(self, mints: Sequence[Mint]) -> None:
        """Create the mints that do not exist, side by side as the real store does."""
        parts = [mints[start : start + AT_ONCE] for start in range(0, len(mints), AT_ONCE)]
        await asyncio.gather(*map(self._reached.create_mints, parts))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reached, name)


class TornOperations:
    """The builder's store of operations, which reads a chunk and creates what is missing in steps."""

    def __init__(self, process: Process, tables: Tables) -> None:
        self._operations = process.port(MemoryOperations(tables.builder))
        stored = StoredLines(tables)
        self._stored, self._lines = process.port(stored), TornLines(process, stored)

    async def lines(self, request_id: str, chunk: int) -> LinesOnRecord:
        """Return the mints of a chunk, as the real store does."""
        kept = await self._stored.read_chunk(request_id, chunk)
        if kept is None:
            return await self._operations.lines(request_id, chunk)
        standing = await self._stored.standing(kept.mint_ids)
        missing = self.missing(kept, standing)
        if missing:
            await self._lines.create_mints(kept.mints(missing))
            standing |= await self._stored.standing([kept.mint_ids[number] for number in sorted(missing)])
        mints = tuple(standing[mint_id] for mint_id in kept.mint_ids if mint_id in standing)
        return LinesOnRecord(mints, Authorization(envelope=kept.envelope))

    def missing(self, chunk: LinesChunk, mints: dict[str, Mint]) -> frozenset[int]:
        """Return the lines whose mints are not on record."""
        return frozenset(number for number, mint_id in enumerate(chunk.mint_ids) if mint_id not in mints)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._operations, name)
