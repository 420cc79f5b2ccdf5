"""Keys in custody: made by KMS, kept wrapped in Secrets Manager, unwrapped by the enclave alone.

A key's life begins in three steps, each safe to repeat: KMS makes the pair, the caller records the address
(its lock, and the only copy of the wrapped key until the next step), Secrets Manager keeps the wrapped half.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Literal

from botocore.exceptions import ClientError
from pydantic import BeforeValidator, Field, PlainSerializer, ValidationError

from mintline.aws.session import error_code, translated
from mintline.errors import Rejected
from mintline.eth import address_of_public_key
from mintline.fields import Address
from mintline.messages import Frozen

if TYPE_CHECKING:
    from types_aiobotocore_kms import KMSClient
    from types_aiobotocore_secretsmanager import SecretsManagerClient

_SPKI_PREFIX = bytes.fromhex("3056301006072a8648ce3d020106052b8104000a03420004")
"""SubjectPublicKeyInfo {id-ecPublicKey, secp256k1} up to an uncompressed point's coordinates (RFC 5480)."""

_FIELD_PRIME = 2**256 - 2**32 - 977


def address_of_spki(der: bytes) -> str:
    """Return the address of a secp256k1 public key in DER (SubjectPublicKeyInfo, 88 bytes, as KMS gives it).

    Raises ValueError for another curve, a compressed point, or a point that is not on the curve.
    """
    if len(der) != len(_SPKI_PREFIX) + 64 or not der.startswith(_SPKI_PREFIX):
        raise ValueError("not the SubjectPublicKeyInfo of an uncompressed secp256k1 key")
    x, y = int.from_bytes(der[-64:-32], "big"), int.from_bytes(der[-32:], "big")
    on_curve = (y * y - (x * x * x + 7)) % _FIELD_PRIME == 0
    if x >= _FIELD_PRIME or y >= _FIELD_PRIME or not on_curve:
        raise ValueError("not a point on secp256k1")
    return address_of_public_key(der[-65:])


@dataclass(frozen=True, slots=True)
class GeneratedKey:
    """A new key: its address, and its private half as KMS wrapped it."""

    address: str
    wrapped: bytes = field(repr=False)


def encryption_context(subject: str, chain_id: int) -> dict[str, str]:
    """Return the context that a key is wrapped under; KMS unwraps it under no other."""
    return {"sub": subject, "chain": str(chain_id)}


async def generate_key(kms: KMSClient, *, key_id: str, subject: str, chain_id: int) -> GeneratedKey:
    """Have KMS make a secp256k1 pair and wrap its private half under the key `key_id` (an id, ARN or alias).

    Nobody sees the private half. `subject` is the user, or `platform:NAME`.
    Source: KMS API reference, GenerateDataKeyPairWithoutPlaintext.
    """
    with translated():
        pair = await kms.generate_data_key_pair_without_plaintext(
            KeyId=key_id,
            KeyPairSpec="ECC_SECG_P256K1",
            EncryptionContext=encryption_context(subject, chain_id),
        )
    return GeneratedKey(address=address_of_spki(pair["PublicKey"]), wrapped=pair["PrivateKeyCiphertextBlob"])


def _from_base64(value: object) -> object:
    return base64.b64decode(value, validate=True) if isinstance(value, str) else value


def _to_base64(value: bytes) -> str:
    return base64.b64encode(value).decode()


class SecretBody(Frozen):
    """What a wallet's secret holds: the wrapped key, and all that is needed to check whose it is."""

    version: Literal[1] = 1
    address: Address
    chain_id: int = Field(gt=0)
    subject: str = Field(min_length=1, max_length=128)
    wrapped: Annotated[
        bytes,
        BeforeValidator(_from_base64),
        PlainSerializer(_to_base64, return_type=str, when_used="json"),
        Field(repr=False, min_length=1),
    ]


def secret_name(prefix: str, chain_id: int, address: str) -> str:
    """Return the name of the secret that holds the wrapped key of `address`."""
    return f"{prefix}/wallets/{chain_id}/{address}"


async def store_wrapped(
    secretsmanager: SecretsManagerClient, *, prefix: str, chain_id: int, subject: str, key: GeneratedKey
) -> str:
    """Keep a wrapped key and return its secret's name; one that is there already is left as it is.

    The name holds the address, so a secret that exists is of the very same key.
    """
    name = secret_name(prefix, chain_id, key.address)
    body = SecretBody(address=key.address, chain_id=chain_id, subject=subject, wrapped=key.wrapped)
    try:
        with translated():
            await secretsmanager.create_secret(Name=name, SecretString=body.model_dump_json())
    except ClientError as error:
        if error_code(error) != "ResourceExistsException":
            raise
    return name


async def read_wrapped(secretsmanager: SecretsManagerClient, secret_id: str) -> SecretBody:
    """Return what `store_wrapped` kept; raises Rejected when there is no such secret, or it is not ours."""
    try:
        with translated():
            answer = await secretsmanager.get_secret_value(SecretId=secret_id)
    except ClientError as error:
        if error_code(error) != "ResourceNotFoundException":
            raise
        raise Rejected("key_missing", f"No wrapped key is stored as {secret_id}.") from None
    try:
        return SecretBody.model_validate_json(answer["SecretString"])
    except (KeyError, ValidationError):
        # The cause would quote the secret.
        raise Rejected("key_unreadable", f"The secret {secret_id} holds no wrapped key.") from None
