"""Bugs to plant in how items of ERC-1155 are numbered, minted and counted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from mintline_harness.simulation.accounts import ITEMS
from mintline_indexer.chain_port import Event, ItemMintedEvent
from mintline_indexer.index_records import PriorBalance
from mintline_indexer.node_chain import NodeChain
from mintline_testkit.api.operations import MemoryTokenIds
from mintline_testkit.indexer.store import MemoryStore


class LeasingTwice(MemoryTokenIds):
    """Leases serials without moving the counter: two copies of the api give out the same ones."""

    async def lease(self, contract: str, count: int) -> int:
        """Take token ids; of serials, those that the next one takes as well."""
        first = await super().lease(contract, count)
        if contract == ITEMS:
            self.counters[contract] = first
        return first


class AddingAgain(MemoryStore):
    """Takes blocks back without the quantities that they added: the next branch adds them again."""

    def _restore_balance(self, prior: PriorBalance, fence: int) -> None:
        if self._is_due(prior.key, fence):
            self.fences[prior.key] = fence


class BlindToSerials(NodeChain):
    """Takes it that an item's mints are told apart by their order in a block alone."""

    async def events(self, block_hash: bytes, contracts: Sequence[str]) -> Sequence[Event]:
        """Return events, those of items' mints with the serials of the last ones first."""
        events = await super().events(block_hash, contracts)
        serials = [event.serial for event in events if isinstance(event, ItemMintedEvent)]
        return [
            replace(event, serial=serials.pop()) if isinstance(event, ItemMintedEvent) else event
            for event in events
        ]
