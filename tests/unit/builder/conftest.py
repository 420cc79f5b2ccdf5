from __future__ import annotations

import pytest

from mintline_testkit.builder.harness import Builder, Harness


@pytest.fixture
def harness() -> Harness:
    return Harness()


@pytest.fixture
def builder(harness: Harness) -> Builder:
    return harness.builder()
