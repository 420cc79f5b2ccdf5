"""What a deployment is founded on: the platform's keys, and its collection's row and metadata."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from typing import TYPE_CHECKING

from mintline.aws import authorization_keys, keys
from mintline.aws.authorization_key_items import AuthorizationKeyStore
from mintline.aws.dynamo import Clause, ConditionFailed, Dynamo, Item, Put, Update
from mintline.aws.records import to_item
from mintline.canonical_json import canonical_json
from mintline.frozen import Frozen
from mintline.key_stores import KeyStore, StoredKey
from mintline.messages.parts import KeyRef
from mintline.object_keys import collection_object_key
from mintline.records.collections import Collection
from mintline.resources import COLLECTIONS, INTAKE_KEY, METADATA, WALLET_KEY

if TYPE_CHECKING:
    from types_aiobotocore_kms import KMSClient
    from types_aiobotocore_s3 import S3Client


class AuthorizationKeyRef(Frozen):
    """An authorization key: its public half, and the secret that holds its wrapped private half."""

    public_key: str
    """SubjectPublicKeyInfo, DER in base64."""
    secret_id: str
    """Where the wrapped private half is stored: a secret's name, or an item's reference."""


async def create_platform_key(
    kms: KMSClient, store: KeyStore, *, prefix: str, subject: str, chain_id: int
) -> KeyRef:
    """Have KMS make one of the platform's own keys, keep it wrapped, and say where."""
    generated = await keys.generate_key(
        kms, key_id=WALLET_KEY.alias(prefix), subject=subject, chain_id=chain_id
    )
    reference = await store.create(
        StoredKey(
            address=generated.address,
            chain_id=chain_id,
            subject=subject,
            wrapped=generated.wrapped,
            kms_key=generated.kms_key,
        )
    )
    return KeyRef(address=generated.address, subject=subject, chain_id=chain_id, secret_id=reference)


async def create_authorization_key(
    kms: KMSClient, store: AuthorizationKeyStore, *, prefix: str, chain_id: int
) -> AuthorizationKeyRef:
    """Have KMS make an authorization key, keep it wrapped, and say where."""
    key = await authorization_keys.generate_authorization_key(
        kms, kms_key=WALLET_KEY.alias(prefix), chain_id=chain_id
    )
    secret_id = await store.create(key, chain_id=chain_id)
    return AuthorizationKeyRef(public_key=b64encode(key.public_key).decode(), secret_id=secret_id)


async def read_intake_key(kms: KMSClient, *, prefix: str) -> str:
    """Return the public half of the intake key: SubjectPublicKeyInfo, DER in base64."""
    response = await kms.get_public_key(KeyId=INTAKE_KEY.alias(prefix))
    return b64encode(response["PublicKey"]).decode()


async def register_collection(dynamo: Dynamo, record: Collection, *, keeps_sponsored: bool = False) -> bool:
    """Give a contract its row, by which the services mint and indexes it; False if it has one already.

    Of a row that is there only `sponsored` is written, and not that if it `keeps_sponsored`: it counts the
    token ids that were given out.
    """
    new = Clause("collection_is_new", "collection_id", "missing")
    known = Clause("collection_is_known", "collection_id", "exists")
    try:
        await dynamo.write(Put(COLLECTIONS, to_item(record), where=(new,)))
    except ConditionFailed:
        if not keeps_sponsored:
            key: Item = {"collection_id": record.collection_id}
            await dynamo.write(Update(COLLECTIONS, key, set={"sponsored": record.sponsored}, where=(known,)))
        return False
    return True


async def publish_collection(
    s3: S3Client, *, prefix: str, chain_id: int, contract: str, about: Mapping[str, str | None]
) -> None:
    """Store the collection's own metadata (ERC-7572), where the api serves it from.

    What is None is left out.
    """
    text = canonical_json({name: value for name, value in about.items() if value is not None})
    await s3.put_object(
        Bucket=METADATA.bucket_name(prefix),
        Key=collection_object_key(chain_id, contract),
        Body=text.encode(),
        ContentType="application/json",
    )
