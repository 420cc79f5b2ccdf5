"""When a service is said to grow."""

from __future__ import annotations

import random

import pytest

from mintline_harness.soak.growth import growth

MB = 1e6


def series(per_second: float, *, noise: float = 1 * MB) -> list[tuple[float, float]]:
    rng = random.Random(1)
    return [(float(at), 80 * MB + per_second * at + rng.uniform(0, noise)) for at in range(0, 1200, 2)]


@pytest.mark.parametrize("per_second", [0.0, -5_000.0, 1_000.0])
def test_growth__when_it_is_within_noise__then_is_steady(per_second: float) -> None:
    assert not growth(series(per_second)).grows


def test_growth__when_memory_leaks_steadily__then_grows() -> None:
    fit = growth(series(10_000.0))
    assert fit.grows
    assert fit.slope == pytest.approx(10_000.0, rel=0.1)


def test_growth__when_only_the_warm_up_grows__then_is_steady() -> None:
    warming = [(at, min(size + at * 100_000, 110 * MB)) for at, size in series(0.0, noise=0.0)]
    assert not growth(warming).grows


def test_growth__when_there_are_spikes__then_they_do_not_count() -> None:
    spiky = [(at, size * (3 if index % 50 == 49 else 1)) for index, (at, size) in enumerate(series(0.0))]
    assert not growth(spiky).grows
