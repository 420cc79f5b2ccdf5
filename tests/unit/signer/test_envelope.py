"""What KMS answers is opened in whatever BER it comes, and not at all when something about it is another."""

from __future__ import annotations

import random

import pytest
from asn1crypto import algos, cms, core  # type: ignore[import-untyped]  # the reference; it has no types
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP, PKCS1v15
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.hazmat.primitives.padding import PKCS7

from mintline_devstack.cms_envelope import AES256_CBC, SHA256_OID, enveloped
from mintline_signer.enclave.ber import MalformedBer, parse
from mintline_signer.enclave.envelope import BrokenEnvelope, open_envelope

KEY = rsa.generate_private_key(65537, 2048)
PLAINTEXT = bytes(range(138))
_MGF1 = bytes.fromhex("2a864886f70d010108")


def by_reference(
    *,
    plaintext: bytes = PLAINTEXT,
    version: str = "v2",
    recipient_version: str = "v2",
    digest: str = "sha256",
    mask_digest: str = "sha256",
    scheme: str = "rsaes_oaep",
    cipher: str = "aes256_cbc",
    recipients: int = 1,
    content_type: str = "data",
    padding: bytes | None = None,
) -> bytes:
    """Write an envelope with another library, in DER."""
    content_key, vector = bytes(range(32)), bytes(16)
    padder = PKCS7(128).padder()
    padded = plaintext + padding if padding is not None else padder.update(plaintext) + padder.finalize()
    encryptor = Cipher(AES256(content_key), CBC(vector)).encryptor()
    oaep = OAEP(
        MGF1(SHA1() if mask_digest == "sha1" else SHA256()), SHA1() if digest == "sha1" else SHA256(), None
    )
    parameters = algos.RSAESOAEPParams(
        {
            "hash_algorithm": {"algorithm": digest},
            "mask_gen_algorithm": {"algorithm": "mgf1", "parameters": {"algorithm": mask_digest}},
        }
    )
    scheme_padding = PKCS1v15() if scheme == "rsaes_pkcs1v15" else oaep
    info = {
        "version": recipient_version,
        "rid": cms.RecipientIdentifier("subject_key_identifier", bytes(20)),
        "key_encryption_algorithm": {
            "algorithm": scheme,
            "parameters": parameters if scheme == "rsaes_oaep" else core.Null(),
        },
        "encrypted_key": KEY.public_key().encrypt(content_key, scheme_padding),
    }
    content = {
        "version": version,
        "recipient_infos": [cms.RecipientInfo("ktri", info) for _ in range(recipients)],
        "encrypted_content_info": {
            "content_type": content_type,
            "content_encryption_algorithm": {"algorithm": cipher, "parameters": vector},
            "encrypted_content": encryptor.update(padded) + encryptor.finalize(),
        },
    }
    der: bytes = cms.ContentInfo(
        {"content_type": "enveloped_data", "content": cms.EnvelopedData(content)}
    ).dump()
    return der


@pytest.mark.parametrize("size", [0, 1, 15, 16, 17, 138, 5000])
def test_envelope__when_kms_wrote_it__opens(size: int) -> None:
    plaintext = random.Random(size).randbytes(size)
    assert open_envelope(enveloped(plaintext, KEY.public_key()), KEY) == plaintext


def test_envelope__when_another_library_wrote_it_in_der__opens() -> None:
    assert open_envelope(by_reference(), KEY) == PLAINTEXT


@pytest.mark.parametrize(
    "changes",
    [
        {"version": "v0"},
        {"recipient_version": "v0"},
        {"digest": "sha1"},
        {"mask_digest": "sha1"},
        {"scheme": "rsaes_pkcs1v15"},
        {"cipher": "aes128_cbc"},
        {"recipients": 0},
        {"recipients": 2},
        {"content_type": "signed_data"},
        {"plaintext": bytes(8), "padding": bytes(8)},
        {"plaintext": bytes(15), "padding": b"\x11"},
        {"plaintext": bytes(14), "padding": b"\x01\x02"},
        {"plaintext": b"", "padding": b""},
    ],
    ids=str,
)
def test_envelope__when_one_thing_about_it_is_another__is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(BrokenEnvelope):
        open_envelope(by_reference(**changes), KEY)  # type: ignore[arg-type]  # the cases above are right


def test_envelope__when_it_is_for_another_key__is_refused() -> None:
    other = rsa.generate_private_key(65537, 2048)
    with pytest.raises(BrokenEnvelope):
        open_envelope(enveloped(PLAINTEXT, KEY.public_key()), other)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (SHA256_OID, SHA256_OID[:-1] + b"\x02"),
        (AES256_CBC, AES256_CBC[:-1] + b"\x2e"),
        # The generator of the mask: id-mgf1, and id-pSpecified, which is none.
        (_MGF1, _MGF1[:-1] + b"\x09"),
    ],
    ids=["digest", "cipher", "mask"],
)
def test_envelope__when_an_algorithm_was_replaced__is_refused(old: bytes, new: bytes) -> None:
    envelope = enveloped(PLAINTEXT, KEY.public_key())
    assert old in envelope
    with pytest.raises(BrokenEnvelope):
        open_envelope(envelope.replace(old, new), KEY)


@pytest.mark.slow
def test_envelope__when_it_is_cut_or_changed_anywhere__never_breaks_otherwise() -> None:
    rng = random.Random(4)
    sound = enveloped(PLAINTEXT, KEY.public_key())
    for cut in range(len(sound)):
        with pytest.raises(BrokenEnvelope):
            open_envelope(sound[:cut], KEY)
    opened = 0
    for _ in range(3000):
        changed = bytearray(sound)
        changed[rng.randrange(len(sound))] ^= 1 << rng.randrange(8)
        try:
            open_envelope(bytes(changed), KEY)
        except BrokenEnvelope:
            continue
        # The identifier, the vector, and blocks of the ciphertext have no integrity (CBC).
        opened += 1
    assert opened < 1500


@pytest.mark.parametrize(
    "ber",
    [
        b"",
        b"\x04",
        b"\x04\x02a",
        b"\x04\x01ab",
        b"\x04\x80a\x00\x00",
        b"\x30\x80\x04\x01a",
        b"\x30\x02\x04\x01a",
        b"\x30\x03\x04\x02ab",
        b"\x1f\x81\x01\x00",
        b"\x04\x84\x00\x00\x00\x01a",
        b"\x30\x80" * 20 + b"\x00\x00" * 20,
    ],
)
def test_ber__when_it_is_malformed__is_refused(ber: bytes) -> None:
    with pytest.raises(MalformedBer):
        parse(ber)
