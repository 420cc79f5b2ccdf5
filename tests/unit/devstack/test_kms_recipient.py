"""The KMS front answers a caller that attests by its key alone, and believes nothing else."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from asn1crypto import cms  # type: ignore[import-untyped]  # the reference for what we write; it has no types
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.padding import PKCS7
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from mintline.attestation.development import DevelopmentAuthority
from mintline_devstack.cms_envelope import enveloped
from mintline_devstack.kms_errors import KmsRefusal
from mintline_devstack.kms_recipient import recipient_of

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
PCRS = {index: bytes((index + 1,)) * 48 for index in range(17)}
KEY = rsa.generate_private_key(65537, 2048)
AUTHORITY = DevelopmentAuthority.create(now=NOW)


def spki(key: Any) -> bytes:
    der: bytes = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return der


def attestation(
    *,
    authority: DevelopmentAuthority = AUTHORITY,
    at: datetime = NOW,
    pcrs: Mapping[int, bytes] = PCRS,
    public_key: bytes | None = None,
) -> bytes:
    key = spki(KEY) if public_key is None else public_key
    return authority.attester("module", now=NOW).attest(module_id="m", at=at, pcrs=pcrs, public_key=key)


def asked(document: bytes, *, algorithm: str = "RSAES_OAEP_SHA_256") -> dict[str, Any]:
    encoded = base64.b64encode(document).decode()
    return {"Recipient": {"KeyEncryptionAlgorithm": algorithm, "AttestationDocument": encoded}}


def recipient(request: dict[str, Any], action: str = "kms:Decrypt") -> Any:
    return recipient_of(action, request, root=lambda: AUTHORITY.fingerprint, now=NOW.timestamp)


@pytest.mark.parametrize("size", [0, 1, 15, 16, 138, 1000])
def test_envelope__when_read_by_another_library__opens_by_the_recipients_key(size: int) -> None:
    plaintext = bytes(range(256))[:size] * 1
    plaintext += bytes(size - len(plaintext))
    content = cms.ContentInfo.load(enveloped(plaintext, KEY.public_key()))
    assert content["content_type"].native == "enveloped_data"
    data = content["content"]
    assert data["version"].native == "v2"
    (info,) = data["recipient_infos"]
    assert info.name == "ktri"
    transport = info.chosen
    assert transport["version"].native == "v2"
    assert transport["rid"].name == "subject_key_identifier"
    algorithm = transport["key_encryption_algorithm"]
    assert algorithm["algorithm"].native == "rsaes_oaep"
    assert algorithm["parameters"]["hash_algorithm"]["algorithm"].native == "sha256"
    assert algorithm["parameters"]["mask_gen_algorithm"]["parameters"]["algorithm"].native == "sha256"
    key = KEY.decrypt(transport["encrypted_key"].native, OAEP(MGF1(SHA256()), SHA256(), None))
    encrypted = data["encrypted_content_info"]
    assert encrypted["content_type"].native == "data"
    assert encrypted["content_encryption_algorithm"]["algorithm"].native == "aes256_cbc"
    vector = encrypted["content_encryption_algorithm"]["parameters"].native
    decryptor, unpadder = Cipher(AES256(key), CBC(vector)).decryptor(), PKCS7(128).unpadder()
    padded = decryptor.update(encrypted["encrypted_content"].native) + decryptor.finalize()
    assert unpadder.update(padded) + unpadder.finalize() == plaintext


def test_envelope__when_opened_by_openssl__gives_the_plaintext(tmp_path: Path) -> None:
    envelope, key = tmp_path / "envelope", tmp_path / "key.pem"
    envelope.write_bytes(enveloped(b"a secret" * 40, KEY.public_key()))
    key.write_bytes(KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    try:
        opened = subprocess.run(
            ["openssl", "cms", "-decrypt", "-inform", "DER", "-in", envelope, "-inkey", key],
            capture_output=True,
            check=False,
        )
    except FileNotFoundError:
        pytest.skip("there is no openssl command here")
    assert opened.stdout == b"a secret" * 40, opened.stderr


def test_recipient__when_nobody_attests__is_none() -> None:
    assert recipient({"CiphertextBlob": "AA=="}) is None


def test_recipient__when_the_document_is_sound__sets_the_conditions_of_its_registers() -> None:
    context = recipient(asked(attestation())).context
    assert context["kms:RecipientAttestation:ImageSha384"] == "01" * 48
    assert context["kms:RecipientAttestation:PCR0"] == "01" * 48
    assert context["kms:RecipientAttestation:PCR16"] == "11" * 48
    assert len(context) == len(PCRS) + 1


@pytest.mark.parametrize(
    ("action", "secret"),
    [
        ("kms:Decrypt", "Plaintext"),
        ("kms:GenerateDataKey", "Plaintext"),
        ("kms:GenerateDataKeyPair", "PrivateKeyPlaintext"),
        ("kms:GenerateRandom", "Plaintext"),
    ],
)
def test_recipient__when_kms_answers__gets_the_secret_in_an_envelope_alone(action: str, secret: str) -> None:
    response = {"KeyId": "key", secret: base64.b64encode(b"secret").decode()}
    sealed = json.loads(recipient(asked(attestation()), action).seal(action, json.dumps(response).encode()))
    assert sealed.keys() == {"KeyId", "CiphertextForRecipient"}
    assert cms.ContentInfo.load(base64.b64decode(sealed["CiphertextForRecipient"]))


DOCUMENT = attestation()
SMALL = rsa.generate_private_key(65537, 1024)


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        ({"Recipient": None}, "Recipient takes"),
        ({"Recipient": {"AttestationDocument": "AA=="}}, "Recipient takes"),
        (asked(DOCUMENT, algorithm="RSAES_PKCS1_V1_5"), "must be RSAES_OAEP_SHA_256"),
        (asked(b"rubbish"), "not_cbor"),
        ({"Recipient": {**asked(DOCUMENT)["Recipient"], "AttestationDocument": "!"}}, "not base64"),
        (asked(attestation(authority=DevelopmentAuthority.create(now=NOW))), "foreign_root"),
        (asked(attestation(at=NOW - timedelta(minutes=6))), "stale"),
        (asked(attestation(pcrs=dict.fromkeys(range(5), bytes(48)))), "debug_mode"),
        (asked(attestation(public_key=b"")), "not of RSA"),
        (asked(attestation(public_key=spki(ec.generate_private_key(ec.SECP256R1())))), "not of RSA"),
        (asked(attestation(public_key=spki(SMALL))), "not of RSA"),
    ],
)
def test_recipient__when_its_proof_is_none__is_refused(request_: dict[str, Any], reason: str) -> None:
    with pytest.raises(KmsRefusal, match=reason) as refused:
        recipient(request_)
    assert (refused.value.status, refused.value.code) == (400, "ValidationException")


def test_recipient__when_the_operation_takes_none__is_refused() -> None:
    with pytest.raises(KmsRefusal, match="kms:DescribeKey takes no Recipient"):
        recipient(asked(DOCUMENT), "kms:DescribeKey")
