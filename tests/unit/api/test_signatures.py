"""Recovery against a known vector, and each way in which a signature is nobody's."""

from __future__ import annotations

import pytest
from eth_account import Account
from eth_account.messages import encode_defunct
from hypothesis import given
from hypothesis import strategies as st

from mintline.errors import Unavailable
from mintline.eth import SECP256K1_N
from mintline.recovery import recover
from mintline_api.chain import is_contract
from mintline_api.features.links.signatures import contract_accepts, personal_hash
from mintline_testkit.chain import FakeChain
from mintline_testkit.user_pool import OwnWallet

# web3.js, "web3.eth.accounts.sign": its documentation's example of "Some data".
DOCUMENTED_HASH = bytes.fromhex("1da44b586eb0729ff70a73c326926f6ed5a25f5b056e7f47fbc6e58d86871655")
DOCUMENTED_SIGNATURE = bytes.fromhex(
    "b91467e570a6466aa9e9876cbcd013baba02900b8979d43fe208a4a4f339f5fd"
    "6007e74cd82e037b800186422fc2da167c747ef045e5d18a5f5d4300f8e1a0291c"
)
DOCUMENTED_ADDRESS = "0x2c7536E3605D9C16a7a3D7b1898e529396a65c23"
WALLET = OwnWallet(7)
DIGEST = personal_hash(b"hello")


def test_personal_message__when_signed_by_another_library__is_of_its_address() -> None:
    assert personal_hash(b"Some data") == DOCUMENTED_HASH
    assert recover(DOCUMENTED_HASH, DOCUMENTED_SIGNATURE) == DOCUMENTED_ADDRESS


@given(st.integers(1, 2**64), st.binary(max_size=64))
def test_signature__when_made_by_a_key__is_of_its_address(seed: int, message: bytes) -> None:
    wallet, digest = OwnWallet(seed), personal_hash(message)
    signature = bytes(Account.sign_message(encode_defunct(message), seed.to_bytes(32, "big")).signature)

    assert recover(digest, signature) == wallet.address
    assert recover(digest, signature[:64] + bytes([signature[64] - 27])) == wallet.address
    assert recover(personal_hash(message + b"!"), signature) != wallet.address


def test_signature__when_it_is_the_twin_with_a_high_s__is_nobodys() -> None:
    signature = WALLET.sign(DIGEST)
    high = SECP256K1_N - int.from_bytes(signature[32:64], "big")
    twin = signature[:32] + high.to_bytes(32, "big") + bytes([27 + (28 - signature[64])])

    assert recover(DIGEST, twin) is None


@pytest.mark.parametrize(
    "signature",
    [
        b"",
        bytes(64),
        bytes(65),
        bytes(66),
        b"\xff" * 32 + bytes(31) + b"\x01\x1b",
        WALLET.sign(DIGEST)[:64] + b"\x1d",
        WALLET.sign(DIGEST)[:64] + b"\x02",
    ],
)
def test_signature__when_it_is_malformed__is_nobodys(signature: bytes) -> None:
    assert recover(DIGEST, signature) is None


@pytest.mark.parametrize(
    ("code", "expected"),
    [(b"", False), (bytes.fromhex("ef0100") + bytes(20), False), (bytes.fromhex("6080"), True)],
)
def test_account__when_it_has_code_that_is_no_delegation__is_a_contract(code: bytes, expected: bool) -> None:  # noqa: FBT001 - a table
    assert is_contract(code) is expected


async def test_contract__when_it_answers_the_magic_value__accepts() -> None:
    chain = FakeChain()
    chain.accepts[WALLET.address] = {DIGEST}

    assert await contract_accepts(chain, WALLET.address, DIGEST, b"any")
    assert not await contract_accepts(chain, WALLET.address, bytes(32), b"any")


async def test_contract__when_the_chain_is_silent__leaves_the_question_open() -> None:
    chain = FakeChain()
    chain.failure = Unavailable("no endpoint")

    with pytest.raises(Unavailable):
        await contract_accepts(chain, WALLET.address, DIGEST, b"any")
