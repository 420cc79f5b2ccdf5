"""The collection contract as the services see it: events, errors, and where it keeps roles.

From the committed artifact. Events are decoded by hand, since the indexer does it for every mint.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

from eth_abi.abi import decode
from eth_abi.exceptions import DecodingError

from mintline.chain.answers import Log, checksummed
from mintline.chain.compiled import CONTRACTS, compiled
from mintline.chain.compiled import creation_code as compiled_code
from mintline.eth import ZERO_ADDRESS, address_word, keccak256, selector, word
from mintline.text import LIMIT

TRANSFER_TOPIC = keccak256(b"Transfer(address,address,uint256)")
MINTED_TOPIC = keccak256(b"Minted(uint256,address,bytes32)")

DEFAULT_ADMIN_ROLE = bytes(32)
ISSUER_ROLE = keccak256(b"ISSUER_ROLE")
RELAYER_ROLE = keccak256(b"RELAYER_ROLE")
PAUSER_ROLE = keccak256(b"PAUSER_ROLE")
METADATA_ROLE = keccak256(b"METADATA_ROLE")

GRANTED = word(1)
"""What a role's storage slot holds for an account that has the role."""

_ERROR_STRING = selector("Error(string)")
_MESSAGE_AT = 68
"""Behind the selector, the message's offset and its length (Solidity's ABI of a single string)."""
_PANIC = selector("Panic(uint256)")


class Revert(NamedTuple):
    """Why a call reverted: an error of the contract, Error, Panic or Unknown, with arguments by name."""

    name: str
    args: Mapping[str, Any]

    def __str__(self) -> str:
        if self.name == "Error":
            return str(self.args["message"])
        shown = ", ".join(f"{key}={_shown(value)}" for key, value in self.args.items())
        return f"{self.name}({shown})"


@dataclass(frozen=True, slots=True)
class TransferEvent:
    """ERC-721's Transfer; `sender` is None for a mint, `recipient` None for a burn."""

    sender: str | None
    recipient: str | None
    token_id: int


@dataclass(frozen=True, slots=True)
class MintedEvent:
    """The collection's Minted, which follows the Transfer of the same mint."""

    token_id: int
    to: str
    metadata_digest: bytes


def artifact() -> Mapping[str, Any]:
    """Return the compiled contract: `abi`, `bytecode`, `storageLayout` and where it was built from."""
    return compiled("MintlineCollection")


def creation_code(
    *,
    name: str,
    symbol: str,
    base_uri: str,
    contract_uri: str,
    admin: str,
    issuer: str,
    royalty_receiver: str,
    royalty_bps: int,
) -> bytes:
    """Return the data of the transaction that deploys a collection; `royalty_bps` in 1/10,000 of a price."""
    arguments = (name, symbol, base_uri, contract_uri, admin, issuer, royalty_receiver, royalty_bps)
    return compiled_code("MintlineCollection", *arguments)


def decode_transfer(log: Log) -> TransferEvent | None:
    """Decode an ERC-721 Transfer; None for any other event, ERC-20's Transfer included."""
    if len(log.topics) != 4 or log.topics[0] != TRANSFER_TOPIC or log.data:
        return None
    return TransferEvent(
        sender=_party(log.topics[1]),
        recipient=_party(log.topics[2]),
        token_id=int.from_bytes(log.topics[3], "big"),
    )


def decode_minted(log: Log) -> MintedEvent | None:
    """Decode the collection's Minted; None for any other event."""
    if len(log.topics) != 3 or log.topics[0] != MINTED_TOPIC or len(log.data) != 32:
        return None
    return MintedEvent(
        token_id=int.from_bytes(log.topics[1], "big"),
        to=checksummed("0x" + log.topics[2][12:].hex()),
        metadata_digest=log.data,
    )


def _party(topic: bytes) -> str | None:
    party = "0x" + topic[12:].hex()
    return None if party == ZERO_ADDRESS else checksummed(party)


def decode_revert(data: bytes) -> Revert:
    """Decode the data that a call reverted with; what no known error explains is `Unknown`, with its data."""
    known = _errors().get(data[:4])
    if known is None:
        return Revert("Unknown", {"data": data})
    name, names, types = known
    try:
        values = decode(types, data[4:])
    except (DecodingError, UnicodeDecodeError, OverflowError):  # the last for a length beyond any memory
        if data[:4] == _ERROR_STRING and data[4:36] == word(32) and len(data) > LIMIT:
            # A long message, of which `RpcError` has kept the start.
            return Revert("Error", {"message": data[_MESSAGE_AT:].decode(errors="replace")})
        return Revert("Unknown", {"data": data})
    typed = zip(types, values, strict=True)
    arguments = (checksummed(value) if kind == "address" else value for kind, value in typed)
    return Revert(name, dict(zip(names, arguments, strict=True)))


@cache
def _errors() -> Mapping[bytes, tuple[str, tuple[str, ...], tuple[str, ...]]]:
    errors = {
        _ERROR_STRING: ("Error", ("message",), ("string",)),
        _PANIC: ("Panic", ("code",), ("uint256",)),
    }
    # Of the factory and its collections too: a reader of a revert need not know which contract said it.
    for entry in (entry for contract in CONTRACTS for entry in compiled(contract)["abi"]):
        if entry["type"] == "error":
            types = tuple(item["type"] for item in entry["inputs"])
            names = tuple(item["name"] for item in entry["inputs"])
            # The first one's names count: `AlreadyMinted` of an item has its serial in the same place.
            errors.setdefault(selector(f"{entry['name']}({','.join(types)})"), (entry["name"], names, types))
    return errors


def _shown(value: Any) -> str:
    return "0x" + value.hex() if isinstance(value, bytes) else str(value)


def roles_slot(role: bytes, account: str) -> bytes:
    """Return the storage key of `_roles[role].hasRole[account]`, to give a role by a state override.

    `hasRole` is the first member of its struct, so the struct's own slot is the inner mapping's.
    https://docs.soliditylang.org/en/latest/internals/layout_in_storage.html
    """
    return keccak256(address_word(account) + keccak256(role + word(_roles_position())))


@cache
def _roles_position() -> int:
    [position] = [
        item["slot"] for item in artifact()["storageLayout"]["storage"] if item["label"] == "_roles"
    ]
    return int(position)
