from __future__ import annotations

import pytest

from mintline_testkit.indexer.harness import Harness


@pytest.fixture
def harness() -> Harness:
    return Harness()
