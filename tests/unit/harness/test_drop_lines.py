"""The lines of chaos's drop: each bad one is refused by the API's own rules, and no other."""

from __future__ import annotations

import pytest

from mintline_api.features.drops.lines import RefusedLine
from mintline_harness.chaos.drop import DropOutcome
from mintline_harness.chaos.drop_lines import drop_lines
from tests.unit.api.test_drop_lines import reader, split


@pytest.mark.parametrize("bad", [0, 42])
def test_lines__when_some_are_bad__then_the_api_refuses_those_alone(bad: int) -> None:
    drop = drop_lines(lines=1_000, bad=bad, seed=3)
    read = [
        reader().read(line, number)
        for number, line in enumerate(split(drop.body, quoted=False, step=4_096, limit=64 * 1024), start=1)
    ]

    refused = [line for line in read if isinstance(line, RefusedLine)]
    assert len(read) == 1_000
    assert tuple(line.line for line in refused) == drop.bad
    assert len(drop.bad) == bad
    assert len({line.errors[0].pointer for line in refused}) == (0 if bad == 0 else 6)
    assert drop_lines(lines=1_000, bad=bad, seed=3) == drop


@pytest.mark.parametrize(
    "broken",
    [
        {"named": 41},
        {"finalized": 957},
        {"lost": 1},
        {"doubled": 1},
        {"mismatched": 1},
        {"tokens": 959},
        {"unreconciled": 1},
        {"unreconciled": -1},
        {"events_missing": 1},
        {"cuts": 1},
    ],
)
def test_outcome__when_one_promise_is_broken__then_it_is_not_clean(broken: dict[str, int]) -> None:
    kept: dict[str, int] = {
        "lines": 1_000,
        "bad": 42,
        "named": 42,
        "finalized": 958,
        "tokens": 958,
        "lost": 0,
        "doubled": 0,
        "mismatched": 0,
        "unreconciled": 0,
        "events_missing": 0,
        "cuts": 2,
    }
    assert DropOutcome(seed=1, kills={}, seconds=1.0, **kept).clean
    assert not DropOutcome(seed=1, kills={}, seconds=1.0, **(kept | broken)).clean
