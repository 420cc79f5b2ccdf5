from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from mintline_cli.main import quieten
from mintline_testkit.api.harness import Harness
from mintline_testkit.user_pool import UserPool
from tests.unit.cli.memory_session import MemorySession


@pytest.fixture(scope="session")
def pool() -> UserPool:
    return UserPool()


@pytest.fixture
def harness(pool: UserPool) -> Harness:
    harness = Harness(pool)
    harness.clients.add("operator")
    return harness


@pytest.fixture
def session(harness: Harness, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[MemorySession]:
    """Have commands that call `PUBLIC_URL` call the harness's API, and know no profile."""
    session = MemorySession(harness)
    monkeypatch.setattr("mintline_cli.caller.AsyncMintline", session.client)
    monkeypatch.setenv("MINTLINE_PROFILES", str(tmp_path / "profiles.json"))
    for name in ("MINTLINE_PROFILE", "MINTLINE_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    quieten()  # the API logs too
    yield session
    structlog.reset_defaults()
