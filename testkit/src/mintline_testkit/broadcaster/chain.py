"""A node in memory, whose pool behaves as geth's does."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field

from mintline.chain.answers import FeeMarket, Receipt
from mintline.chain.calls import Call
from mintline.chain.send_facts import SendAnswer, SendFact
from mintline.eth import keccak256
from mintline.messages import Fees
from mintline_broadcaster.ports import (
    Final,
)

POOL_BUMP_PERCENT = 10
"""geth's default: a replacement offers at least this much more on both fields."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """What a chain reads in a raw transaction; amounts in wei."""

    sender: str
    nonce: int
    gas: int
    fees: Fees
    value: int = 0

    @property
    def cost(self) -> int:
        """The most that it takes from its sender."""
        return self.gas * self.fees.max_fee_per_gas + self.value


@dataclass
class MemoryChain:
    """A Chain of one node: `decode` reads raw transactions, `mine` and `finalize` move it on."""

    decode: Callable[[bytes], Decoded]
    base_fee: int = 1_000_000_000
    minimum_tip: int = 0
    block_gas: int = 60_000_000
    transfer_gas: int = 21_000
    """What a transfer needs, and any transaction at least."""
    pool_size: int = 10_000
    default_balance: int = 10**18
    balances: dict[str, int] = field(default_factory=dict)
    number: int = 0
    receipts: dict[bytes, Receipt] = field(default_factory=dict)
    sends: list[bytes] = field(default_factory=list)
    """Every raw transaction that was sent, in order, refused ones included."""
    pool: dict[tuple[str, int], tuple[bytes, Decoded]] = field(default_factory=dict)
    nonces: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))
    final_nonces: dict[bytes, dict[str, int]] = field(default_factory=dict)
    """Next nonces by address, on each final block by its hash."""
    minted: dict[tuple[str, int], bytes] = field(default_factory=dict)
    """The metadata digests of tokens on chain, by contract and id, in whatever block is asked for."""
    stateless: bool = False
    """Whether the node keeps no state of the blocks that it is asked for."""
    clock: Callable[[], float] = lambda: 0.0
    """Unix seconds, by which blocks are stamped."""
    stamps: list[int] = field(default_factory=list)
    """Unix seconds of each block, oldest first."""

    async def send_raw(self, raw: bytes) -> SendAnswer:
        """Take a transaction into the pool, or say why not."""
        await asyncio.sleep(0)
        self.sends.append(raw)
        fact = self._admit(keccak256(raw), self.decode(raw))
        return SendAnswer(fact, "" if fact is SendFact.ACCEPTED else fact.value)

    def _admit(self, tx_hash: bytes, sent: Decoded) -> SendFact:  # noqa: PLR0911 - one return for each fact
        place = (sent.sender, sent.nonce)
        present = self.pool.get(place)
        if present is not None and present[0] == tx_hash:
            return SendFact.ALREADY_KNOWN
        if sent.gas < self.transfer_gas:
            return SendFact.INTRINSIC_GAS
        if sent.gas > self.block_gas:
            return SendFact.EXCEEDS_BLOCK_GAS
        if sent.nonce < self.nonces[sent.sender]:
            return SendFact.NONCE_TOO_LOW
        if sent.fees.max_priority_fee_per_gas < self.minimum_tip:
            return SendFact.UNDERPRICED
        pending = sum(
            other.cost for at, (_, other) in self.pool.items() if at[0] == sent.sender and at[1] != sent.nonce
        )
        if pending + sent.cost > self._balance(sent.sender):
            return SendFact.INSUFFICIENT_FUNDS
        if present is not None and not _outbids(sent.fees, present[1].fees):
            return SendFact.REPLACEMENT_UNDERPRICED
        if present is None and len(self.pool) >= self.pool_size and not self._executable(place):
            return SendFact.POOL_FULL
        self.pool[place] = (tx_hash, sent)
        return SendFact.ACCEPTED

    def _balance(self, address: str) -> int:
        return self.balances.get(address, self.default_balance)

    def _executable(self, place: tuple[str, int]) -> bool:
        """Tell whether no nonce before this one is missing: a full pool turns only the others away."""
        sender, nonce = place
        return all((sender, earlier) in self.pool for earlier in range(self.nonces[sender], nonce))

    async def receipt(self, tx_hash: bytes) -> Receipt | None:
        """Return a mined transaction's receipt, or None."""
        await asyncio.sleep(0)
        return self.receipts.get(tx_hash)

    async def transaction_count(self, address: str) -> int:
        """Return an account's next nonce."""
        await asyncio.sleep(0)
        return self.nonces[address]

    async def transaction_count_at(self, address: str, block_hash: bytes) -> int | None:
        """Return an account's next nonce on a block that was the newest when it became final."""
        await asyncio.sleep(0)
        nonces = self.final_nonces.get(block_hash)
        return None if nonces is None else nonces.get(address, 0)

    async def is_minted(self, contract: str, token_id: int, block_hash: bytes) -> bool | None:
        """Tell whether a token is among those in `minted`; None while the state is gone."""
        await asyncio.sleep(0)
        del block_hash
        return None if self.stateless else (contract, token_id) in self.minted

    async def minted_digest(self, contract: str, token_id: int, block_hash: bytes) -> bytes | None:
        """Return the digest of a token in `minted`; None while the state is gone."""
        await asyncio.sleep(0)
        del block_hash
        return None if self.stateless else self.minted.get((contract, token_id))

    async def balance(self, address: str) -> int:
        """Return what an account holds, in wei."""
        await asyncio.sleep(0)
        return self._balance(address)

    async def fees(self) -> FeeMarket:
        """Return what the next block asks."""
        await asyncio.sleep(0)
        return FeeMarket(base_fee=self.base_fee, priority_fee=self.minimum_tip)

    async def estimate_gas(self, call: Call) -> int:
        """Return the gas that a transfer needs."""
        await asyncio.sleep(0)
        assert not call.data
        return self.transfer_gas

    async def timestamp(self, blocks_ago: int) -> int:
        """Return the Unix seconds of the block so many before the latest; 0 if the chain is shorter."""
        await asyncio.sleep(0)
        return self.stamps[-1 - blocks_ago] if blocks_ago < len(self.stamps) else 0

    async def time(self) -> int:
        """Return the latest block's timestamp, in Unix seconds."""
        await asyncio.sleep(0)
        return self.stamps[-1] if self.stamps else int(self.clock())

    def mine(self) -> None:
        """Mine what the pool holds without a gap in its sender's nonces and above the base fee."""
        self.number += 1
        self.stamps.append(int(self.clock()))
        for place in sorted(self.pool):
            tx_hash, sent = self.pool[place]
            if sent.nonce == self.nonces[sent.sender] and sent.fees.max_fee_per_gas >= self.base_fee:
                del self.pool[place]
                self.use_nonce(sent.sender)
                self.receipts[tx_hash] = Receipt(tx_hash, True, self.number, bytes(32), sent.gas)  # noqa: FBT003

    def use_nonce(self, address: str) -> None:
        """Move an account on, as a transaction from elsewhere would."""
        self.nonces[address] += 1

    def finalize(self) -> Final:
        """Make everything mined so far final, and return the block that an index may know of then."""
        block_hash = keccak256(b"block %d" % self.number)
        self.final_nonces[block_hash] = dict(self.nonces)
        return Final(self.number, self.stamps[-1] if self.stamps else 0, block_hash)


def _outbids(offer: Fees, present: Fees) -> bool:
    pairs = (
        (offer.max_fee_per_gas, present.max_fee_per_gas),
        (offer.max_priority_fee_per_gas, present.max_priority_fee_per_gas),
    )
    return all(new > old and new * 100 >= old * (100 + POOL_BUMP_PERCENT) for new, old in pairs)
