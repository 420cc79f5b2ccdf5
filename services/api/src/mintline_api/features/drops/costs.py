"""What the mints of a drop cost on chain, from the receipts of the transactions that made them.

A receipt is read once for each transaction, so once for up to some hundred lines. A transaction's cost is
shared evenly by the operations that it carries. A batch that failed, and whose mints went into another one,
is not counted: nothing names it any more.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

import structlog

from mintline.chain.answers import Receipt
from mintline.drop_records import DropCost
from mintline.errors import MintlineError
from mintline.records.operations import Mint
from mintline.records.transactions import Transaction, carried_by
from mintline_api.chain import ChainReader
from mintline_api.features.bulk.ports import LineStore

log = structlog.get_logger()

_CHAIN_SECONDS = 5.0
"""How long the receipts of one call of `of` may take."""
_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class DropCosts:
    """Reads what mints cost; nothing is known without a `chain`."""

    lines: LineStore
    chain: ChainReader | None
    _receipts: dict[bytes, Receipt] = field(default_factory=dict)
    """Of one drop's transactions, by their hashes: a reorg gives a mint another block or hash."""

    async def of(self, mints: Iterable[Mint]) -> DropCost:
        """Return what those of the mints cost that are mined, as far as nodes have the receipts.

        A node that does not answer leaves lines out. Raises Unavailable if the transactions cannot be read.
        """
        places = Counter(place for mint in mints if mint.tx_hash and (place := carried_by(mint)))
        if not places or self.chain is None:
            return DropCost()
        carriers = await self.lines.transactions(places)
        known = await self._read(self.chain, carriers.values())
        cost = DropCost()
        for place, carrier in carriers.items():
            receipt = known.get(carrier.tx_hash or b"")
            if receipt is not None:
                cost += _share(receipt, lines=places[place], of=len(carrier.operations))
        return cost

    async def _read(self, chain: ChainReader, carriers: Iterable[Transaction]) -> dict[bytes, Receipt]:
        """Return the receipts of mined transactions, by their hashes."""
        known: dict[bytes, Receipt] = {}
        places = asyncio.Semaphore(_AT_ONCE)

        async def fetch_receipt(tx_hash: bytes, block_hash: bytes | None) -> None:
            receipt = self._receipts.get(tx_hash)
            if receipt is None or receipt.block_hash != block_hash:
                async with asyncio.timeout(_CHAIN_SECONDS), places:
                    receipt = await chain.receipt(tx_hash)
            if receipt is not None and receipt.block_hash == block_hash:
                known[tx_hash] = self._receipts[tx_hash] = receipt

        wanted = {carrier.tx_hash: carrier.block_hash for carrier in carriers if carrier.tx_hash is not None}
        done = await asyncio.gather(
            *(fetch_receipt(*each) for each in wanted.items()), return_exceptions=True
        )
        for error in done:
            if isinstance(error, (MintlineError, TimeoutError)):
                log.warning("drop_cost_unread", error=type(error).__name__)
            elif error is not None:
                raise error
        return known


def _share(receipt: Receipt, *, lines: int, of: int) -> DropCost:
    """Return the cost of `lines` of the `of` operations of a transaction."""
    if receipt.gas_price is None or lines > of:
        return DropCost()
    gas = receipt.gas_used * lines // of
    return DropCost(lines=lines, gas=gas, wei=receipt.gas_used * receipt.gas_price * lines // of)
