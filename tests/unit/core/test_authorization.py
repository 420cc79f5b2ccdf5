from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from mintline.authorization import (
    SealBroken,
    Sealer,
    key_id,
    mint_digest,
    sealed_for,
    unseal,
    voucher_digest,
)

KEY = ec.generate_private_key(ec.SECP256R1())
WALLET = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
OTHER = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"
CONTRACT = "0x5FbDB2315678afecb367f032d93F642f64180aa3"
TOKEN = "header.claims.signature"
DIGEST = bytes(range(32))
MINT: dict[str, Any] = {
    "mint_id": "mint_1",
    "sub": "user-1",
    "chain_id": 31337,
    "contract": CONTRACT,
    "to": WALLET,
    "metadata_digest": DIGEST,
    "sender": WALLET,
}
OTHERS: dict[str, Any] = {
    "mint_id": "mint_2",
    "sub": "user-2",
    "chain_id": 1,
    "contract": OTHER,
    "to": OTHER,
    "metadata_digest": bytes(32),
    "sender": OTHER,
}


def spki(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def sealer() -> Sealer:
    return Sealer(spki(KEY))


def test_seal__when_opened_for_the_same_request__gives_the_token() -> None:
    envelope = sealer().seal(TOKEN, DIGEST)
    assert unseal(envelope, DIGEST, KEY) == TOKEN
    assert TOKEN.encode() not in envelope


def test_seal__when_made__names_its_key_by_the_points_hash() -> None:
    point = KEY.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    envelope = sealer().seal(TOKEN, DIGEST)
    assert envelope[:9] == b"\x01" + hashlib.sha256(point).digest()[:8]
    assert sealed_for(envelope) == key_id(spki(KEY))


def test_seal__when_made_twice__differs() -> None:
    assert sealer().seal(TOKEN, DIGEST) != sealer().seal(TOKEN, DIGEST)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda _: b"",
        lambda e: e[:9],
        lambda e: e[:10],
        lambda e: e[:-1],
        lambda e: e + b"\x00",
        lambda e: b"\x02" + e[1:],
        lambda e: e[:9] + bytes((e[9] ^ 1,)) + e[10:],
        lambda e: e[:-1] + bytes((e[-1] ^ 1,)),
    ],
    ids=["empty", "no box", "a byte", "short", "long", "another version", "another point", "another tag"],
)
def test_unseal__when_the_envelope_is_spoiled__refuses(spoil: Callable[[bytes], bytes]) -> None:
    with pytest.raises(SealBroken):
        unseal(spoil(sealer().seal(TOKEN, DIGEST)), DIGEST, KEY)


def test_unseal__when_it_is_for_another_request_or_key__refuses() -> None:
    envelope = sealer().seal(TOKEN, DIGEST)
    with pytest.raises(SealBroken):
        unseal(envelope, bytes(32), KEY)
    with pytest.raises(SealBroken):
        unseal(envelope, DIGEST, ec.generate_private_key(ec.SECP256R1()))


def test_unseal__when_a_token_is_not_ascii__refuses() -> None:
    with pytest.raises(SealBroken):
        unseal(sealer().seal("tökén", DIGEST), DIGEST, KEY)


@given(data=st.binary(max_size=300))
def test_unseal__when_it_is_garbage__refuses(data: bytes) -> None:
    with pytest.raises(SealBroken):
        unseal(data, DIGEST, KEY)


@pytest.mark.parametrize(
    "key", [b"", b"junk", spki(ec.generate_private_key(ec.SECP384R1()))], ids=["none", "junk", "P-384"]
)
def test_sealer__when_the_key_is_not_on_p256__refuses(key: bytes) -> None:
    with pytest.raises(ValueError, match="public key"):
        Sealer(key)


def test_mint_digest__when_computed__is_the_same_for_ever() -> None:
    assert mint_digest(**MINT).hex() == ("73977dba7baf51c0c09a8769e372f53000513c67d82d05c14d9903d445a80493")
    assert voucher_digest(**voucher(MINT)).hex() == (
        "7ec75a39e6705ac0700dab14a01f8ddc45c6cc97b048bd6836c9d5d88a11a5ac"
    )


def voucher(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if name not in ("sub", "sender")}


@pytest.mark.parametrize("field", sorted(MINT))
def test_mint_digest__when_any_field_is_another__is_another(field: str) -> None:
    assert mint_digest(**MINT | {field: OTHERS[field]}) != mint_digest(**MINT)


@pytest.mark.parametrize("field", sorted(voucher(MINT)))
def test_voucher_digest__when_any_field_is_another__is_another(field: str) -> None:
    assert voucher_digest(**voucher(MINT) | {field: OTHERS[field]}) != voucher_digest(**voucher(MINT))


def test_digests__when_a_boundary_moves__differ() -> None:
    moved = MINT | {"mint_id": "mint_", "sub": "1user-1"}
    assert mint_digest(**moved) != mint_digest(**MINT)
    assert voucher_digest(**voucher(MINT)) != mint_digest(**MINT)
