"""Drops in the emulator's tables and bucket."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AsyncExitStack

import pytest

from mintline.authorizations import chunk_key
from mintline.aws.dynamo import Dynamo, Item, Put
from mintline.aws.session import AwsCalls, open_client
from mintline.drop_records import (
    Drop,
    DropPart,
    DropStatus,
    Lease,
    Repetition,
    Repetitions,
    SupplyReservations,
    Upload,
)
from mintline.errors import Conflict, Unreadable
from mintline.records.problems import Problem
from mintline.resources import AUTHORIZATIONS
from mintline.settings import ServiceSettings
from mintline_api.features.drops.ports import DropStore
from mintline_api.features.drops.store import DynamoDrops, S3Lines
from mintline_testkit.api.drops import MemoryDrops
from mintline_testkit.constants import CHAIN_ID, CONTRACT

pytestmark = pytest.mark.integration


def drop_of(number: int = 0, **changes: object) -> Drop:
    return Drop(
        drop_id=f"drop_{number:026d}",
        version=0,
        client_id="shop",
        chain_id=CHAIN_ID,
        contract=CONTRACT,
        name="Spring",
        status=DropStatus.DRAFT,
        request_digest="",
        created_at=1_795_000_000_000 + number,
        updated_at=1_795_000_000_000,
    ).evolve(**changes)


async def test_drops__when_they_are_kept__then_each_version_is_written_once_and_open_ones_are_found(
    dynamo: Dynamo,
) -> None:
    store = DynamoDrops(dynamo)
    drop = drop_of()
    assert await store.create(drop) is None
    assert await store.create(drop.evolve(name="Other")) == drop
    upload = Upload(
        format="csv",
        columns=("name", "image"),
        repeated_lines=Repetitions(count=1, examples=(Repetition(line=2, first=1),)),
    )
    part = DropPart(drop_id=drop.drop_id, number=0, accepted=2, refused=0, size=9, lines_key="x")
    second = drop.evolve(version=1, upload=upload)
    await store.replace(second, part, b"\x01marks")
    await store.replace(second, part, b"\x01marks")  # the same write again, whose answer was lost
    assert await store.get(drop.drop_id) == second
    with pytest.raises(Conflict):
        await store.replace(drop.evolve(version=1, name="Late"), part.evolve(accepted=1), b"")
    with pytest.raises(Conflict):
        await store.replace(drop.evolve(version=1, name="Late"))
    prepared = part.evolve(lines_key=None, chunk=0, lines=2, first_token_id=10**30, root=bytes(32))
    third = second.evolve(
        version=2,
        status=DropStatus.PAUSED,
        paused=Problem(code="a-code", reason="A reason."),
        counts={"mined": 2},
        lease=Lease(owner="one", until=5),
        envelope=b"sealed",
        resumes_at=7,
    )
    await store.replace(third, prepared)
    assert await store.get(drop.drop_id) == third
    assert [part async for part in store.parts(drop.drop_id)] == [prepared]
    assert [part async for part in store.parts(drop.drop_id, first=1)] == []
    assert [marks async for marks in store.marks(drop.drop_id)] == [b"\x01marks"]
    assert await store.open() == [drop.drop_id]
    await store.replace(third.evolve(version=3, resumes_at=None))
    assert await store.open() == []


@pytest.mark.parametrize("store_of", [DynamoDrops, lambda _: MemoryDrops()], ids=["dynamodb", "memory"])
async def test_reservations__when_two_reserve_at_once__then_one_is_done_and_the_other_sees_it(
    dynamo: Dynamo, store_of: Callable[[Dynamo], DropStore]
) -> None:
    store = store_of(dynamo)
    none = await store.reservations(CHAIN_ID, CONTRACT)
    assert none == SupplyReservations(chain_id=CHAIN_ID, contract=CONTRACT)

    first = none.evolve(version=1, drops={"drop_1": 700})
    await store.reserve(first)
    with pytest.raises(Conflict):
        await store.reserve(none.evolve(version=1, drops={"drop_2": 700}))
    assert await store.reservations(CHAIN_ID, CONTRACT) == first
    second = first.evolve(version=2, drops={"drop_1": 700, "drop_2": 300})
    await store.reserve(second)
    with pytest.raises(Conflict):
        await store.reserve(second.evolve(drops={"drop_1": 1}))
    assert await store.reservations(CHAIN_ID, CONTRACT) == second
    assert [part async for part in store.parts("drop_1")] == []


async def test_drops__when_they_are_listed__then_the_newest_comes_first(dynamo: Dynamo) -> None:
    store = DynamoDrops(dynamo)
    for number in range(3):
        await store.create(drop_of(number))

    first = await store.ids_of("shop", limit=2, after=None)
    second = await store.ids_of("shop", limit=2, after=first.items[-1][0])

    ids = [drop_id for page in (first, second) for _, drop_id in page.items]
    assert (ids, first.more) == ([drop_of(number).drop_id for number in (2, 1, 0)], True)


async def test_renew__when_a_chunk_is_on_record__then_it_has_the_fresh_authorization(dynamo: Dynamo) -> None:
    store = DynamoDrops(dynamo)
    key: Item = {"mint_id": "drop_1", "digest": chunk_key(3)}
    await dynamo.write(Put(AUTHORIZATIONS, {**key, "envelope": b"old"}))

    await store.renew("drop_1", 3, b"new")
    await store.renew("drop_1", 4, b"new")

    assert await dynamo.get(AUTHORIZATIONS, key) == {**key, "envelope": b"new"}
    assert await dynamo.get(AUTHORIZATIONS, {**key, "digest": chunk_key(4)}) is None


async def test_lines__when_they_are_deleted__then_they_are_gone(
    stack: AsyncExitStack, aws_settings: ServiceSettings, aws_prefix: str
) -> None:
    s3 = await open_client(stack, "s3", aws_settings, calls=AwsCalls())
    lines = S3Lines(s3, prefix=aws_prefix)

    await lines.put("a/1.lines", b"one\n")
    assert await lines.get("a/1.lines") == b"one\n"
    await lines.delete("a/1.lines")
    await lines.delete("a/1.lines")
    with pytest.raises(Unreadable):
        await lines.get("a/1.lines")
