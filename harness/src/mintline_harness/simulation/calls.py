"""Decodes what the simulated collection is called with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from types import MappingProxyType

from mintline.eth import (
    BURN_SELECTOR,
    MINT_BATCH_SELECTOR,
    REDEEM_SELECTOR,
    TRANSFER_SELECTOR,
    to_checksum_address,
)
from mintline.holder_calls import HolderCall
from mintline.holder_signatures import BURN_BY_SIGNATURE, SIGNATURE_BYTES, TRANSFER_BY_SIGNATURE
from mintline.item_calls import (
    BURN_ITEM_BY_SIGNATURE,
    MINT_ITEMS_SELECTOR,
    TRANSFER_ITEM_BY_SIGNATURE,
    ItemMint,
)
from mintline_harness.simulation.contract import Batch, BurnCall, Call, Redemption, TransferCall
from mintline_harness.simulation.items import ItemBatch, ItemCall, SignedItemCall
from mintline_harness.simulation.signed_calls import SignedCall


@lru_cache(maxsize=4096)
def called(data: bytes) -> Call | None:
    """Decode a call of the collection, None for other data."""
    decode = _DECODERS.get(data[:4])
    return None if decode is None else decode(data[4:])


@lru_cache(maxsize=4096)
def item_call(data: bytes) -> ItemCall | None:
    """Decode a call of the ERC-1155 collection, None for other data."""
    decode = _ITEM_DECODERS.get(data[:4])
    return None if decode is None else decode(data[4:])


def redemption(data: bytes) -> Redemption | None:
    """Decode a call of `redeem`, None for other data."""
    call = called(data)
    return call if isinstance(call, Redemption) else None


def _words(data: bytes, count: int) -> list[bytes] | None:
    if len(data) < 32 * count:
        return None
    return [data[32 * index : 32 * index + 32] for index in range(count)]


def _redemption(data: bytes) -> Call | None:
    words = _words(data, 6)
    if words is None or len(data) < 6 * 32 + 65:
        return None
    return Redemption(
        token_id=_number(words[0]),
        to=_address(words[1]),
        digest=words[2],
        deadline=_number(words[3]),
        signature=data[6 * 32 : 6 * 32 + 65],
    )


def _batch(data: bytes) -> Call | None:
    head = _words(data, 2)
    words = None if head is None else _words(data[64:], 3 * _number(head[1]))
    if words is None:
        return None
    thirds = range(0, len(words), 3)
    return Batch(tuple((_number(words[at]), _address(words[at + 1]), words[at + 2]) for at in thirds))


def _transfer(data: bytes) -> Call | None:
    words = _words(data, 3)
    if words is None:
        return None
    return TransferCall(_address(words[0]), _address(words[1]), _number(words[2]))


def _burn(data: bytes) -> Call | None:
    words = _words(data, 1)
    return None if words is None else BurnCall(_number(words[0]))


def _signed_transfer(data: bytes) -> Call | None:
    words, signature = _words(data, 7), data[7 * 32 : 7 * 32 + SIGNATURE_BYTES]
    if words is None or len(signature) < SIGNATURE_BYTES:
        return None
    token_id, counter, deadline = map(_number, words[2:5])
    return SignedCall(_address(words[0]), _address(words[1]), token_id, counter, deadline, signature)


def _signed_burn(data: bytes) -> Call | None:
    words, signature = _words(data, 6), data[6 * 32 : 6 * 32 + SIGNATURE_BYTES]
    if words is None or len(signature) < SIGNATURE_BYTES:
        return None
    token_id, counter, deadline = map(_number, words[1:4])
    return SignedCall(_address(words[0]), None, token_id, counter, deadline, signature)


def _item_batch(data: bytes) -> ItemCall | None:
    head = _words(data, 2)
    words = None if head is None else _words(data[64:], 5 * _number(head[1]))
    if words is None:
        return None
    lines = []
    for at in range(0, len(words), 5):
        serial, item_id, quantity = map(_number, words[at : at + 3])
        lines.append(ItemMint(serial, item_id, quantity, _address(words[at + 3]), words[at + 4]))
    return ItemBatch(tuple(lines))


def _signed_item_transfer(data: bytes) -> ItemCall | None:
    words, signature = _words(data, 8), data[8 * 32 : 8 * 32 + SIGNATURE_BYTES]
    if words is None or len(signature) < SIGNATURE_BYTES:
        return None
    numbers = map(_number, words[2:6])
    return SignedItemCall(HolderCall(_address(words[0]), _address(words[1]), *numbers), signature)


def _signed_item_burn(data: bytes) -> ItemCall | None:
    words, signature = _words(data, 7), data[7 * 32 : 7 * 32 + SIGNATURE_BYTES]
    if words is None or len(signature) < SIGNATURE_BYTES:
        return None
    numbers = map(_number, words[1:5])
    return SignedItemCall(HolderCall(_address(words[0]), None, *numbers), signature)


_DECODERS: Mapping[bytes, Callable[[bytes], Call | None]] = MappingProxyType(
    {
        REDEEM_SELECTOR: _redemption,
        MINT_BATCH_SELECTOR: _batch,
        TRANSFER_SELECTOR: _transfer,
        BURN_SELECTOR: _burn,
        TRANSFER_BY_SIGNATURE: _signed_transfer,
        BURN_BY_SIGNATURE: _signed_burn,
    }
)
_ITEM_DECODERS: Mapping[bytes, Callable[[bytes], ItemCall | None]] = MappingProxyType(
    {
        MINT_ITEMS_SELECTOR: _item_batch,
        TRANSFER_ITEM_BY_SIGNATURE: _signed_item_transfer,
        BURN_ITEM_BY_SIGNATURE: _signed_item_burn,
    }
)


def _address(word: bytes) -> str:
    return to_checksum_address(word[12:])


def _number(data: bytes) -> int:
    return int.from_bytes(data, "big")
