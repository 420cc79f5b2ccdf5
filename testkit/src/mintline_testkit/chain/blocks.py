"""The blocks of the fake chain, which reorganizes on demand."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from mintline.eth import ZERO_ADDRESS, keccak256
from mintline.records.problems import Problem
from mintline_indexer.bloom import BLOOM_BYTES, bloom_bits
from mintline_indexer.chain_port import (
    TOPICS,
    Block,
    BlockTransaction,
    Event,
    ItemMintedEvent,
    ItemTransferEvent,
    MintedEvent,
    RangeTooWide,
    Ref,
    Tips,
    TransactionOutcome,
    TransferEvent,
)


@dataclass(frozen=True, slots=True)
class Move:
    """One transfer within a made-up transaction; `digest` makes it a mint with its `Minted` event.

    With a `quantity` it is one of an item of ERC-1155, with a `serial` a mint with its `ItemMinted` event.
    """

    contract: str
    token_id: int
    sender: str | None
    recipient: str | None
    digest: bytes | None = None
    quantity: int | None = None
    serial: int | None = None


@dataclass(frozen=True, slots=True)
class Sent:
    """A made-up transaction; one without moves that is not `succeeded` has reverted."""

    hash: bytes
    to: str | None
    moves: tuple[Move, ...] = ()
    succeeded: bool = True
    revert: str = ""
    """The name of the contract's error, if it has reverted."""


@dataclass(frozen=True, slots=True)
class Mined:
    """A block with the events and outcomes that its transactions had in it."""

    block: Block
    events: tuple[Event, ...]
    outcomes: Mapping[bytes, TransactionOutcome]


def _genesis() -> list[Mined]:
    return [Mined(Block(0, bytes(32), bytes(32), 1_000, bytes(BLOOM_BYTES), ()), (), {})]


@dataclass(kw_only=True)
class Blocks:
    """The blocks, and what happened in them."""

    finality: int = 4
    """The depth in blocks at which a block is final."""
    widest: int = 1000
    """How many blocks a request for events may name."""
    finalized: int = 0
    """The number of the newest final block."""
    mined: list[Mined] = field(default_factory=_genesis)

    def __post_init__(self) -> None:
        self._forks = 0
        self._by_hash = {mined.block.hash: mined for mined in self.mined}

    @property
    def number(self) -> int:
        """The latest block's number."""
        return self.mined[-1].block.number

    @property
    def several(self) -> bool:
        """One view."""
        return False

    async def confirmed(self, block: Ref) -> bool:
        """Tell whether the present branch has this block."""
        return block.number < len(self.mined) and self.mined[block.number].block.hash == block.hash

    def add_block(self, sent: Sequence[Sent], *, timestamp: int | None = None) -> Mined:
        """Put a block with these transactions on top, a second after its parent unless a time is given."""
        parent = self.mined[-1].block
        number = parent.number + 1
        seed = b"".join([parent.hash, number.to_bytes(8, "big"), self._forks.to_bytes(8, "big")])
        block_hash = hashlib.sha256(seed + b"".join(tx.hash for tx in sent)).digest()
        events = _events(number, block_hash, sent)
        block = Block(
            number=number,
            hash=block_hash,
            parent_hash=parent.hash,
            timestamp=parent.timestamp + 1 if timestamp is None else timestamp,
            logs_bloom=_bloom(events),
            transactions=tuple(BlockTransaction(tx.hash, tx.to) for tx in sent),
        )
        failed = Problem(code="reverted", reason="The contract refused the transaction.")
        outcomes = {
            tx.hash: TransactionOutcome(block_hash, None if tx.succeeded else failed, tx.revert)
            for tx in sent
        }
        mined = Mined(block, events, outcomes)
        self.mined.append(mined)
        self._by_hash[block_hash] = mined
        self.finalized = max(self.finalized, number - self.finality)
        return mined

    def drop(self, depth: int) -> None:
        """Take the newest blocks off; what is mined next is another branch."""
        self._forks += 1
        del self.mined[len(self.mined) - depth :]

    def at(self, block_hash: bytes) -> Mined:
        """Return a block of any branch."""
        return self._by_hash[block_hash]

    async def tips(self) -> Tips:
        return Tips(self.mined[-1].block, self.mined[self.finalized].block)

    async def block(self, ref: int | bytes, *, full: bool) -> Block | None:
        """Return a block; one of an abandoned branch still has its hash."""
        if isinstance(ref, bytes):
            mined = self._by_hash.get(ref)
        else:
            mined = self.mined[ref] if ref < len(self.mined) else None
        if mined is None:
            return None
        return mined.block if full else replace(mined.block, transactions=None)

    async def events(self, block_hash: bytes, contracts: Sequence[str]) -> Sequence[Event]:
        """Return a block's events."""
        return [event for event in self._by_hash[block_hash].events if event.contract in contracts]

    async def events_from_receipts(self, block: Block, contracts: Sequence[str]) -> Sequence[Event]:
        return await self.events(block.hash, contracts)

    async def events_between(self, first: int, last: int, contracts: Sequence[str]) -> Sequence[Event]:
        """Return the events of a range no wider than the provider's limit."""
        if last - first + 1 > self.widest:
            raise RangeTooWide(f"more than {self.widest} blocks")
        events = (event for mined in self.mined[first : last + 1] for event in mined.events)
        return [event for event in events if event.contract in contracts]

    async def item_balances(
        self, contract: str, held: Sequence[tuple[str, int]], *, block: int
    ) -> Sequence[int] | None:
        """Return how much each holder has of an item after a block of the present branch."""
        balances: dict[tuple[str | None, int], int] = {}
        for event in (event for mined in self.mined[: block + 1] for event in mined.events):
            if isinstance(event, ItemTransferEvent) and event.contract == contract:
                for party, change in ((event.sender, -event.quantity), (event.recipient, event.quantity)):
                    balances[party, event.token_id] = balances.get((party, event.token_id), 0) + change
        return [balances.get(key, 0) for key in held]

    async def outcome(self, tx_hash: bytes) -> TransactionOutcome | None:
        """Return how a transaction of the present branch ended."""
        for mined in reversed(self.mined):
            if tx_hash in mined.outcomes:
                return mined.outcomes[tx_hash]
        return None


