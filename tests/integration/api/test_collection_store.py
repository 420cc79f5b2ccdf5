"""The collections' port, held by the implementation in memory and the one over DynamoDB alike."""

from __future__ import annotations

import asyncio

import pytest

from mintline.authorizations import Authorization
from mintline.aws.dynamo import Dynamo, Item, Update
from mintline.clone_calls import address_of
from mintline.clones import CloneArgs
from mintline.messages.parts import Clone, CollectionChange
from mintline.metadata_versions import MetadataVersion
from mintline.records.collections import Collection, PendingChange, RegisteredContract
from mintline.records.keys import scoped, token_ref
from mintline.records.operations import CollectionCall, CollectionDeployment
from mintline.resources import COLLECTIONS
from mintline.states import MintStatus
from mintline_api.features.collections.ports import ChangedMeanwhile, ManagedCollections
from mintline_api.features.collections.store import DynamoCollections
from mintline_api.features.metadata.store import DynamoVersions
from mintline_api.features.mints.store import DynamoTokenIds
from mintline_api.features.tokens.store import DynamoIndex
from mintline_testkit.api.collections import MemoryCollections
from mintline_testkit.api.index import MemoryIndex
from mintline_testkit.api.operations import MemoryMints
from mintline_testkit.constants import CHAIN_ID, CONTRACT

pytestmark = pytest.mark.integration

FACTORY = "0xDc64a140Aa3E981100a9becA4E685f962f0cF6C9"
AUTHORIZATION = Authorization(envelope=b"\x02sealed\xff")
AT = 1_795_398_654_000


@pytest.fixture(params=["memory", "dynamodb"])
def collections(request: pytest.FixtureRequest) -> ManagedCollections:
    if request.param == "memory":
        return MemoryCollections(MemoryIndex(), MemoryMints())
    dynamo: Dynamo = request.getfixturevalue("dynamo")
    return DynamoCollections(dynamo, DynamoIndex(dynamo, chain_id=CHAIN_ID), chain_id=CHAIN_ID)


def deployment(number: int, *, principal: str = "shop", digest: str = "00") -> CollectionDeployment:
    operation_id = f"deploy_{number:026d}"
    clone = Clone(
        factory=FACTORY,
        implementation=CONTRACT,
        principal=principal,
        operation_id=operation_id,
        args=CloneArgs(name=f"No {number}", symbol="N"),
    )
    return CollectionDeployment(
        mint_id=operation_id,
        status=MintStatus.ACCEPTED,
        chain_id=CHAIN_ID,
        contract=address_of(clone),
        request_digest=digest,
        created_at=AT + number,
        updated_at=AT + number,
        principal=principal,
        clone=clone,
    )


def collection(made_by: CollectionDeployment) -> Collection:
    return Collection(
        collection_id=scoped(CHAIN_ID, made_by.contract),
        chain_id=CHAIN_ID,
        contract=made_by.contract,
        name=made_by.clone.args.name,
        symbol="N",
        deployed_block=7,
        clone=made_by.clone,
        status="deploying",
        metadata_digest=bytes(32),
        created_at=made_by.created_at,
        next_token_id=1,
    )


def call(number: int, of: CollectionDeployment) -> CollectionCall:
    return CollectionCall(
        mint_id=f"administer_{number:026d}",
        status=MintStatus.ACCEPTED,
        chain_id=CHAIN_ID,
        contract=of.contract,
        request_digest="00",
        created_at=AT,
        updated_at=AT,
        principal=of.principal,
        clone=of.clone,
        change=CollectionChange(action="pause"),
    )


async def test_deploy__when_repeated__then_operation_and_collection_are_there_once(
    collections: ManagedCollections,
) -> None:
    first = deployment(1)
    assert await collections.collection(first.contract) is None
    outcomes = await asyncio.gather(
        *(collections.deploy(collection(first), first, AUTHORIZATION) for _ in range(5))
    )
    assert sorted(outcomes, key=str) == sorted([None, *[first] * 4], key=str)
    record = await collections.collection(first.contract)
    assert record is not None
    assert (record.clone, record.status, record.deployed_block) == (first.clone, "deploying", 7)
    assert await collections.operation(first.operation_id) == first
    other = deployment(1, digest="01")
    assert await collections.deploy(collection(other), other, AUTHORIZATION) == first
    assert await collections.operations([first.operation_id, "deploy_unknown"]) == {first.operation_id: first}


async def test_made_by__when_a_client_made_some__then_it_pages_its_own_newest_first(
    collections: ManagedCollections,
) -> None:
    deployments = [deployment(number) for number in range(1, 5)]
    for each in [*deployments, deployment(9, principal="rival")]:
        await collections.deploy(collection(each), each, AUTHORIZATION)

    first = await collections.made_by("shop", limit=3, after=None)
    second = await collections.made_by("shop", limit=3, after=first.items[-1][0])

    listed = [record.contract for page in (first, second) for _, record in page.items]
    assert listed == [deployment.contract for deployment in reversed(deployments)]
    assert (first.more, second.more) == (True, False)
    assert (await collections.made_by("nobody", limit=3, after=None)).items == ()


