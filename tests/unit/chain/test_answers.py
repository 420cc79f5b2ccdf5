from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mintline.chain import answers
from mintline.errors import Unavailable

HASH = "0x" + "ab" * 32
LOWER = "0x70997970c51812dc3a010c7d01b50e0d17dc79c8"
CHECKSUMMED = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"


def block(**changes: Any) -> dict[str, Any]:
    transaction = {"hash": HASH, "from": LOWER, "to": LOWER, "nonce": "0x7", "input": "0x"}
    creation = {"hash": HASH, "from": LOWER, "to": None, "nonce": "0x0"}
    return {
        "number": "0x10",
        "hash": HASH,
        "parentHash": "0x" + "cd" * 32,
        "timestamp": "0x65000000",
        "baseFeePerGas": "0x3b9aca00",
        "logsBloom": "0x" + "00" * 256,
        "transactions": [transaction, creation],
        **changes,
    }


def log_entry(**changes: Any) -> dict[str, Any]:
    return {
        "address": LOWER,
        "topics": [HASH],
        "data": "0x01",
        "blockHash": HASH,
        "blockNumber": "0x10",
        "transactionHash": HASH,
        "logIndex": "0x2",
        "removed": False,
        **changes,
    }


@given(st.integers(min_value=0, max_value=2**256 - 1))
def test_quantity__when_hex__then_its_value(value: int) -> None:
    assert answers.quantity(hex(value), "q") == value


@pytest.mark.parametrize(
    "value", [None, 1, "", "0x", "1", "0xg", "-0x1", "0x-1", "0x" + "f" * 65, "0x1_0", " 0x1"]
)
def test_quantity__when_malformed__then_unavailable_with_its_name(value: Any) -> None:
    with pytest.raises(Unavailable, match="gas limit"):
        answers.quantity(value, "gas limit")


@given(st.binary(max_size=100))
def test_octets__when_hex__then_its_bytes(value: bytes) -> None:
    assert answers.octets("0x" + value.hex(), "d") == value


@pytest.mark.parametrize("value", [None, 5, "", "ab", "0xa", "0xzz", "0x ab", "0xab cd"])
def test_octets__when_malformed__then_unavailable(value: Any) -> None:
    with pytest.raises(Unavailable):
        answers.octets(value, "data")


def test_octets__when_of_another_length__then_unavailable() -> None:
    with pytest.raises(Unavailable, match="32 bytes"):
        answers.octets("0xabcd", "hash", 32)


def test_block__when_full__then_its_transactions_are_there() -> None:
    parsed = answers.block(block(), full=True)
    assert (parsed.number, parsed.timestamp, parsed.base_fee) == (16, 0x65000000, 10**9)
    first, second = parsed.transactions
    assert (first.sender, first.to, first.nonce) == (CHECKSUMMED, CHECKSUMMED, 7)
    assert second.to is None


def test_block__when_not_full__then_hashes_of_transactions_are_passed_over() -> None:
    assert answers.block(block(transactions=[HASH]), full=False).transactions == ()


@pytest.mark.parametrize(
    "changes",
    [
        {"number": None},
        {"hash": "0x12"},
        {"logsBloom": "0x00"},
        {"transactions": None},
        {"transactions": [HASH]},
        {"transactions": [{"hash": HASH, "from": None, "nonce": "0x0"}]},
    ],
)
def test_block__when_malformed__then_unavailable(changes: dict[str, Any]) -> None:
    with pytest.raises(Unavailable):
        answers.block(block(**changes), full=True)


def test_block__when_before_eip_1559__then_its_base_fee_is_zero() -> None:
    old = block()
    del old["baseFeePerGas"]
    assert answers.block(old, full=True).base_fee == 0


def test_logs__when_well_formed__then_values() -> None:
    [entry] = answers.logs([log_entry()])
    assert (entry.address, entry.data, entry.log_index, entry.removed) == (CHECKSUMMED, b"\x01", 2, False)


@pytest.mark.parametrize("value", [None, {}, [None], [log_entry(topics=None)], [log_entry(blockHash=None)]])
def test_logs__when_malformed_or_pending__then_unavailable(value: Any) -> None:
    with pytest.raises(Unavailable):
        answers.logs(value)


@pytest.mark.parametrize(("status", "expected"), [("0x1", True), ("0x0", False)])
def test_receipt__when_mined__then_its_outcome(status: str, expected: bool) -> None:  # noqa: FBT001
    fields = {
        "transactionHash": HASH,
        "status": status,
        "blockNumber": "0x5",
        "blockHash": HASH,
        "gasUsed": "0x5208",
    }
    parsed = answers.receipt(fields)
    assert (parsed.status, parsed.gas_used) == (expected, 21_000)


def test_fee_market__when_some_blocks_were_empty__then_the_median_of_the_others() -> None:
    history = {
        "baseFeePerGas": ["0x1", "0x2", "0x3"],
        "reward": [["0x0"], ["0x5"], ["0x9"], ["0x7"]],
    }
    assert answers.fee_market(history) == answers.FeeMarket(base_fee=3, priority_fee=7)


@pytest.mark.parametrize("reward", [None, [], [["0x0"]]])
def test_fee_market__when_nothing_was_tipped__then_zero(reward: Any) -> None:
    assert answers.fee_market({"baseFeePerGas": ["0x1"], "reward": reward}).priority_fee == 0


@pytest.mark.parametrize("value", [None, {}, {"baseFeePerGas": []}, {"baseFeePerGas": ["x"]}])
def test_fee_market__when_malformed__then_unavailable(value: Any) -> None:
    with pytest.raises(Unavailable):
        answers.fee_market(value)
