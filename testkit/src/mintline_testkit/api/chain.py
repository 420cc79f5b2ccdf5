"""The API's chain in memory."""

from __future__ import annotations

from mintline.chain.answers import FeeMarket
from mintline.chain.calls import Call
from mintline.errors import Unavailable


class MemoryChain:
    """A chain that a test fills; a contract wallet accepts the digests in `accepts`."""

    def __init__(self) -> None:
        self.codes: dict[str, bytes] = {}
        self.accepts: dict[str, set[bytes]] = {}
        self.nonces: dict[str, int] = {}
        self.market = FeeMarket(base_fee=10**9, priority_fee=10**8)
        self.failure: Exception | None = None
        self.now: int | None = None
        """The latest block's timestamp; None for a node that has no block yet."""

    async def code(self, address: str) -> bytes:
        """Return an account's code."""
        self._answer()
        return self.codes.get(address, b"")

    async def call(self, call: Call) -> bytes:
        """Answer `isValidSignature` as EIP-1271 has it."""
        self._answer()
        method, digest = call.data[:4], call.data[4:36]
        accepted = call.to is not None and digest in self.accepts.get(call.to, ())
        return (method if accepted else bytes.fromhex("ffffffff")) + bytes(28)

    async def transaction_count(self, address: str) -> int:
        """Return an account's next nonce."""
        self._answer()
        return self.nonces.get(address, 0)

    async def fees(self) -> FeeMarket:
        """Return what the next block asks."""
        self._answer()
        return self.market

    async def time(self) -> int:
        """Return the latest block's timestamp."""
        self._answer()
        if self.now is None:
            raise Unavailable("the node has no latest block")
        return self.now

    def _answer(self) -> None:
        if self.failure is not None:
            raise self.failure
