"""How much gas one line of a drop takes: what the client's newest mints took, or what is set."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass

import structlog

from mintline.drop_records import Drop
from mintline.errors import MintlineError
from mintline.records.operations import Mint
from mintline.records.transactions import Transaction, carried_by
from mintline_api.chain import ChainReader
from mintline_api.features.bulk.ports import LineStore
from mintline_api.features.drops.models import GasSource
from mintline_api.features.mints.ports import MintStore

log = structlog.get_logger()

_NEWEST = 100
"""Mints that are looked at."""
_CHAIN_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class LineGas:
    """Gas of one line, and where the figure is from."""

    gas: int
    source: GasSource


@dataclass(frozen=True, slots=True, kw_only=True)
class GasMeter:
    """Measures the gas of lines; `unmeasured` is that of one while there is nothing to measure."""

    mints: MintStore
    lines: LineStore
    chain: ChainReader | None
    unmeasured: int

    async def of(self, drop: Drop) -> LineGas:
        """Return the gas of a line, by the largest of the client's newest batches in the drop's collection.

        By one in another collection if there is none: what state costs is the chain's, and the rest is much
        the same. By the setting if there is none either, or no node has its receipt.
        """
        setting = LineGas(self.unmeasured, "setting")
        if self.chain is None:
            return setting
        page = await self.mints.ids_of_client(drop.client_id, limit=_NEWEST, after=None)
        mints = (await self.lines.mints([mint_id for _, mint_id in page.items])).values()
        mined = [mint for mint in mints if mint.custody == "sponsored" and mint.tx_hash is not None]
        here = [mint for mint in mined if mint.contract == drop.contract]
        sources: tuple[tuple[list[Mint], GasSource], ...] = ((here, "collection"), (mined, "chain"))
        for some, source in sources:
            gas = await self._measured(self.chain, await self._largest(some))
            if gas is not None:
                return LineGas(gas, source)
        return setting

    async def _largest(self, mints: Iterable[Mint]) -> Transaction | None:
        """Return the transaction that carries most, of those that made these mints."""
        places = {place for mint in mints if (place := carried_by(mint)) is not None}
        carriers = (await self.lines.transactions(places)).values()
        succeeded = [carrier for carrier in carriers if carrier.outcome == "succeeded" and carrier.operations]
        return max(succeeded, key=lambda carrier: len(carrier.operations), default=None)

    @staticmethod
    async def _measured(chain: ChainReader, carrier: Transaction | None) -> int | None:
        """Return the gas of each operation of a transaction; None if no node has its receipt."""
        if carrier is None or carrier.tx_hash is None:
            return None
        try:
            async with asyncio.timeout(_CHAIN_SECONDS):
                receipt = await chain.receipt(carrier.tx_hash)
        except (MintlineError, TimeoutError) as error:
            log.warning("drop_gas_unmeasured", error=type(error).__name__)
            return None
        return None if receipt is None else -(-receipt.gas_used // len(carrier.operations))
