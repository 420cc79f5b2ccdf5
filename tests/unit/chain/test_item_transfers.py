"""ERC-1155's transfer events, whole and damaged."""

from __future__ import annotations

import pytest
from eth_abi.abi import encode
from hypothesis import given
from hypothesis import strategies as st

from mintline.chain.answers import Log
from mintline.chain.multi_token_transfers import (
    TRANSFER_BATCH_TOPIC,
    TRANSFER_SINGLE_TOPIC,
    balance_of_batch,
    decode_balances,
    decode_item_transfers,
)
from mintline.eth import UINT256_MAX, address_word, keccak256, to_checksum_address

ALICE, BOB = (to_checksum_address(bytes([n]) * 20) for n in (0x11, 0x12))
ZERO = bytes(32)


def log(topic: bytes, data: bytes, sender: bytes = ZERO, recipient: bytes | None = None) -> Log:
    topics = (topic, address_word(ALICE), sender, address_word(BOB) if recipient is None else recipient)
    return Log(ALICE, topics, data, ZERO, 1, ZERO, 0, removed=False)


def batch(*moved: tuple[int, int]) -> bytes:
    return encode(("uint256[]", "uint256[]"), ([item for item, _ in moved], [n for _, n in moved]))


def single(token_id: int, quantity: int) -> bytes:
    return encode(("uint256", "uint256"), (token_id, quantity))


def test_transfers__when_one_item_is_minted__then_it_has_no_sender() -> None:
    transfers = decode_item_transfers(log(TRANSFER_SINGLE_TOPIC, single(7, UINT256_MAX)))
    assert transfers == (None, BOB, {7: UINT256_MAX})


def test_transfers__when_a_batch_names_an_item_twice__then_the_sum_is_moved_and_nothing_of_zero() -> None:
    data = batch((7, 1), (8, 0), (7, 2), (9, UINT256_MAX), (9, 1))
    transfers = decode_item_transfers(log(TRANSFER_BATCH_TOPIC, data, address_word(ALICE), ZERO))
    assert transfers == (ALICE, None, {7: 3, 9: UINT256_MAX})


@pytest.mark.parametrize(
    "event",
    [
        log(TRANSFER_SINGLE_TOPIC, single(7, 0)),
        log(TRANSFER_SINGLE_TOPIC, single(7, 1), ZERO, ZERO),
        log(TRANSFER_SINGLE_TOPIC, single(7, 1)[:40]),
        log(TRANSFER_BATCH_TOPIC, batch()),
        log(TRANSFER_BATCH_TOPIC, encode(("uint256[]", "uint256[]"), ([1, 2], [1]))),
        log(TRANSFER_BATCH_TOPIC, (2**255).to_bytes(32, "big") * 2),
        log(TRANSFER_BATCH_TOPIC, b"\xff" * 128),
        log(keccak256(b"Transfer(address,address,uint256)"), single(7, 1)),
    ],
)
def test_transfers__when_an_event_moves_nothing_or_is_not_valid__then_is_none(event: Log) -> None:
    assert decode_item_transfers(event) is None


@given(st.sampled_from([TRANSFER_SINGLE_TOPIC, TRANSFER_BATCH_TOPIC]), st.binary(max_size=400))
def test_transfers__when_data_is_rubbish__then_no_error_leaves(topic: bytes, data: bytes) -> None:
    transfers = decode_item_transfers(log(topic, data))
    assert transfers is None or all(0 < quantity <= UINT256_MAX for quantity in transfers.quantities.values())


def test_balances__when_asked_for__then_the_answer_has_one_for_each() -> None:
    assert (
        balance_of_batch([(ALICE, 7), (BOB, 8)])[:4] == keccak256(b"balanceOfBatch(address[],uint256[])")[:4]
    )
    result = encode(("uint256[]",), ([3, UINT256_MAX],))
    assert decode_balances(result, 2) == (3, UINT256_MAX)
    assert decode_balances(result, 3) is None
    assert decode_balances(result[:70], 2) is None
