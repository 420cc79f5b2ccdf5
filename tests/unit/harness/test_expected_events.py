"""Chaos tells what an errand's events and deliveries have to be from what they must not be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import pytest

from mintline_client import AsyncMintline
from mintline_harness.chaos.expected_events import Expected, matches
from mintline_harness.chaos.webhook_receiver import Receiver

NAMES = ("collection.deployed", "collection.paused")
READER = cast("AsyncMintline", None)


def log(*types: str, resource: str = "0xA") -> list[dict[str, Any]]:
    """Return events of one resource, in order."""
    return [
        {"id": f"evt_{number}", "type": kind, "sequence": number, "resource": {"id": resource}}
        for number, kind in enumerate(types, 1)
    ]


@pytest.mark.parametrize(
    ("types", "once", "expected_match"),
    [
        (NAMES, True, True),
        ((NAMES[0], *NAMES, NAMES[1]), False, True),
        ((NAMES[0], *NAMES), True, False),
        (NAMES[:1], False, False),
        (NAMES[::-1], False, False),
        ((*NAMES, "collection.frozen"), False, False),
        ((), False, False),
    ],
)
def test_resource__when_its_log_has_these_events__then_is_told_or_not(
    types: tuple[str, ...], *, once: bool, expected_match: bool
) -> None:
    expected = Expected(reader=READER, resource="0xA", types=NAMES, once=once)

    assert matches([*log(*types), *log("collection.deployed", resource="0xB")], expected) is expected_match


@pytest.mark.parametrize("wrong", [{"id": "evt_1"}, {"sequence": 1}])
def test_resource__when_an_event_repeats_an_id_or_a_sequence__then_is_not_told(
    wrong: Mapping[str, Any],
) -> None:
    events = log(*NAMES)
    events[1] |= wrong

    assert not matches(events, Expected(reader=READER, resource="0xA", types=NAMES))


def test_receiver__when_an_event_is_missing_or_overtaken__then_names_it() -> None:
    events, others = log("mint.accepted", "mint.mined", "mint.finalized"), log("a", resource="0xB")
    others[0]["id"] = "evt_other"
    receiver = Receiver()
    delivered = [others[0], events[0], events[2], events[1]]
    receiver.events = {event["id"]: event for event in delivered}

    wrong = receiver.missing([*events, *others])
    assert list(wrong.values()) == ["too early: mint.finalized of 0xA, evt_3"]
    receiver.events = {event["id"]: event for event in (events[0], events[2], others[0])}
    wrong = receiver.missing([*events, *others])
    assert list(wrong.values()) == ["not delivered: mint.mined of 0xA, evt_2"]
    receiver.events = {event["id"]: event for event in (*events, *others)}
    assert receiver.missing([*events, *others]) == {}
