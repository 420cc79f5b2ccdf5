"""Calls of ERC-1155 collections, and what their holders sign (`contracts/src/MintlineMultiToken.sol`).

An item is an ERC-1155 token id. A mint's `serial` is its own number, which the contract uses once. Typed data
(EIP-712) is in the domain of `mintline.holder_signatures`, with the item's id and the number of tokens in it.
No client and no network here: the enclave relies on it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from mintline.eth import address_word, keccak256, selector, typed_data_hash, word
from mintline.holder_signatures import signature_tail

MINT_ITEMS_SELECTOR = selector("mintBatch((uint256,uint256,uint256,address,bytes32)[])")
TRANSFER_ITEM_BY_SIGNATURE = selector(
    "transferBySignature(address,address,uint256,uint256,uint256,uint256,bytes)"
)
BURN_ITEM_BY_SIGNATURE = selector("burnBySignature(address,uint256,uint256,uint256,uint256,bytes)")

_TRANSFER_TYPEHASH = keccak256(
    b"Transfer(address from,address to,uint256 id,uint256 value,uint256 nonce,uint256 deadline)"
)
_BURN_TYPEHASH = keccak256(b"Burn(address from,uint256 id,uint256 value,uint256 nonce,uint256 deadline)")


class ItemMint(NamedTuple):
    """One mint of a batch: `quantity` tokens of an item."""

    serial: int
    item_id: int
    quantity: int
    to: str
    metadata_digest: bytes


def mint_items_calldata(mints: Sequence[ItemMint]) -> bytes:
    """Return the calldata of `mintBatch(MintRequest[])`."""
    requests = b"".join(
        word(mint.serial)
        + word(mint.item_id)
        + word(mint.quantity)
        + address_word(mint.to)
        + mint.metadata_digest
        for mint in mints
    )
    return MINT_ITEMS_SELECTOR + word(32) + word(len(mints)) + requests


def item_transfer_hash(
    *,
    chain_id: int,
    contract: str,
    holder: str,
    to: str,
    token_id: int,
    quantity: int,
    counter: int,
    deadline: int,
) -> bytes:
    """Return the digest that a holder signs to have tokens of an item transferred, 32 bytes."""
    fields = (address_word(holder), address_word(to), *map(word, (token_id, quantity, counter, deadline)))
    return typed_data_hash(chain_id, contract, keccak256(_TRANSFER_TYPEHASH + b"".join(fields)))


def item_burn_hash(
    *, chain_id: int, contract: str, holder: str, token_id: int, quantity: int, counter: int, deadline: int
) -> bytes:
    """Return the digest that a holder signs to have tokens of an item burned, 32 bytes."""
    fields = (address_word(holder), *map(word, (token_id, quantity, counter, deadline)))
    return typed_data_hash(chain_id, contract, keccak256(_BURN_TYPEHASH + b"".join(fields)))


def transfer_item_calldata(
    *, holder: str, to: str, token_id: int, quantity: int, counter: int, deadline: int, signature: bytes
) -> bytes:
    """Return the calldata of `transferBySignature`; `signature` is 65 bytes."""
    head = (address_word(holder), address_word(to), *map(word, (token_id, quantity, counter, deadline)))
    return TRANSFER_ITEM_BY_SIGNATURE + b"".join(head) + signature_tail(len(head), signature)


def burn_item_calldata(
    *, holder: str, token_id: int, quantity: int, counter: int, deadline: int, signature: bytes
) -> bytes:
    """Return the calldata of `burnBySignature`; `signature` is 65 bytes."""
    head = (address_word(holder), *map(word, (token_id, quantity, counter, deadline)))
    return BURN_ITEM_BY_SIGNATURE + b"".join(head) + signature_tail(len(head), signature)
