from __future__ import annotations

import pytest
from eth_abi.abi import encode
from hypothesis import given
from hypothesis import strategies as st

from mintline.chain import collection
from mintline.chain.answers import Log
from mintline.eth import ZERO_ADDRESS, address_word, keccak256, selector, to_checksum_address, word

ALICE = to_checksum_address("0x" + "a1" * 20)
BOB = to_checksum_address("0x" + "b0" * 20)
DIGEST = bytes(range(32))


def event(*topics: bytes, data: bytes = b"") -> Log:
    return Log(ALICE, topics, data, bytes(32), 1, bytes(32), 0, removed=False)


@pytest.mark.parametrize(
    ("sender", "recipient", "expected"),
    [(ALICE, BOB, (ALICE, BOB)), (ZERO_ADDRESS, BOB, (None, BOB)), (ALICE, ZERO_ADDRESS, (ALICE, None))],
)
def test_transfer__when_minted_moved_or_burned__then_its_parties(
    sender: str, recipient: str, expected: tuple[str | None, str | None]
) -> None:
    decoded = collection.decode_transfer(
        event(collection.TRANSFER_TOPIC, address_word(sender), address_word(recipient), word(7))
    )
    assert decoded is not None
    assert (decoded.sender, decoded.recipient, decoded.token_id) == (*expected, 7)


def test_transfer__when_it_is_erc_20s__then_none() -> None:
    topics = (collection.TRANSFER_TOPIC, address_word(ALICE), address_word(BOB))
    assert collection.decode_transfer(event(*topics, data=word(7))) is None


def test_minted__when_emitted__then_its_digest() -> None:
    decoded = collection.decode_minted(
        event(collection.MINTED_TOPIC, word(2**255), address_word(BOB), data=DIGEST)
    )
    assert decoded == collection.MintedEvent(2**255, BOB, DIGEST)


def test_minted__when_another_event__then_none() -> None:
    assert collection.decode_minted(event(collection.TRANSFER_TOPIC, word(1), word(2), data=DIGEST)) is None
    assert collection.decode_minted(event()) is None


def test_topics__when_compared_with_the_artifact__then_the_contract_emits_them() -> None:
    entries = collection.artifact()["abi"]
    emitted = {
        keccak256(f"{entry['name']}({','.join(item['type'] for item in entry['inputs'])})".encode())
        for entry in entries
        if entry["type"] == "event"
    }
    assert {collection.TRANSFER_TOPIC, collection.MINTED_TOPIC} <= emitted


def test_revert__when_a_custom_error__then_its_name_and_arguments() -> None:
    revert = collection.decode_revert(selector("AlreadyMinted(uint256)") + word(5))
    assert (revert.name, dict(revert.args)) == ("AlreadyMinted", {"tokenId": 5})
    assert str(revert) == "AlreadyMinted(tokenId=5)"


def test_revert__when_every_error_of_the_contract__then_decoded() -> None:
    samples = {"address": ALICE, "bytes32": DIGEST, "uint256": 3, "string": "text"}
    for entry in collection.artifact()["abi"]:
        if entry["type"] == "error":
            types = [item["type"] for item in entry["inputs"]]
            values = [samples[kind] for kind in types]
            data = selector(f"{entry['name']}({','.join(types)})") + encode(types, values)
            revert = collection.decode_revert(data)
            assert revert.name == entry["name"]
            assert list(revert.args.values()) == values


def test_revert__when_require_failed__then_its_text_alone() -> None:
    assert (
        str(collection.decode_revert(selector("Error(string)") + encode(["string"], ["no ink"]))) == "no ink"
    )


def test_revert__when_panicked__then_its_code() -> None:
    assert str(collection.decode_revert(selector("Panic(uint256)") + word(0x11))) == "Panic(code=17)"


KNOWN = [b"", *map(selector, ("Error(string)", "Panic(uint256)", "AlreadyMinted(uint256)"))]


@given(st.sampled_from(KNOWN), st.binary(max_size=100))
def test_revert__when_any_data__then_it_never_fails(known: bytes, data: bytes) -> None:
    assert collection.decode_revert(known + data).name


@pytest.mark.parametrize(
    "arguments",
    [
        b"",
        word(32) + word(2**256 - 1),
        word(2**256 - 1),
        word(32) + word(2) + b"\xff\xfe".ljust(32, b"\0"),
        word(32) + word(33) + bytes(32),
    ],
    ids=["nothing", "a huge length", "a huge offset", "no text", "cut off"],
)
def test_revert__when_a_known_error_has_broken_arguments__then_unknown(arguments: bytes) -> None:
    data = selector("Error(string)") + arguments
    assert collection.decode_revert(data) == collection.Revert("Unknown", {"data": data})


def test_roles_slot__when_computed_by_hand__then_the_same() -> None:
    # _roles is at slot 9: keccak(account . keccak(role . 9)), hasRole being the struct's first member.
    inner = keccak256(collection.ISSUER_ROLE + word(9))
    assert collection.roles_slot(collection.ISSUER_ROLE, ALICE) == keccak256(address_word(ALICE) + inner)


def test_creation_code__when_made__then_bytecode_and_arguments() -> None:
    code = collection.creation_code(
        name="N",
        symbol="S",
        base_uri="https://example.com/",
        contract_uri="https://example.com/c",
        admin=ALICE,
        issuer=BOB,
        royalty_receiver=ALICE,
        royalty_bps=250,
    )
    types = ["string", "string", "string", "string", "address", "address", "address", "uint96"]
    values = ["N", "S", "https://example.com/", "https://example.com/c", ALICE, BOB, ALICE, 250]
    assert code.hex() == collection.artifact()["bytecode"][2:] + encode(types, values).hex()
