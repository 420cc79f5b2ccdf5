"""The garbage collector of a service leaves alone what was loaded at its start."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from mintline.process import ALLOCATIONS, spare_collector


@pytest.fixture
def restored() -> Iterator[None]:
    thresholds = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*thresholds)


@pytest.mark.usefixtures("restored")
def test_collector__when_a_service_starts__then_what_is_loaded_is_frozen_and_new_garbage_is_found() -> None:
    spare_collector()
    assert gc.get_freeze_count() > 10_000
    assert gc.get_threshold()[0] == ALLOCATIONS
    cycle: list[object] = []
    cycle.append(cycle)
    del cycle
    assert gc.collect() >= 1
