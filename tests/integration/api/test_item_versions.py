"""An item's first version: written once, by the implementation in memory and the one over DynamoDB alike."""

from __future__ import annotations

import asyncio

import pytest

from mintline.metadata_versions import MetadataVersion
from mintline.records.keys import token_ref
from mintline_api.features.items.ports import ItemVersions
from mintline_api.features.metadata.store import DynamoVersions
from mintline_testkit.api.index import MemoryVersions
from mintline_testkit.constants import CHAIN_ID, CONTRACT

pytestmark = pytest.mark.integration


@pytest.fixture(params=["memory", "dynamodb"])
def versions(request: pytest.FixtureRequest) -> ItemVersions:
    if request.param == "memory":
        return MemoryVersions()
    return DynamoVersions(request.getfixturevalue("dynamo"), chain_id=CHAIN_ID)


def first(digest: int, *, item_id: int = 7) -> MetadataVersion:
    return MetadataVersion(
        token_ref=token_ref(CHAIN_ID, CONTRACT, item_id),
        version=1,
        digest=bytes([digest]) * 32,
        principal="shop",
        operation_id=f"mint_{digest}",
        created_at=1_795_398_654_000,
    )


async def test_begin__when_many_write_at_once__then_one_has_written_and_that_stays(
    versions: ItemVersions,
) -> None:
    assert await versions.latest(CONTRACT, 7) is None

    written = await asyncio.gather(*(versions.begin(first(digest)) for digest in range(1, 6)))

    assert sorted(written) == [False] * 4 + [True]
    latest = await versions.latest(CONTRACT, 7)
    assert latest == first(written.index(True) + 1)
    assert await versions.begin(first(9)) is False
    assert await versions.versions(CONTRACT, 7) == [latest]


async def test_begin__when_the_item_is_another__then_it_has_a_first_version_of_its_own(
    versions: ItemVersions,
) -> None:
    large = 2**256 - 1
    assert await versions.begin(first(1)) is True
    assert await versions.begin(first(2, item_id=large)) is True

    assert await versions.latest(CONTRACT, large) == first(2, item_id=large)
    assert await versions.latest(CONTRACT, 7) == first(1)