async def test_made_by__when_a_record_is_unreadable__then_the_list_goes_on_behind_it(dynamo: Dynamo) -> None:
    collections = DynamoCollections(dynamo, DynamoIndex(dynamo, chain_id=CHAIN_ID), chain_id=CHAIN_ID)
    deployments = [deployment(number) for number in range(1, 4)]
    for each in deployments:
        await collections.deploy(collection(each), each, AUTHORIZATION)
    key: Item = {"collection_id": collection(deployments[1]).collection_id}
    await dynamo.write(Update(COLLECTIONS, key, set={"chain_id": "not ours"}))

    listed: list[str] = []
    after: str | None = None
    more = True
    while more:
        page = await collections.made_by("shop", limit=1, after=after)
        listed += [record.contract for _, record in page.items]
        after, more = page.end, page.more

    assert listed == [deployments[2].contract, deployments[0].contract]


async def test_change__when_two_meet__then_one_is_on_record_and_the_other_hears_of_it(
    collections: ManagedCollections,
) -> None:
    of = deployment(1)
    await collections.deploy(collection(of), of, AUTHORIZATION)
    before = await collections.collection(of.contract)
    assert before is not None

    async def change(number: int) -> CollectionCall | str | None:
        created = call(number, of)
        pending = PendingChange(operation_id=created.operation_id, change=created.change)
        after = before.evolve(pending=pending, metadata_digest=b"\x01" * 32)
        try:
            return await collections.change(before, after, created, AUTHORIZATION)
        except ChangedMeanwhile:
            return "changed"

    outcomes = await asyncio.gather(*map(change, range(4)))

    assert sorted(outcomes, key=str) == [None, *["changed"] * 3]
    record = await collections.collection(of.contract)
    assert record is not None
    assert record.pending is not None
    assert record.metadata_digest == b"\x01" * 32
    winner = int(record.pending.operation_id.removeprefix("administer_"))
    assert await change(winner) == call(winner, of)
    # The loser's operation is not there.
    assert await collections.operation(call((winner + 1) % 4, of).operation_id) is None
    # One that ended makes room for the next.
    ended = record.evolve(pending=PendingChange(operation_id="x", change=record.pending.change))
    with pytest.raises(ChangedMeanwhile):
        await collections.change(ended, ended, call(7, of), AUTHORIZATION)
    again = record.evolve(pending=PendingChange(operation_id="y", change=record.pending.change))
    assert await collections.change(record, again, call(8, of), AUTHORIZATION) is None


async def test_change__when_it_brings_a_version_of_metadata__then_both_are_on_record_or_neither_is(
    dynamo: Dynamo,
) -> None:
    collections = DynamoCollections(dynamo, DynamoIndex(dynamo, chain_id=CHAIN_ID), chain_id=CHAIN_ID)
    versions = DynamoVersions(dynamo, chain_id=CHAIN_ID)
    of = deployment(1)
    await collections.deploy(collection(of), of, AUTHORIZATION)
    before = await collections.collection(of.contract)
    assert before is not None

    def version(number: int, operation: CollectionCall) -> MetadataVersion:
        return MetadataVersion(
            token_ref=token_ref(CHAIN_ID, of.contract, 7),
            version=number,
            digest=bytes([number]) * 32,
            principal="shop",
            operation_id=operation.operation_id,
            created_at=AT,
        )

    async def change(number: int, before: RegisteredContract) -> RegisteredContract:
        created = call(number, of)
        pending = PendingChange(operation_id=created.operation_id, change=created.change)
        after = before.evolve(pending=pending, metadata_versions=True)
        assert (
            await collections.change(before, after, created, AUTHORIZATION, version=version(number, created))
            is None
        )
        stored = await collections.collection(of.contract)
        assert stored is not None
        return stored

    assert await versions.latest(of.contract, 7) is None
    second = await change(2, before)
    assert second.metadata_versions is True
    # A loser of the race leaves no version, and none takes the place of another.
    lost = call(3, of)
    with pytest.raises(ChangedMeanwhile):
        await collections.change(before, second, lost, AUTHORIZATION, version=version(3, lost))
    with pytest.raises(ChangedMeanwhile):
        await collections.change(second, second, lost, AUTHORIZATION, version=version(2, lost))
    assert await collections.operation(lost.operation_id) is None
    await change(10, second)
    assert [version.version for version in await versions.versions(of.contract, 7)] == [10, 2]
    latest = await versions.latest(of.contract, 7)
    assert latest is not None
    assert (latest.version, latest.digest) == (10, bytes([10]) * 32)
    assert await versions.versions(of.contract, 70) == []


async def test_register__when_repeated__then_the_first_record_stays(collections: ManagedCollections) -> None:
    imported = collection(deployment(1)).evolve(clone=None, status="ready", read_only=True)
    assert await collections.register(imported) is None
    again = await collections.register(imported.evolve(deployed_block=9))
    assert again is not None
    assert (again.deployed_block, again.read_only, again.clone) == (7, True, None)


async def test_token_ids__when_a_deployed_collection_leases_some__then_its_list_and_record_stay(
    dynamo: Dynamo,
) -> None:
    collections = DynamoCollections(dynamo, DynamoIndex(dynamo, chain_id=CHAIN_ID), chain_id=CHAIN_ID)
    created = deployment(1)
    await collections.deploy(collection(created), created, AUTHORIZATION)
    token_ids = DynamoTokenIds(dynamo, chain_id=CHAIN_ID)
    assert [await token_ids.lease(created.contract, 5), await token_ids.lease(created.contract, 5)] == [1, 6]
    page = await collections.made_by("shop", limit=3, after=None)
    assert [record.contract for _, record in page.items] == [created.contract]
