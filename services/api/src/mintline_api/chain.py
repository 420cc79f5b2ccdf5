"""What the api reads from the chain."""

from __future__ import annotations

from typing import Protocol

from mintline.chain.answers import FeeMarket, Receipt
from mintline.chain.calls import Call

_DELEGATION = bytes.fromhex("ef0100")


class Timed(Protocol):
    """What is read of a block."""

    @property
    def timestamp(self) -> int:
        """Its time in Unix seconds."""
        ...


class ChainReader(Protocol):
    """The chain, read only, at its latest block; `mintline.chain.node.Node` is one."""

    async def code(self, address: str) -> bytes:
        """Return an account's code, empty unless it is a contract or delegates to one (EIP-7702)."""
        ...

    async def call(self, call: Call) -> bytes:
        """Return what a call returns; raises Rejected if it reverts or runs out of gas."""
        ...

    async def transaction_count(self, address: str) -> int:
        """Return an account's next nonce."""
        ...

    async def fees(self) -> FeeMarket:
        """Return what the next block asks."""
        ...

    async def time(self) -> int:
        """Return the latest block's timestamp, in Unix seconds."""
        ...

    async def timestamp(self, blocks_ago: int) -> int:
        """Return the Unix seconds of the block so many before the latest; 0 if the chain is shorter."""
        ...

    async def block(self, ref: int, *, full: bool) -> Timed | None:
        """Return a block by its number, with its transactions if `full`; None if there is none."""
        ...

    async def receipt(self, tx_hash: bytes) -> Receipt | None:
        """Return a mined transaction's receipt; None if no node has one."""
        ...

    async def block_gas_limit(self) -> int:
        """Return how much gas the latest block may use."""
        ...


def is_contract(code: bytes) -> bool:
    """Tell whether code makes its account one that has no key: an EIP-7702 delegation does not."""
    return bool(code) and not code.startswith(_DELEGATION)
