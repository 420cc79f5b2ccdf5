"""The accounts of the fake chain: balances, transaction counts, code, and what gas costs."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from mintline.chain.answers import FeeMarket
from mintline.errors import Unavailable


@dataclass(kw_only=True)
class Accounts:
    """What accounts have; addresses are those that the test uses."""

    balances: dict[str, int] = field(default_factory=dict)
    default_balance: int = 0
    """What other accounts hold, in wei."""
    counts: Counter[str] = field(default_factory=Counter)
    """How many transactions of an account are mined, its next nonce."""
    codes: dict[str, bytes] = field(default_factory=dict)
    base_fee: int = 10**9
    minimum_tip: int = 0
    """The priority fee that a block asks, in wei per gas."""
    block_gas: int = 60_000_000
    """The gas limit of a block."""
    transfer_gas: int = 21_000
    """What a transfer needs, and any transaction at least."""
    clock: Callable[[], float] | None = None
    """Unix seconds, by which blocks are stamped."""
    yields: bool = False
    """Whether other tasks run during every request."""
    failure: Exception | None = None
    """What every request raises, if set."""

    @property
    def market(self) -> FeeMarket:
        """What the next block asks."""
        return FeeMarket(base_fee=self.base_fee, priority_fee=self.minimum_tip)

    @market.setter
    def market(self, market: FeeMarket) -> None:
        self.base_fee, self.minimum_tip = market.base_fee, market.priority_fee

    async def balance(self, address: str) -> int:
        """Return what an account holds, in wei."""
        await self._respond()
        return self._balance(address)

    async def transaction_count(self, address: str) -> int:
        """Return an account's next nonce."""
        await self._respond()
        return self.counts[address]

    async def code(self, address: str) -> bytes:
        """Return an account's code."""
        await self._respond()
        return self.codes.get(address, b"")

    async def fees(self) -> FeeMarket:
        await self._respond()
        return self.market

    async def block_gas_limit(self) -> int:
        """Return the latest block's gas limit."""
        await self._respond()
        return self.block_gas

    def use_nonce(self, address: str) -> None:
        """Move an account on, as a transaction from elsewhere would."""
        self.counts[address] += 1

    def _balance(self, address: str) -> int:
        return self.balances.get(address, self.default_balance)

    def _seconds(self) -> int:
        if self.clock is None:
            raise Unavailable("the node has no latest block")
        return int(self.clock())

    async def _respond(self) -> None:
        """Let other tasks run or fail, if that is scripted."""
        if self.yields:
            await asyncio.sleep(0)
        if self.failure is not None:
            raise self.failure
