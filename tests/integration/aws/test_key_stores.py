"""The contract of a key store, held by both over AWS and by the one in memory alike."""

from __future__ import annotations

import time
from contextlib import AsyncExitStack
from dataclasses import dataclass

import pytest

from mintline.aws.dynamo import Dynamo
from mintline.aws.key_stores import DynamoKeys, SecretsManagerKeys
from mintline.aws.session import AwsCalls, open_client
from mintline.clock import DAY
from mintline.errors import Conflict, Rejected
from mintline.key_stores import KeyStore, KeyStores, MemoryKeyStore, StoredKey
from mintline.messages.parts import KeyRef
from mintline.settings import ServiceSettings

pytestmark = pytest.mark.integration

ADDRESS = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
KEY = StoredKey(address=ADDRESS, chain_id=31337, subject="alice", wrapped=b"\x00wrapped\xff")
REWRAPPED = KEY.model_copy(update={"wrapped": b"\x00another wrapping\xff"})


@dataclass
class Clock:
    """The machine's clock, which a test may set forward."""

    ahead: float = 0.0

    def now(self) -> float:
        return time.time() + self.ahead


@dataclass(frozen=True)
class Both:
    """Both stores of one deployment, over the emulator."""

    secrets: SecretsManagerKeys
    items: DynamoKeys


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def both(dynamo: Dynamo, stack: AsyncExitStack, aws_settings: ServiceSettings, clock: Clock) -> Both:
    secrets = await open_client(stack, "secretsmanager", aws_settings, calls=AwsCalls())
    prefix = aws_settings.resource_prefix
    return Both(SecretsManagerKeys(secrets, prefix=prefix), DynamoKeys(dynamo, now=clock.now))


@pytest.fixture(params=["memory", "secretsmanager", "dynamodb"])
def store(request: pytest.FixtureRequest, clock: Clock) -> KeyStore:
    if request.param == "memory":
        return MemoryKeyStore("dynamodb", now=clock.now)
    both: Both = request.getfixturevalue("both")
    return both.secrets if request.param == "secretsmanager" else both.items


async def refusal(store: KeyStore, reference: str) -> str:
    with pytest.raises(Rejected) as caught:
        await store.read(reference)
    return caught.value.code


async def test_store__when_a_key_is_created_twice__keeps_the_first(store: KeyStore) -> None:
    reference = store.reference(KEY.chain_id, KEY.address)
    assert await refusal(store, reference) == "key_missing"

    assert await store.create(KEY) == reference
    assert await store.create(REWRAPPED) == reference

    assert store.owns(reference)
    assert await store.read(reference) == KEY


async def test_store__when_a_key_is_replaced__gives_the_new_one_and_lets_no_one_replace_the_old(
    store: KeyStore,
) -> None:
    reference = await store.create(KEY)

    await store.replace(reference, old=KEY, new=REWRAPPED)

    assert await store.read(reference) == REWRAPPED
    with pytest.raises(Conflict):
        await store.replace(reference, old=KEY, new=KEY)
    assert await store.read(reference) == REWRAPPED


async def test_store__when_a_key_is_scheduled_for_deletion__shows_it_to_no_one_until_restored(
    store: KeyStore,
) -> None:
    reference = await store.create(KEY)
    for _ in range(2):
        await store.schedule_deletion(reference, days=7)

    assert await refusal(store, reference) == "key_deleting"
    await store.create(REWRAPPED)
    assert await refusal(store, reference) == "key_deleting"
    for _ in range(2):
        await store.restore(reference)
    assert await store.read(reference) == KEY


async def test_store__when_there_is_no_key__deletes_nothing_and_restores_nothing(store: KeyStore) -> None:
    reference = store.reference(KEY.chain_id, KEY.address)

    await store.schedule_deletion(reference, days=7)

    with pytest.raises(Rejected) as caught:
        await store.restore(reference)
    assert caught.value.code == "key_missing"


@pytest.mark.parametrize("store", ["memory", "dynamodb"], indirect=True)
async def test_store__when_the_waiting_time_has_passed__has_lost_the_key(
    store: KeyStore, clock: Clock
) -> None:
    reference = await store.create(KEY)
    await store.schedule_deletion(reference, days=7)

    clock.ahead = 7 * DAY - 60
    assert await refusal(store, reference) == "key_deleting"
    clock.ahead = 7 * DAY + 60
    assert await refusal(store, reference) == "key_missing"
    with pytest.raises(Rejected):
        await store.restore(reference)


async def test_item__when_it_is_no_key__is_unreadable(both: Both, dynamo: Dynamo) -> None:
    reference = await both.items.create(KEY)
    client = dynamo._client
    await client.update_item(
        TableName=f"{dynamo._prefix}-wrapped-keys",
        Key={"key_id": {"S": reference.removeprefix("dynamodb:")}},
        UpdateExpression="REMOVE #0",
        ExpressionAttributeNames={"#0": "wrapped"},
    )

    assert await refusal(both.items, reference) == "key_unreadable"


async def test_secret__when_it_is_no_key__is_unreadable_and_not_quoted(both: Both) -> None:
    await both.secrets._client.create_secret(Name="p/wallets/odd", SecretString='{"wrapped": "c2VjcmV0"}')

    with pytest.raises(Rejected) as caught:
        await both.secrets.read("p/wallets/odd")

    assert caught.value.code == "key_unreadable"
    assert "c2VjcmV0" not in str(caught.value)
    assert caught.value.__suppress_context__


async def test_stores__when_a_reference_is_of_one__ask_that_one(both: Both) -> None:
    stores = KeyStores(both.secrets, both.items)
    for store in (both.secrets, both.items):
        reference = store.reference(KEY.chain_id, KEY.address)
        assert stores.holding(reference) is store
        assert stores.named(store.name) is store


async def test_stores__when_the_key_has_moved__find_it_by_its_old_reference(both: Both) -> None:
    stores = KeyStores(both.secrets, both.items)
    old = await both.secrets.create(KEY)
    key = KeyRef(address=ADDRESS, subject="alice", chain_id=31337, secret_id=old)
    assert await stores.read(key) == KEY

    await both.items.create(REWRAPPED)
    assert await stores.read(key) == KEY
    await both.secrets.schedule_deletion(old, days=7)
    assert await stores.read(key) == REWRAPPED
    await both.items.schedule_deletion(both.items.reference(31337, ADDRESS), days=7)
    with pytest.raises(Rejected) as caught:
        await stores.read(key)
    assert caught.value.code == "key_deleting"
