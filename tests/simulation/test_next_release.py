"""Schedules whose messages are as the next release may write them: with a field more in every object."""

import json
from typing import Any

import pytest

from mintline.messages.codec import encode
from mintline.messages.parts import Message
from mintline_harness.simulation import outsiders, parts, requesters
from mintline_harness.simulation.schedule import run
from mintline_testkit import queues


def extended(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: extended(inner) for name, inner in value.items()} | {"added": {"n": 1}}
    if isinstance(value, list):
        return [extended(inner) for inner in value]
    return value


@pytest.mark.parametrize("seed", [*range(8), *range(9, 13)])
def test_schedule__when_messages_have_fields_of_the_next_release__then_keeps_every_promise(
    monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    written = 0

    def as_the_next_release(message: Message) -> str:
        nonlocal written
        written += 1
        return json.dumps(extended(json.loads(encode(message))))

    monkeypatch.setattr(queues, "encode", as_the_next_release)
    monkeypatch.setattr(parts, "encode", as_the_next_release)
    monkeypatch.setattr(outsiders, "encode", as_the_next_release)
    monkeypatch.setattr(requesters, "encode", as_the_next_release)
    assert run(seed).breach is None
    assert written > 0
