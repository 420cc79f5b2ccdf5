from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from mintline_testkit.api.client import MemoryClient
from mintline_testkit.api.harness import Harness
from mintline_testkit.user_pool import UserPool


@pytest.fixture(scope="session")
def pool() -> UserPool:
    return UserPool()


@pytest.fixture
def harness(pool: UserPool) -> Harness:
    harness = Harness(pool)
    harness.index.hold_collection()
    return harness


@pytest.fixture
async def client(harness: Harness) -> AsyncIterator[MemoryClient]:
    async with MemoryClient(harness.app()) as client:
        yield client
