from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from eth_account import Account
from hypothesis import given
from hypothesis import strategies as st

from mintline.aws.key_stores import secret_name
from mintline.aws.keys import address_of_spki
from mintline.eth import SECP256K1_N
from mintline.key_stores import StoredKey

ADDRESS = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"


def spki(secret: int, curve: ec.EllipticCurve | None = None) -> bytes:
    public = ec.derive_private_key(secret, curve or ec.SECP256K1()).public_key()
    return public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


@given(st.integers(min_value=1, max_value=SECP256K1_N - 1))
def test_address__when_the_key_is_on_secp256k1__is_the_reference_implementations(secret: int) -> None:
    reference = Account.from_key(secret.to_bytes(32, "big")).address

    assert address_of_spki(spki(secret)) == reference


def test_address__when_a_coordinate_begins_with_zeros__keeps_them() -> None:
    secret = next(s for s in range(1, 5000) if spki(s)[24:26] == b"\x00" + spki(s)[25:26])

    assert address_of_spki(spki(secret)).startswith("0x")


@pytest.mark.parametrize(
    "der",
    [
        b"",
        spki(5, ec.SECP256R1()),
        spki(5)[:-1],
        spki(5) + b"\x00",
        spki(5)[:-1] + bytes([spki(5)[-1] ^ 1]),
        spki(5)[:23] + b"\x02" + spki(5)[24:],
        spki(5)[:23] + bytes(65),
        spki(5)[:24] + b"\xff" * 64,
    ],
    ids=[
        "empty",
        "other curve",
        "short",
        "long",
        "off the curve",
        "compressed",
        "infinity",
        "beyond the field",
    ],
)
def test_address__when_it_is_no_such_key__is_refused(der: bytes) -> None:
    with pytest.raises(ValueError, match="secp256k1"):
        address_of_spki(der)


def test_stored_key__when_written__is_read_back_and_hides_the_key_in_its_repr() -> None:
    body = StoredKey(address=ADDRESS, chain_id=1, subject="alice", wrapped=b"\x00wrapped\xff")

    text = body.model_dump_json(exclude_none=True)

    assert text == (
        f'{{"version":1,"address":"{ADDRESS}","chain_id":1,"subject":"alice","wrapped":"AHdyYXBwZWT/"}}'
    )
    assert StoredKey.model_validate_json(text) == body
    assert "wrapped" not in repr(body)


def test_secret_name__when_chains_differ__differs() -> None:
    assert secret_name("p", 1, ADDRESS) == f"p/wallets/1/{ADDRESS}"