def _events(number: int, block_hash: bytes, sent: Sequence[Sent]) -> tuple[Event, ...]:
    events: list[Event] = []
    for tx in sent:
        for move in tx.moves:
            place = (number, block_hash, tx.hash)
            token, parties = (move.contract, move.token_id), (move.sender, move.recipient)
            if move.quantity is not None:
                events += _item_events(move, move.quantity, place, len(events))
                continue
            events.append(TransferEvent(*place, len(events), *token, *parties))
            if move.digest is not None:
                events.append(MintedEvent(*place, len(events), *token, move.digest))
    return tuple(events)


def _item_events(move: Move, quantity: int, place: tuple[int, bytes, bytes], first: int) -> list[Event]:
    events: list[Event] = []
    contract, token_id, recipient = move.contract, move.token_id, move.recipient
    if move.serial is not None and recipient is not None:
        named, digest = (contract, move.serial, token_id), move.digest or bytes(32)
        events.append(ItemMintedEvent(*place, first, *named, recipient, quantity, digest))
    parties = (move.sender, recipient)
    events.append(ItemTransferEvent(*place, first + len(events), contract, token_id, *parties, quantity))
    return events


_TOPIC = {TransferEvent: 0, MintedEvent: 1, ItemTransferEvent: 2, ItemMintedEvent: 2}
"""Which topic stands in the bloom for a kind of event: one is enough."""


def _bloom(events: Sequence[Event]) -> bytes:
    bits = 0
    for event in events:
        bits |= bloom_bits(bytes.fromhex(event.contract[2:]))
        bits |= bloom_bits(TOPICS[_TOPIC[type(event)]])
    # A header without any bit would be taken for a chain that keeps no bloom.
    return (bits or bloom_bits(keccak256(ZERO_ADDRESS.encode()))).to_bytes(BLOOM_BYTES, "big")
