"""The contract of a store of authorization keys, held by both."""

from __future__ import annotations

from contextlib import AsyncExitStack

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from mintline.aws.authorization_key_items import (
    AuthorizationKeyItems,
    AuthorizationKeyStore,
    AuthorizationKeyStores,
)
from mintline.aws.authorization_keys import AuthorizationKeySecrets, GeneratedAuthorizationKey
from mintline.aws.dynamo import Dynamo
from mintline.aws.key_stores import DynamoKeys
from mintline.aws.session import AwsCalls, open_client
from mintline.errors import Conflict, Rejected
from mintline.key_stores import StoredKey
from mintline.settings import ServiceSettings

pytestmark = pytest.mark.integration

PUBLIC = (
    ec.generate_private_key(ec.SECP256R1())
    .public_key()
    .public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
)
MADE = GeneratedAuthorizationKey(public_key=PUBLIC, wrapped=b"\x00wrapped\xff")
WALLET = StoredKey(
    address="0x70997970C51812dc3A010C7d01b50e0d17dc79C8", chain_id=31337, subject="alice", wrapped=b"\x00"
)


@pytest.fixture
async def secrets(stack: AsyncExitStack, aws_settings: ServiceSettings) -> AuthorizationKeySecrets:
    client = await open_client(stack, "secretsmanager", aws_settings, calls=AwsCalls())
    return AuthorizationKeySecrets(client, prefix=aws_settings.resource_prefix)


@pytest.fixture(params=["secretsmanager", "dynamodb"])
def store(
    request: pytest.FixtureRequest, secrets: AuthorizationKeySecrets, dynamo: Dynamo
) -> AuthorizationKeyStore:
    return secrets if request.param == "secretsmanager" else AuthorizationKeyItems(dynamo)


async def test_create__when_repeated__then_the_key_that_is_there_stays(store: AuthorizationKeyStore) -> None:
    first = await store.create(MADE, chain_id=31337)
    other = GeneratedAuthorizationKey(public_key=MADE.public_key, wrapped=b"another wrapping")

    assert await store.create(other, chain_id=31337) == first
    kept = await store.read(first)
    assert (kept.public_key, kept.wrapped, kept.chain_id) == (MADE.public_key, MADE.wrapped, 31337)
    assert [reference async for reference in store.references()] == [first]


async def test_replace__when_the_key_is_another_by_now__then_it_stays(store: AuthorizationKeyStore) -> None:
    reference = await store.create(MADE, chain_id=31337)
    old = await store.read(reference)
    new, late = (old.evolve(wrapped=wrapped) for wrapped in (b"new", b"late"))

    await store.replace(reference, old=old, new=new)
    with pytest.raises(Conflict):
        await store.replace(reference, old=old, new=late)

    assert await store.read(reference) == new


async def test_read__when_there_is_no_key__then_it_is_refused(store: AuthorizationKeyStore) -> None:
    reference = await store.create(MADE, chain_id=31337)

    with pytest.raises(Rejected, match="No authorization key"):
        await store.read(reference[:-1])


async def test_stores__when_both_hold_keys__then_each_is_read_from_its_own_and_none_is_a_wallets(
    secrets: AuthorizationKeySecrets, dynamo: Dynamo
) -> None:
    items, wallets = AuthorizationKeyItems(dynamo), DynamoKeys(dynamo)
    stores = AuthorizationKeyStores(secrets, items)
    in_secret = await secrets.create(MADE, chain_id=31337)
    in_item = await items.create(MADE, chain_id=31337)
    wallet = await wallets.create(WALLET)

    assert [reference async for reference in stores.references()] == [in_secret, in_item]
    assert await stores.read(in_item) == await stores.read(in_secret)
    assert [reference async for reference in wallets.references()] == [wallet]
