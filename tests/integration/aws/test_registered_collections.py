"""A collection's row is made once; only whether it is sponsored is written again."""

from __future__ import annotations

import pytest

from mintline.aws.dynamo import Dynamo
from mintline.records.collections import Collection
from mintline.records.keys import scoped
from mintline.resources import COLLECTIONS
from mintline_ops.platform_keys import register_collection
from mintline_testkit.constants import CHAIN_ID, CONTRACT

pytestmark = pytest.mark.integration


def record(*, sponsored: bool) -> Collection:
    return Collection(
        collection_id=scoped(CHAIN_ID, CONTRACT),
        chain_id=CHAIN_ID,
        contract=CONTRACT,
        name="Birds",
        symbol="BIRD",
        deployed_block=1,
        sponsored=sponsored,
        next_token_id=1,
    )


async def test_register__when_the_row_is_there__then_its_sponsorship_is_written_unless_it_is_to_be_kept(
    dynamo: Dynamo,
) -> None:
    async def sponsored() -> object:
        row = await dynamo.get(COLLECTIONS, {"collection_id": scoped(CHAIN_ID, CONTRACT)})
        assert row is not None
        return row["sponsored"]

    assert await register_collection(dynamo, record(sponsored=False))
    assert not await register_collection(dynamo, record(sponsored=True))
    assert await sponsored() is True
    assert not await register_collection(dynamo, record(sponsored=False), keeps_sponsored=True)
    assert await sponsored() is True
