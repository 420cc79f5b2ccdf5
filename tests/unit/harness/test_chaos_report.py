"""What a chaos run says at its end."""

from __future__ import annotations

import argparse

import pytest

from mintline.states import MintStatus
from mintline_harness.chaos.command import share, summary
from mintline_harness.chaos.event_logs import mint_events_complete
from mintline_harness.chaos.run import Outcome


def outcome(**fields: int) -> Outcome:
    counts = (
        dict.fromkeys(("lost", "doubled", "stuck", "mismatched", "unreconciled", "events_missing"), 0)
        | fields
    )
    struck = {"kills": 30, "stops": 6, "reorgs": 4, "requests cut": 7, "requests torn": 2}
    return Outcome(seed=1, accepted=100, finalized=99, failed=1, struck=struck, seconds=80.0, **counts)


@pytest.mark.parametrize("what", ["lost", "doubled", "stuck", "mismatched", "unreconciled", "events_missing"])
def test_outcome__when_one_promise_is_broken__then_is_not_clean(what: str) -> None:
    assert outcome().clean
    assert not outcome(**{what: 1}).clean


def test_outcome__when_nobody_could_reconcile__then_is_not_clean() -> None:
    assert not outcome(unreconciled=-1).clean


def test_summary__when_there_are_two_seeds__then_adds_them_up() -> None:
    totals = summary([outcome(), outcome(stuck=2)])
    assert totals == {
        "seeds": 2,
        "accepted": 200,
        "lost": 0,
        "doubled": 0,
        "stuck": 2,
        "failed": 2,
        "mismatched": 0,
        "unreconciled": 0,
        "events_missing": 0,
        "kills": 60,
        "stops": 12,
        "reorgs": 8,
        "pool_drops": 0,
        "faults": 18,
    }


def test_share__when_it_is_a_part_of_the_whole__then_that_and_otherwise_refused() -> None:
    assert [share(text) for text in ("0", "0.3", "1")] == [0, 0.3, 1]
    for text in ("-0.1", "1.1", "nan", "half"):
        with pytest.raises(argparse.ArgumentTypeError, match="a number from 0 to 1"):
            share(text)


def events_of(*types: str) -> list[dict[str, object]]:
    return [{"type": f"mint.{name}", "sequence": number} for number, name in enumerate(types)]


@pytest.mark.parametrize(
    ("types", "status", "expected"),
    [
        ("accepted submitted mined finalized", "finalized", True),
        ("accepted submitted mined reorged mined finalized", "finalized", True),
        ("accepted rejected", "rejected", True),
        ("accepted submitted mined", "finalized", False),
        ("accepted submitted finalized", "finalized", False),
        ("submitted mined finalized", "finalized", False),
        ("accepted submitted mined mined finalized", "finalized", False),
        ("accepted submitted mined finalized finalized", "finalized", False),
        ("accepted submitted reverted", "finalized", False),
        ("", "finalized", False),
    ],
)
def test_events__when_a_step_is_missing_or_twice__then_the_mint_is_not_told(
    types: str, status: str, *, expected: bool
) -> None:
    assert mint_events_complete(events_of(*types.split()), MintStatus(status)) is expected


def test_events__when_they_are_out_of_order__then_the_mint_is_not_told() -> None:
    events = events_of("accepted", "submitted", "mined", "finalized")
    events[1]["sequence"] = 3
    assert not mint_events_complete(events, MintStatus.FINALIZED)
