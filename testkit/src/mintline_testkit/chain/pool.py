"""The fake chain's pool of transactions, which behaves as geth's does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from mintline.chain.answers import Log, Receipt
from mintline.chain.send_facts import SendAnswer, SendFact
from mintline.eth import keccak256
from mintline.messages.parts import Fees
from mintline_testkit.chain.accounts import Accounts

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


def _undecodable(raw: bytes) -> Decoded:
    raise AssertionError(f"the test sends {raw.hex()}, and does not say how to read it")


@dataclass(kw_only=True)
class Pool(Accounts):
    """Takes transactions, which `decode` reads, and has receipts of those that were mined."""

    decode: Callable[[bytes], Decoded] = _undecodable
    pool_size: int = 10_000
    receipts: dict[bytes, Receipt] = field(default_factory=dict)
    sends: list[bytes] = field(default_factory=list)
    """Every raw transaction that was sent, in order, refused ones included."""
    pool: dict[tuple[str, int], tuple[bytes, Decoded]] = field(default_factory=dict)
    final_counts: dict[bytes, dict[str, int]] = field(default_factory=dict)
    """Next nonces by address, on each final block by its hash."""
    token_digests: dict[tuple[str, int], bytes] = field(default_factory=dict)
    """The metadata digests of tokens on chain, by contract and id, in whatever block is asked for."""
    serial_events: dict[tuple[str, int], Log] = field(default_factory=dict)
    """The events by which serials of ERC-1155 collections are used, by contract and serial."""
    stateless: bool = False
    """Whether the node keeps no state of the blocks that it is asked for."""

    async def send_raw(self, raw: bytes) -> SendAnswer:
        """Take a transaction into the pool, or say why not."""
        await self._respond()
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
        if sent.nonce < self.counts[sent.sender]:
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

    def _executable(self, place: tuple[str, int]) -> bool:
        """Tell whether no nonce before this one is missing: a full pool turns only the others away."""
        sender, nonce = place
        return all((sender, earlier) in self.pool for earlier in range(self.counts[sender], nonce))

    async def receipt(self, tx_hash: bytes) -> Receipt | None:
        """Return a mined transaction's receipt, or None."""
        await self._respond()
        return self.receipts.get(tx_hash)

    async def transaction_count_at(self, address: str, block_hash: bytes) -> int | None:
        """Return an account's next nonce on a block that was the newest when it became final."""
        await self._respond()
        counts = self.final_counts.get(block_hash)
        return None if counts is None else counts.get(address, 0)

    async def is_minted(self, contract: str, token_id: int, block_hash: bytes) -> bool | None:
        """Tell whether a token is among `token_digests`, or used; None while the state is gone."""
        await self._respond()
        del block_hash
        name = contract, token_id
        return None if self.stateless else name in self.token_digests or name in self.serial_events

    async def minted_digest(self, contract: str, token_id: int, block_hash: bytes) -> bytes | None:
        """Return the digest of a token in `token_digests`; None while the state is gone."""
        await self._respond()
        del block_hash
        return None if self.stateless else self.token_digests.get((contract, token_id))

    async def serial_used(self, contract: str, serial: int, *, last: int) -> Log | None:
        """Return the event of a serial in `serial_events`, if it is in a block up to `last`."""
        await self._respond()
        event = self.serial_events.get((contract, serial))
        return event if event is not None and event.block_number <= last else None

    async def item_minted(self, contract: str, serial: int, block_hash: bytes) -> Log | None:
        """Return the event of a serial in `serial_events`; None while the state is gone."""
        await self._respond()
        event = None if self.stateless else self.serial_events.get((contract, serial))
        return event if event is not None and event.block_hash == block_hash else None

    def take_executable(self) -> dict[bytes, Decoded]:
        """Take out of the pool, and execute, what has no nonce gap before it and pays the base fee."""
        executed: dict[bytes, Decoded] = {}
        for place in sorted(self.pool):
            tx_hash, sent = self.pool[place]
            if sent.nonce == self.counts[sent.sender] and sent.fees.max_fee_per_gas >= self.base_fee:
                del self.pool[place]
                self.use_nonce(sent.sender)
                executed[tx_hash] = sent
        return executed


def _outbids(offer: Fees, present: Fees) -> bool:
    pairs = (
        (offer.max_fee_per_gas, present.max_fee_per_gas),
        (offer.max_priority_fee_per_gas, present.max_priority_fee_per_gas),
    )
    return all(new > old and new * 100 >= old * (100 + POOL_BUMP_PERCENT) for new, old in pairs)
