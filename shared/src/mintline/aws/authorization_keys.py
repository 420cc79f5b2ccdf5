"""The authorization key: made by KMS like every key in custody, its wrapped half kept in Secrets Manager.

The api encrypts users' tokens to its public half; only enclaves can have its private half unwrapped. Several
can be in use at once, so that a new one can replace an old one.

Names that are stored say `sealing`: they are older than its present name.
"""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, Literal

from botocore.exceptions import ClientError
from pydantic import BeforeValidator, Field, PlainSerializer, ValidationError

from mintline import key_subjects
from mintline.authorization import key_id
from mintline.aws.errors import error_code, translated
from mintline.aws.keys import encryption_context
from mintline.errors import Conflict, Rejected
from mintline.fields import KmsKeyArn
from mintline.frozen import Frozen

if TYPE_CHECKING:
    from types_aiobotocore_kms import KMSClient
    from types_aiobotocore_secretsmanager import SecretsManagerClient


@dataclass(frozen=True, slots=True)
class GeneratedAuthorizationKey:
    """A new authorization key: public half (SubjectPublicKeyInfo, DER), private half as KMS wrapped it."""

    public_key: bytes
    wrapped: bytes = field(repr=False)
    kms_key: str | None = None
    """The ARN of the KMS key that wrapped it."""


def _from_base64(value: object) -> object:
    return base64.b64decode(value, validate=True) if isinstance(value, str) else value


def _to_base64(value: bytes) -> str:
    return base64.b64encode(value).decode()


Base64 = Annotated[
    bytes,
    BeforeValidator(_from_base64),
    PlainSerializer(_to_base64, return_type=str, when_used="json"),
    Field(min_length=1),
]
"""Bytes; base64 in JSON."""


class StoredAuthorizationKey(Frozen):
    """What an authorization key's secret holds."""

    version: Literal[1] = 1
    chain_id: int = Field(gt=0)
    public_key: Base64
    """SubjectPublicKeyInfo in DER."""
    wrapped: Base64 = Field(repr=False)
    kms_key: KmsKeyArn | None = None
    """The KMS key that wrapped it; None of keys from before that was noted."""


async def generate_authorization_key(
    kms: KMSClient, *, kms_key: str, chain_id: int
) -> GeneratedAuthorizationKey:
    """Have KMS make a P-256 pair and wrap its private half under `kms_key` (an id, ARN or alias).

    Source: KMS API reference, GenerateDataKeyPairWithoutPlaintext.
    """
    with translated():
        pair = await kms.generate_data_key_pair_without_plaintext(
            KeyId=kms_key,
            KeyPairSpec="ECC_NIST_P256",
            EncryptionContext=encryption_context(key_subjects.AUTHORIZATION_KEY, chain_id),
        )
    return GeneratedAuthorizationKey(
        public_key=pair["PublicKey"], wrapped=pair["PrivateKeyCiphertextBlob"], kms_key=pair["KeyId"]
    )


async def store_authorization_key(
    secretsmanager: SecretsManagerClient, *, prefix: str, chain_id: int, key: GeneratedAuthorizationKey
) -> str:
    """Keep a wrapped authorization key and return its secret's name; an existing one is left as it is."""
    name = f"{prefix}/sealing/{chain_id}/{key_id(key.public_key).hex()}"
    body = StoredAuthorizationKey(
        chain_id=chain_id, public_key=key.public_key, wrapped=key.wrapped, kms_key=key.kms_key
    )
    try:
        with translated():
            await secretsmanager.create_secret(Name=name, SecretString=body.model_dump_json())
    except ClientError as error:
        if error_code(error) != "ResourceExistsException":
            raise
    return name


async def read_authorization_key(
    secretsmanager: SecretsManagerClient, secret_id: str
) -> StoredAuthorizationKey:
    """Return what `store_authorization_key` kept; raises Rejected if there is none, or it is not ours."""
    try:
        with translated():
            response = await secretsmanager.get_secret_value(SecretId=secret_id)
    except ClientError as error:
        if error_code(error) != "ResourceNotFoundException":
            raise
        raise Rejected("key_missing", f"No authorization key is stored as {secret_id}.") from None
    try:
        return StoredAuthorizationKey.model_validate_json(response["SecretString"], extra="ignore")
    except (KeyError, ValidationError):
        # The cause would quote the secret.
        raise Rejected("key_unreadable", f"The secret {secret_id} holds no authorization key.") from None


class AuthorizationKeySecrets:
    """All authorization keys of a deployment, in use or not."""

    def __init__(self, client: SecretsManagerClient, *, prefix: str) -> None:
        self._client = client
        self._prefix = prefix

    async def create(self, key: GeneratedAuthorizationKey, *, chain_id: int) -> str:
        """Keep a wrapped authorization key and return its secret's name."""
        return await store_authorization_key(self._client, prefix=self._prefix, chain_id=chain_id, key=key)

    async def references(self) -> AsyncIterator[str]:
        """Yield the name of every secret that is not being deleted."""
        filters: Any = [{"Key": "name", "Values": [f"{self._prefix}/sealing/"]}]
        with translated():
            async for page in self._client.get_paginator("list_secrets").paginate(Filters=filters):
                for secret in page["SecretList"]:
                    yield secret["Name"]

    async def read(self, reference: str) -> StoredAuthorizationKey:
        """Return an authorization key; raises Rejected if there is none, or it is not ours."""
        return await read_authorization_key(self._client, reference)

    async def replace(
        self, reference: str, *, old: StoredAuthorizationKey, new: StoredAuthorizationKey
    ) -> None:
        """Make `new` the current version; raises Conflict if it is no longer `old` that is there."""
        if await self.read(reference) != old:
            raise Conflict(f"{reference} has changed")
        with translated():
            await self._client.put_secret_value(SecretId=reference, SecretString=new.model_dump_json())
