"""The indexer's other ports in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from mintline_indexer.in_memory_store import InMemoryStore
from mintline_indexer.kinds import has_voucher
from mintline_indexer.store_port import (
    Attempted,
    TokenKey,
)


@dataclass(slots=True)
class MemoryStore(InMemoryStore):
    """The tables of one chain, with what the other services write there."""

    attempt_table: dict[bytes, Attempted] = field(default_factory=dict)

    async def attempts(self, tx_hashes: Sequence[bytes]) -> dict[bytes, Attempted]:
        table = self.attempt_table
        return {tx_hash: table[tx_hash] for tx_hash in tx_hashes if tx_hash in table}

    async def vouchers(self, keys: Sequence[TokenKey]) -> dict[TokenKey, str]:
        """Return the self-custody mints of tokens."""
        waiting = {
            TokenKey(mint.contract, mint.token_id): mint.mint_id
            for mint in self.mint_table.values()
            if has_voucher(mint) and mint.token_id is not None
        }
        return {key: waiting[key] for key in keys if key in waiting}


@dataclass(slots=True)
class MemoryCollectionRegistry:
    """A list of collections under the test's control."""

    deployed: dict[str, int] = field(default_factory=dict)

    async def known(self, *, finalized: int) -> Mapping[str, int]:
        """Return each contract with the block it was deployed in."""
        del finalized
        return dict(self.deployed)
