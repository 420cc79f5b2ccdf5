"""The builder's chain in memory: balances, counts, and simulations by rule."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from mintline.chain.answers import FeeMarket
from mintline.chain.calls import Call, CallReverted, Overrides
from mintline.chain.collection import Revert
from mintline.eth import HAS_ROLE_SELECTOR, MINT_BATCH_SELECTOR, address_word, word


@dataclass
class MemoryChain:
    """A chain that holds balances and counts, and simulates by rule."""

    balances: dict[str, int] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    codes: dict[str, bytes] = field(default_factory=dict)
    market: FeeMarket = field(default_factory=lambda: FeeMarket(base_fee=10**9, priority_fee=10**9))
    gas: int = 100_000
    """What any call with data needs."""
    block_gas: int = 60_000_000
    """The gas limit of a block."""
    transfer_gas: int = 21_000
    """What a transfer needs."""
    new_account_gas: int = 0
    """What a transfer needs on top if its recipient does not exist: 183,600 on Amsterdam (EIP-8037)."""
    reverts: dict[str, CallReverted] = field(default_factory=dict)
    """How calls of a contract revert."""
    barred: dict[str, CallReverted] = field(default_factory=dict)
    """How calls revert that an address sends."""
    refusing: dict[str, CallReverted] = field(default_factory=dict)
    """How calls revert that name an address, as a recipient that refuses tokens does."""
    code_gas: dict[str, int] = field(default_factory=dict)
    """What calls that name an address need on top, for its code."""
    minted: set[int] = field(default_factory=set)
    """Tokens that batches revert with, as if they were minted."""
    line_gas: int = 0
    """What each line of a batch needs on top."""
    issues: bool = True
    """Whether the issuer has its role, at any contract."""
    clock: Callable[[], float] = time.time
    """The latest block's timestamp, in Unix seconds."""
    calls: list[tuple[Call, Overrides]] = field(default_factory=list)
    estimates: list[tuple[Call, Overrides]] = field(default_factory=list)

    async def balance(self, address: str) -> int:
        """Return a balance in wei."""
        return self.balances.get(address, 0)

    async def transaction_count(self, address: str) -> int:
        """Return how many of an account's transactions are mined."""
        return self.counts.get(address, 0)

    async def code(self, address: str) -> bytes:
        """Return an account's code."""
        return self.codes.get(address, b"")

    async def time(self) -> int:
        """Return the latest block's timestamp."""
        return int(self.clock())

    async def block_gas_limit(self) -> int:
        """Return the latest block's gas limit."""
        return self.block_gas

    async def fees(self) -> FeeMarket:
        """Return what the next block asks."""
        return self.market

    async def call(self, call: Call, *, overrides: Overrides | None = None) -> bytes:
        """Run a call by rule."""
        if call.data.startswith(HAS_ROLE_SELECTOR):
            return word(int(self.issues))
        self.calls.append((call, overrides or {}))
        self._check(call)
        return b""

    async def estimate_gas(
        self, call: Call, overrides: Overrides | None = None, *, most: int | None = None
    ) -> int:
        """Return the gas that a call needs: the word of one node, however much that is."""
        del most
        self.estimates.append((call, overrides or {}))
        self._check(call)
        if call.data or call.to is None:
            lines = len(_lines(call))
            return (
                self.gas
                + lines * self.line_gas
                + sum(more for named, more in self.code_gas.items() if _names(call, named))
            )
        exists = self.balances.get(call.to) or self.counts.get(call.to) or self.codes.get(call.to)
        return self.transfer_gas + (0 if exists else self.new_account_gas)

    def _check(self, call: Call) -> None:
        if call.to in self.reverts:
            raise self.reverts[call.to]
        if call.sender in self.barred:
            raise self.barred[call.sender]
        lines = _lines(call)
        for place, token_id in enumerate(lines):
            if token_id in self.minted or token_id in lines[:place]:
                raise CallReverted(Revert("AlreadyMinted", {"tokenId": token_id}), "AlreadyMinted()")
        for named, reverted in self.refusing.items():
            if _names(call, named):
                raise reverted
        if call.gas is not None and call.gas < self.gas:
            raise CallReverted(None, "out of gas")


def _lines(call: Call) -> list[int]:
    """Return the token ids of a batch; none if the call is another."""
    if not call.data.startswith(MINT_BATCH_SELECTOR):
        return []
    words = [call.data[start : start + 32] for start in range(4, len(call.data), 32)]
    return [int.from_bytes(word, "big") for word in words[2::3]]


def _names(call: Call, address: str) -> bool:
    return address_word(address) in call.data
