"""The event with which an ERC-1155 collection of a factory reports a mint (`MintlineMultiToken.sol`)."""

from __future__ import annotations

from dataclasses import dataclass

from mintline.chain.answers import Log, checksummed
from mintline.eth import keccak256

ITEM_MINTED_TOPIC = keccak256(b"ItemMinted(uint256,uint256,address,uint256,bytes32)")


@dataclass(frozen=True, slots=True)
class ItemMintedEvent:
    """`quantity` tokens of an item were minted; the TransferSingle of the same mint follows."""

    serial: int
    item_id: int
    to: str
    quantity: int
    metadata_digest: bytes


def decode_item_minted(log: Log) -> ItemMintedEvent | None:
    """Decode the collection's ItemMinted; None for any other event."""
    if len(log.topics) != 4 or log.topics[0] != ITEM_MINTED_TOPIC or len(log.data) != 64:
        return None
    return ItemMintedEvent(
        serial=int.from_bytes(log.topics[1], "big"),
        item_id=int.from_bytes(log.topics[2], "big"),
        to=checksummed("0x" + log.topics[3][12:].hex()),
        quantity=int.from_bytes(log.data[:32], "big"),
        metadata_digest=log.data[32:],
    )
