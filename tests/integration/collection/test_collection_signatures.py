"""A voucher has one valid signature: no twin, no compact form, no other length, no other recovery id."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.integration.collection.conftest import Collection

pytestmark = pytest.mark.integration

ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


def twin(signature: bytes) -> bytes:
    """The other signature by the same key of the same message: s replaced by n - s, v flipped."""
    r, s, v = signature[:32], int.from_bytes(signature[32:64], "big"), signature[64]
    return r + (ORDER - s).to_bytes(32, "big") + bytes([55 - v])


def compact(signature: bytes) -> bytes:
    """The ERC-2098 form: the recovery bit in the top bit of s."""
    s = int.from_bytes(signature[32:64], "big") | (signature[64] - 27) << 255
    return signature[:32] + s.to_bytes(32, "big")


def test_redeem__when_signature_is_the_high_s_twin__then_refused(collection: Collection) -> None:
    voucher = collection.voucher()
    signature = collection.sign(voucher)

    refusal = collection.refuse(collection.redeeming(voucher, twin(signature)), collection.cast.alice)

    assert (refusal.name, refusal.args) == ("ECDSAInvalidSignatureS", (twin(signature)[32:64],))
    collection.send(collection.redeeming(voucher, twin(twin(signature))), collection.cast.alice)


def test_redeem__when_signature_is_compact__then_refused(collection: Collection) -> None:
    voucher = collection.voucher()

    refusal = collection.refuse(
        collection.redeeming(voucher, compact(collection.sign(voucher))), collection.cast.alice
    )

    assert (refusal.name, refusal.args) == ("ECDSAInvalidSignatureLength", (64,))


@pytest.mark.parametrize("length", [0, 1, 32, 66, 97])
def test_redeem__when_signature_has_another_length__then_refused(collection: Collection, length: int) -> None:
    voucher = collection.voucher()
    signature = (collection.sign(voucher) + bytes(32))[:length]

    refusal = collection.refuse(collection.redeeming(voucher, signature), collection.cast.alice)

    assert (refusal.name, refusal.args) == ("ECDSAInvalidSignatureLength", (length,))


def test_redeem__when_recovery_id_is_zero_or_one__then_refused(collection: Collection) -> None:
    voucher = collection.voucher()
    signature = collection.sign(voucher)

    refusal = collection.refuse(
        collection.redeeming(voucher, signature[:64] + bytes([signature[64] - 27])), collection.cast.alice
    )

    assert (refusal.name, refusal.args) == ("ECDSAInvalidSignature", ())


@pytest.mark.parametrize("recovery_id", [2, 26, 29, 255])
def test_redeem__when_recovery_id_is_unknown__then_refused(collection: Collection, recovery_id: int) -> None:
    voucher = collection.voucher()
    signature = collection.sign(voucher)[:64] + bytes([recovery_id])

    assert collection.refuse(collection.redeeming(voucher, signature), collection.cast.alice).name == (
        "ECDSAInvalidSignature"
    )


def test_redeem__when_recovery_id_is_flipped__then_signer_is_a_stranger(collection: Collection) -> None:
    voucher = collection.voucher()
    signature = collection.sign(voucher)

    refusal = collection.refuse(
        collection.redeeming(voucher, signature[:64] + bytes([55 - signature[64]])), collection.cast.alice
    )

    assert refusal.name == "InvalidIssuer"


@pytest.mark.parametrize("recovery_id", [0, 27, 28])
def test_redeem__when_signature_is_all_zero__then_refused(collection: Collection, recovery_id: int) -> None:
    call = collection.redeeming(collection.voucher(), bytes(64) + bytes([recovery_id]))

    assert collection.refuse(call, collection.cast.alice).name == "ECDSAInvalidSignature"
