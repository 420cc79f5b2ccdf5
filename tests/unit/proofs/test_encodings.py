"""Transactions and receipts from a node's JSON against what eth-account signs, and what is malformed."""

from __future__ import annotations

from typing import Any

import pytest
from eth_account import Account

from mintline.errors import Unavailable
from mintline.eth import keccak256
from mintline.proofs import encodings

KEY = "0x" + "42" * 32
TO = "0x" + "11" * 20
ACCESS = [{"address": "0x" + "22" * 20, "storageKeys": ["0x" + "33" * 32, "0x" + "00" * 32]}]
COMMON: dict[str, Any] = {"chainId": 1, "nonce": 0, "gas": 60_000, "to": TO, "value": 10**18}
FEES: dict[str, Any] = {"maxFeePerGas": 10**10, "maxPriorityFeePerGas": 0}
BLOBS: dict[str, Any] = {"maxFeePerBlobGas": 7, "blobVersionedHashes": ["0x01" + "44" * 31]}
AUTHORIZATION = Account.from_key(KEY).sign_authorization({"chainId": 0, "address": TO, "nonce": 300})
TRANSACTIONS: list[dict[str, Any]] = [
    {**COMMON, "gasPrice": 9, "data": "0x010203"},
    {**COMMON, "type": 1, "gasPrice": 9, "accessList": ACCESS},
    {**COMMON, **FEES, "type": 2, "data": "0x00" * 1},
    {**COMMON, **FEES, "type": 3, **BLOBS, "accessList": ACCESS},
    {**COMMON, **FEES, "type": 4, "authorizationList": [AUTHORIZATION]},
]


def hexed(value: Any) -> Any:
    """Return a value as JSON-RPC has it."""
    if isinstance(value, bool):
        return hex(int(value))
    if isinstance(value, int):
        return hex(value)
    if isinstance(value, bytes):
        return "0x" + value.hex()
    if isinstance(value, dict):
        return {key: hexed(item) for key, item in value.items()}
    return [hexed(item) for item in value] if isinstance(value, list) else value


def answered(transaction: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
    """Return a signed transaction as a node answers it, and its bytes."""
    signed = Account.sign_transaction(transaction, KEY)
    fields = {"accessList": [], **transaction, "input": transaction.get("data", "0x"), "type": 0} | {
        "type": transaction.get("type", 0)
    }
    if AUTHORIZATION in fields.get("authorizationList", []):
        fields["authorizationList"] = [
            {
                "chainId": AUTHORIZATION.chain_id,
                "address": "0x" + bytes(AUTHORIZATION.address).hex(),
                "nonce": AUTHORIZATION.nonce,
                "yParity": AUTHORIZATION.y_parity,
                "r": AUTHORIZATION.r,
                "s": AUTHORIZATION.s,
            }
        ]
    return hexed({**fields, "v": signed.v, "r": signed.r, "s": signed.s}), bytes(signed.raw_transaction)


@pytest.mark.parametrize("transaction", TRANSACTIONS, ids=lambda item: f"type {item.get('type', 0)}")
def test_transaction__when_a_node_answers_it__then_it_is_encoded_as_it_was_signed(
    transaction: dict[str, Any],
) -> None:
    fields, raw = answered(transaction)
    assert encodings.transaction(fields) == raw
    if "type" in transaction:
        # Nodes name the parity, the value of before typed transactions, or both.
        assert encodings.transaction({**fields, "yParity": fields["v"], "v": "0x99"}) == raw
    created = {name: value for name, value in fields.items() if name != "to"}
    if transaction.get("type", 0) < 3:
        assert encodings.transaction({**created, "to": None}) != raw


@pytest.mark.parametrize(
    "changes",
    [
        {"type": "0x7e"},
        {"type": "0x80"},
        {"type": None},
        {"nonce": None},
        {"value": "-0x1"},
        {"input": "0x1"},
        {"to": "0x11"},
        {"accessList": None},
        {"accessList": [None]},
        {"accessList": [{"address": TO, "storageKeys": ["0x"]}]},
    ],
)
def test_transaction__when_it_is_malformed__then_another_node_may_do_better(changes: dict[str, Any]) -> None:
    fields, _ = answered(TRANSACTIONS[2])
    with pytest.raises(Unavailable):
        encodings.transaction({**fields, **changes})


def test_receipt__when_it_has_a_type__then_that_comes_first() -> None:
    log = {"address": TO, "topics": ["0x" + "01" * 32], "data": "0x"}
    fields: dict[str, Any] = {
        "type": "0x3",
        "status": "0x1",
        "cumulativeGasUsed": "0x5208",
        "logsBloom": "0x" + "00" * 256,
        "logs": [log],
    }
    typed = encodings.receipt(fields)
    assert typed[:1] == b"\3"
    assert encodings.receipt({**fields, "type": "0x0"}) == typed[1:]
    older = encodings.receipt({**fields, "type": "0x0", "status": None, "root": "0x" + "07" * 32})
    assert bytes([7]) * 32 in older
    for changes in ({"logs": None}, {"logs": [1]}, {"logsBloom": "0x00"}, {"status": "0xx"}):
        with pytest.raises(Unavailable):
            encodings.receipt({**fields, **changes})


def test_header__when_it_is_mainnets_genesis__then_it_has_its_hash() -> None:
    empty = "0x56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421"
    genesis = {
        "parentHash": "0x" + "00" * 32,
        "sha3Uncles": "0x1dcc4de8dec75d7aab85b567b6ccd41ad312451b948a7413f0a142fd40d49347",
        "miner": "0x" + "00" * 20,
        "stateRoot": "0xd7f8974fb5ac78d9ac099b9ad5018bedc2ce0a72dad1827a1709da30580f0544",
        "transactionsRoot": empty,
        "receiptsRoot": empty,
        "logsBloom": "0x" + "00" * 256,
        "difficulty": "0x400000000",
        "number": "0x0",
        "gasLimit": "0x1388",
        "gasUsed": "0x0",
        "timestamp": "0x0",
        "extraData": "0x11bbe8db4e347b4e8c937c1c8370e4b5ed33adb3db69cbdb7a38e1e50b1b82fa",
        "mixHash": "0x" + "00" * 32,
        "nonce": "0x0000000000000042",
    }
    expected = "d4e56740f876aef8c010b86a40d5f56745a118d0906a34e69aec8c0db1cb8fa3"
    assert keccak256(encodings.header(genesis)).hex() == expected
