"""Opens what KMS answers an attested caller with: a CMS EnvelopedData (RFC 5652) for one recipient.

Only what AWS documents is read: version 2, one KeyTransRecipientInfo of version 2 by subjectKeyIdentifier,
RSAES-OAEP with SHA-256 twice (RFC 8017), AES-256-CBC with PKCS#7 padding.
https://docs.aws.amazon.com/kms/latest/APIReference/API_Decrypt.html#KMS-Decrypt-response-CiphertextForRecipient
"""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.hashes import SHA256

from mintline_signer.enclave.ber import Element, MalformedBer, parse

_INTEGER, _OCTETS, _NULL, _OID = 0x02, 0x04, 0x05, 0x06
_SEQUENCE, _SET, _CONTEXT_0, _CONTEXT_1 = 0x30, 0x31, 0xA0, 0xA1
_IDENTIFIER, _CIPHERTEXT = 0x80, 0x80
_VERSION = b"\x02"
_ENVELOPED_DATA = bytes.fromhex("2a864886f70d010703")
_DATA = bytes.fromhex("2a864886f70d010701")
_RSAES_OAEP = bytes.fromhex("2a864886f70d010107")
_MGF1 = bytes.fromhex("2a864886f70d010108")
_SHA256 = bytes.fromhex("608648016503040201")
_AES256_CBC = bytes.fromhex("60864801650304012a")
_BLOCK = 16
_KEY = 32


class BrokenEnvelope(Exception):  # noqa: N818 - named for what was found
    """It is no envelope for this key. CBC carries no integrity: not every forgery is noticed here."""


def open_envelope(ber: bytes, key: RSAPrivateKey) -> bytearray:
    """Return the plaintext, to be erased by the caller; raises BrokenEnvelope.

    Versions and algorithms are checked before anything is unwrapped.
    """
    try:
        encrypted_key, vector, ciphertext = _parts(parse(ber))
    except MalformedBer as fault:
        raise BrokenEnvelope(str(fault)) from None
    try:
        content_key = key.decrypt(encrypted_key, OAEP(MGF1(SHA256()), SHA256(), None))
    except ValueError:
        raise BrokenEnvelope("the key is wrapped for another recipient") from None
    if len(content_key) != _KEY:
        raise BrokenEnvelope("the key is not of AES-256")
    return _decrypted(content_key, vector, ciphertext)


def _decrypted(content_key: bytes, vector: bytes, ciphertext: bytes) -> bytearray:
    plaintext = bytearray(len(ciphertext) + _BLOCK)
    decryptor = Cipher(AES256(content_key), CBC(vector)).decryptor()
    written = decryptor.update_into(ciphertext, plaintext)
    del plaintext[written:]
    padding = plaintext[-1]
    if not 0 < padding <= _BLOCK or plaintext[-padding:] != bytes((padding,)) * padding:
        plaintext[:] = bytes(len(plaintext))
        raise BrokenEnvelope("the padding is wrong")
    plaintext[-padding:] = bytes(padding)
    del plaintext[-padding:]
    return plaintext


def _parts(content_info: Element) -> tuple[bytes, bytes, bytes]:
    """Return the encrypted key, the initialization vector, and the ciphertext; raises MalformedBer."""
    kind, explicit = content_info.whole(_SEQUENCE, 2)
    _require(kind.plain(_OID) == _ENVELOPED_DATA)
    (enveloped,) = explicit.whole(_CONTEXT_0, 1)
    version, recipients, encrypted = enveloped.whole(_SEQUENCE, 3)
    _require(version.plain(_INTEGER) == _VERSION)
    (recipient,) = recipients.whole(_SET, 1)
    encrypted_key = _key_transport(recipient)
    kind, algorithm, content = encrypted.whole(_SEQUENCE, 3)
    _require(kind.plain(_OID) == _DATA)
    name, parameters = algorithm.whole(_SEQUENCE, 2)
    _require(name.plain(_OID) == _AES256_CBC)
    vector, ciphertext = parameters.plain(_OCTETS), content.octets(_CIPHERTEXT)
    _require(len(vector) == _BLOCK and len(ciphertext) > 0 and len(ciphertext) % _BLOCK == 0)
    return encrypted_key, vector, ciphertext


def _key_transport(recipient: Element) -> bytes:
    version, identifier, algorithm, encrypted_key = recipient.whole(_SEQUENCE, 4)
    _require(version.plain(_INTEGER) == _VERSION and bool(identifier.plain(_IDENTIFIER)))
    name, parameters = algorithm.whole(_SEQUENCE, 2)
    _require(name.plain(_OID) == _RSAES_OAEP)
    digest, mask = parameters.whole(_SEQUENCE, 2)
    _require_sha256(*digest.whole(_CONTEXT_0, 1))
    (generator,) = mask.whole(_CONTEXT_1, 1)
    name, inner = generator.whole(_SEQUENCE, 2)
    _require(name.plain(_OID) == _MGF1)
    _require_sha256(inner)
    return encrypted_key.octets(_OCTETS)


def _require_sha256(algorithm: Element) -> None:
    """Accept SHA-256 with its parameters as NULL, or left out (RFC 5754)."""
    name, *rest = algorithm.whole(_SEQUENCE)
    _require(name.plain(_OID) == _SHA256)
    _require(not rest or (len(rest) == 1 and rest[0].plain(_NULL) == b""))


def _require(condition: bool) -> None:  # noqa: FBT001 - reads as the rule it states
    if not condition:
        raise MalformedBer("a version or an algorithm that is not spoken here")
