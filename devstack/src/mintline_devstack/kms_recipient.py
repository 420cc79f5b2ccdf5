"""`Recipient`: a caller that attests is answered by the key that its document binds, never in the clear.

https://docs.aws.amazon.com/kms/latest/developerguide/attested-calls.html
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_der_public_key

from mintline.attestation.document import Document
from mintline.attestation.refusals import NotAttested
from mintline.attestation.verify import verify
from mintline.wallet_key import ATTESTED
from mintline_devstack.cms_envelope import enveloped
from mintline_devstack.key_policy import Context
from mintline_devstack.kms_errors import KmsRefusal

ALGORITHM = "RSAES_OAEP_SHA_256"
FRESH = timedelta(minutes=5)
"""How old a document may be: KMS refuses one that is older."""
KEY_SIZE = 2048
SECRETS = {
    "kms:Decrypt": "Plaintext",
    "kms:GenerateDataKey": "Plaintext",
    "kms:GenerateDataKeyPair": "PrivateKeyPlaintext",
    "kms:GenerateRandom": "Plaintext",
}
"""The operations that take a recipient, and the field of each answer that is for the recipient alone."""


@dataclass(frozen=True, slots=True)
class Recipient:
    """A caller that has proven what it is."""

    document: Document
    key: RSAPublicKey

    @property
    def context(self) -> Context:
        """The condition keys that the document sets; the image is PCR0 by another name."""
        registers = {f"{ATTESTED}PCR{index}": value.hex() for index, value in self.document.pcrs.items()}
        return {f"{ATTESTED}ImageSha384": registers[f"{ATTESTED}PCR0"], **registers}

    def seal(self, action: str, body: bytes) -> bytes:
        """Return an answer of KMS with its secret for this recipient alone."""
        response: dict[str, Any] = json.loads(body)
        plaintext = base64.b64decode(response.pop(SECRETS[action]))
        response["CiphertextForRecipient"] = base64.b64encode(enveloped(plaintext, self.key)).decode()
        return json.dumps(response).encode()


def recipient_of(
    action: str, parameters: Mapping[str, Any], *, root: Callable[[], bytes], now: Callable[[], float]
) -> Recipient | None:
    """Return who attests in a request, or None when nobody does.

    `root` returns the SHA-256 of the trusted root, `now` Unix seconds. Raises KmsRefusal for no proof.
    """
    if "Recipient" not in parameters:
        return None
    match parameters["Recipient"]:
        case {"KeyEncryptionAlgorithm": str(algorithm), "AttestationDocument": str(encoded)}:
            pass
        case _:
            raise _invalid("Recipient takes a KeyEncryptionAlgorithm and an AttestationDocument")
    if action not in SECRETS:
        raise _invalid(f"{action} takes no Recipient")
    if algorithm != ALGORITHM:
        raise _invalid(f"KeyEncryptionAlgorithm must be {ALGORITHM}")
    try:
        attestation = base64.b64decode(encoded, validate=True)
        at = datetime.fromtimestamp(now(), UTC)
        attested = verify(attestation, root=root(), at=at, max_age=FRESH)
    except ValueError:
        raise _invalid("AttestationDocument is not base64") from None
    except NotAttested as refused:
        raise _invalid(f"AttestationDocument: {refused.code}: {refused.reason}") from None
    return Recipient(attested, _key_of(attested))


def _key_of(attested: Document) -> RSAPublicKey:
    try:
        key = load_der_public_key(attested.public_key or b"")
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, RSAPublicKey) or key.key_size != KEY_SIZE:
        raise _invalid(f"AttestationDocument: its public key is not of RSA with {KEY_SIZE} bits")
    return key


def _invalid(message: str) -> KmsRefusal:
    return KmsRefusal(400, "ValidationException", message)
