from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from mintline.acceptance import STATEMENT_BYTES, Fault, NotVouchedFor, Statement
from mintline.authorization import (
    MAX_TOKEN,
    AcceptanceMissing,
    Envelope,
    EnvelopeInvalid,
    PublicAuthorizationKey,
    key_id,
)
from mintline.messages.parts import MAX_ENVELOPE
from mintline.request_digests import mint_digest, voucher_digest
from mintline_testkit.constants import CONTRACT

KEY = ec.generate_private_key(ec.SECP256R1())
WALLET = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
OTHER = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"
TOKEN = "header.claims.signature"
DIGEST = bytes(range(32))
ACCEPTED = Statement(certificate=bytes(range(121)), at=1_790_000_000_123, signature=bytes(range(64)))
HEADER = 1 + STATEMENT_BYTES + 8
MINT: dict[str, Any] = {
    "mint_id": "mint_1",
    "sub": "user-1",
    "chain_id": 31337,
    "contract": CONTRACT,
    "to": WALLET,
    "metadata_digest": DIGEST,
    "sender": WALLET,
    "token_id": 7,
}
OTHERS: dict[str, Any] = {
    "mint_id": "mint_2",
    "sub": "user-2",
    "chain_id": 1,
    "contract": OTHER,
    "to": OTHER,
    "metadata_digest": bytes(32),
    "sender": OTHER,
    "token_id": 2**255,
}


def spki(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def public_key() -> PublicAuthorizationKey:
    return PublicAuthorizationKey(spki(KEY))


def sealed(token: str = TOKEN) -> bytes:
    return public_key().seal(token, DIGEST, ACCEPTED)


def opened(envelope: bytes, *, digest: bytes = DIGEST, key: ec.EllipticCurvePrivateKey = KEY) -> str:
    return Envelope.from_bytes(envelope).open(digest, key)


def test_seal__when_opened_for_the_same_request__gives_the_token_and_the_acceptance() -> None:
    envelope = sealed()
    assert opened(envelope) == TOKEN
    assert Envelope.from_bytes(envelope).acceptance == ACCEPTED
    assert TOKEN.encode() not in envelope


def test_seal__when_made__names_its_key_by_the_points_hash() -> None:
    point = KEY.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    envelope = sealed()
    assert envelope[0] == 2
    assert envelope[HEADER - 8 : HEADER] == hashlib.sha256(point).digest()[:8]
    assert Envelope.from_bytes(envelope).key_id == key_id(spki(KEY))


def test_seal__when_made_twice__differs() -> None:
    assert sealed() != sealed()


def test_seal__when_the_token_is_as_long_as_may_be__fits_a_message_and_no_longer_one_is_sealed() -> None:
    assert len(sealed("x" * MAX_TOKEN)) == MAX_ENVELOPE
    with pytest.raises(ValueError, match=f"an envelope holds {MAX_TOKEN}"):
        sealed("x" * (MAX_TOKEN + 1))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda _: b"",
        lambda e: e[:9],
        lambda e: e[:HEADER],
        lambda e: e[: HEADER + 1],
        lambda e: e[:-1],
        lambda e: e + b"\x00",
        lambda e: b"\x01" + e[1:],
        lambda e: b"\x03" + e[1:],
        lambda e: e[:HEADER] + bytes((e[HEADER] ^ 1,)) + e[HEADER + 1 :],
        lambda e: e[:-1] + bytes((e[-1] ^ 1,)),
    ],
    ids=[
        "empty",
        "half a header",
        "no box",
        "a byte",
        "short",
        "long",
        "the version before",
        "another version",
        "another point",
        "another tag",
    ],
)
def test_open__when_the_envelope_is_spoiled__refuses(spoil: Callable[[bytes], bytes]) -> None:
    with pytest.raises(EnvelopeInvalid):
        opened(spoil(sealed()))


def test_open__when_it_is_for_another_request_or_key__refuses() -> None:
    with pytest.raises(EnvelopeInvalid):
        opened(sealed(), digest=bytes(32))
    with pytest.raises(EnvelopeInvalid):
        opened(sealed(), key=ec.generate_private_key(ec.SECP256R1()))


def test_open__when_a_token_is_not_ascii__refuses() -> None:
    with pytest.raises(EnvelopeInvalid):
        opened(sealed("tökén"))


def test_envelope__when_it_is_of_the_version_before__says_that_the_acceptance_is_missing() -> None:
    with pytest.raises(AcceptanceMissing):
        Envelope.from_bytes(b"\x01" + bytes(8) + bytes(200))


@given(data=st.binary(max_size=300))
def test_open__when_it_is_garbage__refuses(data: bytes) -> None:
    with pytest.raises(EnvelopeInvalid):
        opened(data)


@given(data=st.binary(max_size=300))
def test_statement__when_it_is_garbage__is_malformed(data: bytes) -> None:
    if len(data) == STATEMENT_BYTES:
        assert Statement.from_bytes(data).to_bytes() == data
        return
    with pytest.raises(NotVouchedFor) as caught:
        Statement.from_bytes(data)
    assert caught.value.fault is Fault.MALFORMED


@pytest.mark.parametrize(
    "key", [b"", b"junk", spki(ec.generate_private_key(ec.SECP384R1()))], ids=["none", "junk", "P-384"]
)
def test_sealer__when_the_key_is_not_on_p256__refuses(key: bytes) -> None:
    with pytest.raises(ValueError, match="public key"):
        PublicAuthorizationKey(key)


def test_mint_digest__when_computed__is_the_same_for_ever() -> None:
    assert mint_digest(**MINT).hex() == ("c6dcb1ed5e483943a573956d7ea7caea8570281ce3c109108b9d025c2b62d418")
    assert voucher_digest(**voucher(MINT)).hex() == (
        "81b575029fc79ef524e84094f1a3aba45835acbe47341d3773f961df63be8995"
    )


def voucher(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if name != "sender"}


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
