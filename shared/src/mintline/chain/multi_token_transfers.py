"""ERC-1155's transfers as the services see them: its events, and the question for balances."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from eth_abi.abi import decode, encode
from eth_abi.exceptions import DecodingError

from mintline.chain.answers import Log, checksummed
from mintline.eth import UINT256_MAX, ZERO_ADDRESS, keccak256, selector

TRANSFER_SINGLE_TOPIC = keccak256(b"TransferSingle(address,address,address,uint256,uint256)")
TRANSFER_BATCH_TOPIC = keccak256(b"TransferBatch(address,address,address,uint256[],uint256[])")
TRANSFER_TOPICS = (TRANSFER_SINGLE_TOPIC, TRANSFER_BATCH_TOPIC)

_BALANCE_OF_BATCH = selector("balanceOfBatch(address[],uint256[])")
_TOPICS = 4
"""The event's, the operator's, the sender's and the recipient's."""


class ItemTransfers(NamedTuple):
    """What one event moved; `sender` is None for a mint, `recipient` None for a burn."""

    sender: str | None
    recipient: str | None
    quantities: Mapping[int, int]
    """Of each item, by its token id."""


def decode_item_transfers(log: Log) -> ItemTransfers | None:
    """Decode a TransferSingle or TransferBatch; None for any other event, and for one that is not valid.

    An item that an event names several times is moved once, by the sum, and one of which nothing is moved not
    at all. Nor is anything moved from nobody to nobody. Sums end at 2**256 - 1, as balances do.
    """
    if len(log.topics) != _TOPICS or log.topics[0] not in TRANSFER_TOPICS:
        return None
    sender, recipient = _party(log.topics[2]), _party(log.topics[3])
    quantities: dict[int, int] = {}
    for token_id, quantity in _moved(log):
        if quantity and (sender, recipient) != (None, None):
            quantities[token_id] = min(UINT256_MAX, quantities.get(token_id, 0) + quantity)
    return ItemTransfers(sender, recipient, quantities) if quantities else None


def _moved(log: Log) -> Sequence[tuple[int, int]]:
    """Return token ids and quantities as the event has them; none if its data is not valid."""
    try:
        if log.topics[0] == TRANSFER_SINGLE_TOPIC:
            token_id, quantity = decode(("uint256", "uint256"), log.data)
            return ((token_id, quantity),)
        ids, quantities = decode(("uint256[]", "uint256[]"), log.data)
        return tuple(zip(ids, quantities, strict=True))
    except (
        DecodingError,
        OverflowError,
        ValueError,
    ):  # the last two for lengths beyond memory, or unlike
        return ()


def balance_of_batch(held: Sequence[tuple[str, int]]) -> bytes:
    """Return the calldata that asks for balances, each of a holder and a token id."""
    holders, ids = [holder for holder, _ in held], [token_id for _, token_id in held]
    return _BALANCE_OF_BATCH + encode(("address[]", "uint256[]"), (holders, ids))


def decode_balances(data: bytes, count: int) -> tuple[int, ...] | None:
    """Decode the answer to `balance_of_batch`; None if it is not `count` balances."""
    try:
        (balances,) = decode(("uint256[]",), data)
    except (DecodingError, OverflowError):
        return None
    return tuple(balances) if len(balances) == count else None


def _party(topic: bytes) -> str | None:
    party = "0x" + topic[12:].hex()
    return None if party == ZERO_ADDRESS else checksummed(party)
