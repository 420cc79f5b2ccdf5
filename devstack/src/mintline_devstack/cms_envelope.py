"""What KMS answers an attested caller with: a CMS EnvelopedData (RFC 5652) that its key alone opens.

In BER as AWS writes it: the outer parts of indefinite length, the ciphertext in chunks.
https://docs.aws.amazon.com/kms/latest/APIReference/API_Decrypt.html#KMS-Decrypt-response-CiphertextForRecipient
"""

from __future__ import annotations

import hashlib
import secrets
from typing import Final

from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.padding import PKCS7
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

_SEQUENCE, _SET, _INTEGER, _OCTETS, _OID, _NULL = 0x30, 0x31, 0x02, 0x04, 0x06, 0x05
_CONTEXT, _CONSTRUCTED = 0x80, 0x20
_CHUNK = 64

ENVELOPED_DATA: Final = bytes.fromhex("2a864886f70d010703")
DATA: Final = bytes.fromhex("2a864886f70d010701")
RSAES_OAEP: Final = bytes.fromhex("2a864886f70d010107")
MGF1_OID: Final = bytes.fromhex("2a864886f70d010108")
SHA256_OID: Final = bytes.fromhex("608648016503040201")
AES256_CBC: Final = bytes.fromhex("60864801650304012a")


def tlv(tag: int, *parts: bytes) -> bytes:
    """Return one element of definite length."""
    content = b"".join(parts)
    if len(content) < 0x80:
        return bytes((tag, len(content))) + content
    length = len(content).to_bytes((len(content).bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + content


def indefinite(tag: int, *parts: bytes) -> bytes:
    """Return one constructed element of indefinite length."""
    return bytes((tag | _CONSTRUCTED, 0x80)) + b"".join(parts) + bytes(2)


def enveloped(plaintext: bytes, recipient: RSAPublicKey) -> bytes:
    """Encrypt to one recipient: AES-256-CBC, its key by RSAES-OAEP with SHA-256."""
    key, vector = secrets.token_bytes(32), secrets.token_bytes(16)
    padder, encryptor = PKCS7(128).padder(), Cipher(AES256(key), CBC(vector)).encryptor()
    padded = padder.update(plaintext) + padder.finalize()
    ciphertext = encryptor.update(padded) + encryptor.finalize()
    chunks = (ciphertext[start : start + _CHUNK] for start in range(0, len(ciphertext), _CHUNK))
    version = tlv(_INTEGER, b"\x02")
    content = indefinite(
        _SEQUENCE,
        tlv(_OID, DATA),
        tlv(_SEQUENCE, tlv(_OID, AES256_CBC), tlv(_OCTETS, vector)),
        indefinite(_CONTEXT, *(tlv(_OCTETS, chunk) for chunk in chunks)),
    )
    recipients = tlv(_SET, _key_transport(key, recipient))
    return indefinite(
        _SEQUENCE,
        tlv(_OID, ENVELOPED_DATA),
        indefinite(_CONTEXT, indefinite(_SEQUENCE, version, recipients, content)),
    )


def _key_transport(key: bytes, recipient: RSAPublicKey) -> bytes:
    """Return a KeyTransRecipientInfo of version 2, which names the recipient by its key's identifier."""
    public = recipient.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    sha256 = tlv(_SEQUENCE, tlv(_OID, SHA256_OID), tlv(_NULL))
    parameters = tlv(
        _SEQUENCE,
        tlv(_CONTEXT | _CONSTRUCTED, sha256),
        tlv(_CONTEXT | _CONSTRUCTED | 1, tlv(_SEQUENCE, tlv(_OID, MGF1_OID), sha256)),
    )
    return tlv(
        _SEQUENCE,
        tlv(_INTEGER, b"\x02"),
        tlv(_CONTEXT, hashlib.sha256(public).digest()),
        tlv(_SEQUENCE, tlv(_OID, RSAES_OAEP), parameters),
        tlv(_OCTETS, recipient.encrypt(key, OAEP(MGF1(SHA256()), SHA256(), None))),
    )
