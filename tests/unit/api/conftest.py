from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from mintline.records import Checkpoint, Collection, scoped
from mintline_testkit.api.client import MemoryClient
from mintline_testkit.api.harness import Harness
from mintline_testkit.constants import CHAIN_ID, CONTRACT
from mintline_testkit.user_pool import START, UserPool


@pytest.fixture(scope="session")
def pool() -> UserPool:
    return UserPool()


@pytest.fixture
def harness(pool: UserPool) -> Harness:
    harness = Harness(pool)
    harness.index.collections[CONTRACT] = Collection(
        collection_id=scoped(CHAIN_ID, CONTRACT),
        chain_id=CHAIN_ID,
        contract=CONTRACT,
        name="Aurora",
        symbol="AUR",
        deployed_block=1,
        sponsored=True,
        next_token_id=1,
    )
    harness.index.head = Checkpoint(
        chain=str(CHAIN_ID),
        head_number=44,
        head_hash=bytes(32),
        head_timestamp=int(START) - 1,
        finalized_number=40,
        updated_at=int(START) * 1000,
    )
    return harness


@pytest.fixture
async def client(harness: Harness) -> AsyncIterator[MemoryClient]:
    async with MemoryClient(harness.app()) as client:
        yield client
