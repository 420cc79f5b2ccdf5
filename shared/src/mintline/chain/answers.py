"""What a node answers, as values; anything malformed is Unavailable, since another node may do better."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, TypeVar

from mintline.errors import Unavailable
from mintline.eth import GWEI, to_checksum_address

_QUANTITY = re.compile(r"0x[0-9a-fA-F]{1,64}")
T = TypeVar("T")

checksummed = lru_cache(maxsize=65_536)(to_checksum_address)
"""EIP-55 hashes the address, which a block of a few thousand transactions asks for by the thousand."""


@dataclass(frozen=True, slots=True)
class BlockTransaction:
    """A transaction within a block; `to` is None for a contract's creation."""

    hash: bytes
    sender: str
    to: str | None
    nonce: int


@dataclass(frozen=True, slots=True)
class Block:
    """A block; `transactions` is empty unless they were requested. `base_fee` is in wei per gas."""

    number: int
    hash: bytes
    parent_hash: bytes
    timestamp: int
    """Unix seconds."""
    base_fee: int
    logs_bloom: bytes = field(repr=False)
    transactions: tuple[BlockTransaction, ...]


@dataclass(frozen=True, slots=True)
class Log:
    """An event that a contract emitted; `address` is checksummed."""

    address: str
    topics: tuple[bytes, ...]
    data: bytes
    block_hash: bytes
    block_number: int
    tx_hash: bytes
    log_index: int
    removed: bool


@dataclass(frozen=True, slots=True)
class Receipt:
    """The outcome of a mined transaction; `status` is False for one that reverted."""

    tx_hash: bytes
    status: bool
    block_number: int
    block_hash: bytes
    gas_used: int
    gas_price: int | None = None
    """Wei per gas that were paid, the tip included; None from a node that does not say (EIP-1559)."""


MIN_TIP = GWEI // 10
"""Wei per gas that validators are offered at least, also when recent blocks were empty: nodes refuse less.

The default of the builder's setting `min_priority_fee`.
"""


@dataclass(frozen=True, slots=True)
class FeeMarket:
    """What the next block asks, in wei per gas."""

    base_fee: int
    """Of the next block."""
    priority_fee: int
    """The median tip of recent blocks that were not empty, or 0."""

    @property
    def tip(self) -> int:
        """What a transaction offers at least: the priority fee, and `MIN_TIP` where that is less."""
        return max(self.priority_fee, MIN_TIP)

    @property
    def price(self) -> int:
        """What a transaction pays now: the base fee and the tip."""
        return self.base_fee + self.tip


def quantity(value: Any, name: str) -> int:
    """Parse a QUANTITY: hex without a sign, of 256 bits at most."""
    if not isinstance(value, str) or not _QUANTITY.fullmatch(value):
        raise _malformed(name, value, "a quantity")
    return int(value, 16)


def octets(value: Any, name: str, length: int | None = None) -> bytes:
    """Parse DATA: two hex digits a byte, of exactly `length` bytes if given."""
    if isinstance(value, str) and value.startswith("0x"):
        try:
            parsed = bytes.fromhex(value[2:])
        except ValueError:
            raise _malformed(name, value, "hex data") from None
        # bytes.fromhex skips spaces.
        if len(value) == 2 + 2 * len(parsed) and length in (None, len(parsed)):
            return parsed
    raise _malformed(name, value, "hex data" if length is None else f"{length} bytes of hex data")


def address(value: Any, name: str) -> str:
    """Parse an address, and give it its checksum."""
    octets(value, name, 20)
    return checksummed(value.lower())


def optional(parse: Callable[[Any], T], value: Any) -> T | None:
    """Parse what a node may answer `null` to."""
    return None if value is None else parse(value)


def block(value: Any, *, full: bool) -> Block:
    """Parse a block; its transactions too if `full`."""
    fields = _object(value, "a block")
    transactions: tuple[BlockTransaction, ...] = ()
    if full:
        transactions = tuple(
            _transaction(item) for item in _array(fields.get("transactions"), "transactions")
        )
    return Block(
        number=quantity(fields.get("number"), "number"),
        hash=octets(fields.get("hash"), "hash", 32),
        parent_hash=octets(fields.get("parentHash"), "parentHash", 32),
        timestamp=quantity(fields.get("timestamp"), "timestamp"),
        base_fee=quantity(fields.get("baseFeePerGas", "0x0"), "baseFeePerGas"),
        logs_bloom=octets(fields.get("logsBloom"), "logsBloom", 256),
        transactions=transactions,
    )


def _transaction(value: Any) -> BlockTransaction:
    fields = _object(value, "a transaction")
    to = fields.get("to")
    return BlockTransaction(
        hash=octets(fields.get("hash"), "hash", 32),
        sender=address(fields.get("from"), "from"),
        to=None if to is None else address(to, "to"),
        nonce=quantity(fields.get("nonce"), "nonce"),
    )


def logs(value: Any) -> tuple[Log, ...]:
    """Parse the answer of `eth_getLogs`."""
    return tuple(_log(item) for item in _array(value, "logs"))


def _log(value: Any) -> Log:
    fields = _object(value, "a log")
    return Log(
        address=address(fields.get("address"), "address"),
        topics=tuple(octets(topic, "topic", 32) for topic in _array(fields.get("topics"), "topics")),
        data=octets(fields.get("data"), "data"),
        block_hash=octets(fields.get("blockHash"), "blockHash", 32),
        block_number=quantity(fields.get("blockNumber"), "blockNumber"),
        tx_hash=octets(fields.get("transactionHash"), "transactionHash", 32),
        log_index=quantity(fields.get("logIndex"), "logIndex"),
        removed=fields.get("removed", False) is True,
    )


def receipt(value: Any) -> Receipt:
    """Parse a receipt (EIP-658: it has a status)."""
    fields = _object(value, "a receipt")
    return Receipt(
        tx_hash=octets(fields.get("transactionHash"), "transactionHash", 32),
        status=quantity(fields.get("status"), "status") == 1,
        block_number=quantity(fields.get("blockNumber"), "blockNumber"),
        block_hash=octets(fields.get("blockHash"), "blockHash", 32),
        gas_used=quantity(fields.get("gasUsed"), "gasUsed"),
        gas_price=optional(_gas_price, fields.get("effectiveGasPrice")),
    )


def _gas_price(value: Any) -> int:
    return quantity(value, "effectiveGasPrice")


def fee_market(value: Any) -> FeeMarket:
    """Parse the answer of `eth_feeHistory`, asked for one percentile of the tips."""
    fields = _object(value, "a fee history")
    base_fees = _array(fields.get("baseFeePerGas"), "baseFeePerGas")
    if not base_fees:
        raise _malformed("baseFeePerGas", base_fees, "a fee for the next block")
    rewards = [_array(row, "reward") for row in _array(fields.get("reward") or [], "reward")]
    tips = sorted(tip for row in rewards for tip in (quantity(item, "reward") for item in row) if tip > 0)
    return FeeMarket(
        base_fee=quantity(base_fees[-1], "baseFeePerGas"),
        priority_fee=tips[len(tips) // 2] if tips else 0,
    )


def _object(value: Any, name: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _malformed(name, value, "an object")
    return value


def _array(value: Any, name: str) -> list[Any]:
    if not isinstance(value, list):
        raise _malformed(name, value, "an array")
    return value


def _malformed(name: str, value: Any, expected: str) -> Unavailable:
    return Unavailable(f"the node answered {name} = {str(value)[:80]!r}, which is not {expected}")
