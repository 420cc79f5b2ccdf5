"""The broadcaster's vouchers in memory."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from mintline.messages.signed import VoucherIssued
from mintline.records.operations import Attempt, Mint
from mintline.records.problems import Problem
from mintline.states import MintStatus
from mintline_broadcaster.ports import MintMoved
from mintline_broadcaster.vouchers import WAITING, is_of
from mintline_testkit.broadcaster.store import MemoryTransactionStore


@dataclass
class MemoryVoucherStore:
    """The self-custody mints of a store in memory."""

    store: MemoryTransactionStore

    async def issue(self, issued: VoucherIssued, *, at: int) -> None:
        await asyncio.sleep(0)
        mint = self.store.mints.get(issued.intent.mint_id)
        if mint is None or mint.status is not MintStatus.BUILT or not is_of(issued.intent, mint):
            raise MintMoved(mint)
        self._change(
            mint,
            status=MintStatus.ISSUED,
            voucher_signature=issued.signature,
            issued_at=at,
            updated_at=at,
        )

    async def attempt(self, mint: Mint, attempt: Attempt) -> None:
        current = await self._waiting(mint.mint_id)
        if current.attempts != mint.attempts:
            raise MintMoved(current)
        self._change(current, attempts=(*current.attempts, attempt), updated_at=attempt.at)

    async def taken(self, mint_id: str, *, at: int) -> None:
        """Note that a node has taken a transaction."""
        mint = await self._waiting(mint_id)
        self._change(mint, status=MintStatus.SUBMITTED, submitted_at=at, updated_at=at, problem=None)

    async def refused(self, mint_id: str, problem: Problem, *, at: int) -> None:
        """Note why a node refused a transaction."""
        self._change(await self._waiting(mint_id), problem=problem, updated_at=at)

    async def _waiting(self, mint_id: str) -> Mint:
        await asyncio.sleep(0)
        mint = self.store.mints.get(mint_id)
        if mint is None or mint.status not in WAITING:
            raise MintMoved(mint)
        return mint

    def _change(self, mint: Mint, **fields: object) -> None:
        self.store.mints[mint.mint_id] = mint.evolve(**fields)
