"""Chaos tells a log that tells what happened from one that does not."""

from __future__ import annotations

from typing import Any

import pytest

from mintline.states import MintStatus
from mintline_harness.chaos.event_logs import drop_events_complete, mint_events_complete


def log(kind: str, *types: str) -> list[dict[str, Any]]:
    """Return events of one resource, in order."""
    return [
        {"id": f"evt_{number}", "type": f"{kind}.{step}", "sequence": number}
        for number, step in enumerate(types, 1)
    ]


@pytest.mark.parametrize(
    ("refused", "types"),
    [
        (0, ("started", "progressed", "completed")),
        (3, ("lines_refused", "started", "progressed", "progressed", "completed")),
        (3, ("lines_refused", "lines_refused", "started", "progressed", "completed")),
        (0, ("started", "paused", "resumed", "progressed", "completed")),
    ],
)
def test_drop__when_its_log_tells_what_happened__then_is_told(refused: int, types: tuple[str, ...]) -> None:
    assert drop_events_complete(log("drop", *types), refused=refused)


@pytest.mark.parametrize(
    ("refused", "types"),
    [
        (0, ()),
        (0, ("started", "completed")),
        (0, ("started", "progressed")),
        (0, ("progressed", "started", "completed")),
        (0, ("started", "started", "progressed", "completed")),
        (0, ("started", "progressed", "completed", "completed")),
        (0, ("started", "progressed", "completed", "progressed")),
        (0, ("started", "paused", "progressed", "completed")),
        (0, ("lines_refused", "started", "progressed", "completed")),
        (3, ("started", "progressed", "completed")),
        (3, ("started", "lines_refused", "progressed", "completed")),
    ],
)
def test_drop__when_its_log_lacks_doubles_or_swaps_a_step__then_is_not_told(
    refused: int, types: tuple[str, ...]
) -> None:
    assert not drop_events_complete(log("drop", *types), refused=refused)


def test_drop__when_its_sequence_numbers_do_not_rise__then_is_not_told() -> None:
    events = log("drop", "started", "progressed", "completed")
    events[1]["sequence"] = events[0]["sequence"]

    assert not drop_events_complete(events, refused=0)


def test_mint__when_a_block_is_taken_back__then_it_has_to_be_mined_again() -> None:
    steps = ("accepted", "submitted", "mined", "reorged", "mined", "finalized")

    assert mint_events_complete(log("mint", *steps), MintStatus.FINALIZED)
    assert not mint_events_complete(log("mint", *steps[:4], "finalized"), MintStatus.FINALIZED)
