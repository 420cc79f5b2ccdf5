"""What an operator's terminal shows of messages that anybody who could write to a queue may have made up."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
import typer

from mintline.aws.dead_letters import MOST, DeadLetter
from mintline.errors import Rejected
from mintline.resource_types import Queue
from mintline.resources import BUILD
from mintline_cli.dead_letters import describe, drop, redrive
from mintline_cli.execution import Stopped
from mintline_cli.output import Screen, harmless
from mintline_ops.dead_letters import find


def letter(**members: object) -> DeadLetter:
    body = json.dumps(members)
    return DeadLetter("id", "build", "g", body, "undecodable", "body: missing", "", "", 0.0, "receipt")


def test_line__when_a_message_calls_itself_more_than_a_line__then_it_stays_a_short_one() -> None:
    line = describe(letter(type="a\nb\r\n  forged  line", mint_id="z" * 100_000))
    assert "a b forged line" in line
    assert "\n" not in line
    assert len(line) < 300


def test_line__when_a_body_is_no_message__then_it_says_so_and_when_it_was_sent() -> None:
    dead = replace(letter(), body="rubbish")
    assert describe(dead) == "id  1970-01-01T00:00:00Z  no message of ours  undecodable: body: missing"


def test_redrive__when_the_queue_is_unknown__then_the_queues_are_listed_first() -> None:
    with pytest.raises(typer.BadParameter, match="no queue 'nosuch'; queues are build, "):
        redrive("nosuch")


class Held:
    """Dead letters that somebody else holds at the first look."""

    def __init__(self) -> None:
        self.requested: list[set[str]] = []

    async def redrive(self, _queue: Queue, ids: Collection[str], *, limit: int) -> list[DeadLetter]:
        assert limit == 100
        self.requested.append(set(ids))
        return [letter()] if len(self.requested) == 2 else []

    drop = redrive


@pytest.mark.parametrize("command", [redrive, drop])
def test_redrive_and_drop__when_somebody_holds_a_letter__then_look_again_and_name_those_still_missing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: Callable[..., None]
) -> None:
    held = Held()

    @asynccontextmanager
    async def opened(_: object) -> AsyncIterator[Held]:
        yield held

    monkeypatch.setattr("mintline_cli.dead_letters.open_dead_letters", opened)
    monkeypatch.setattr("mintline.aws.dead_letters.PAUSE", 0.0)

    with pytest.raises(Stopped):
        command("build", ["id", "other"], prefix="p", limit=100, as_json=True)

    assert held.requested == [{"id", "other"}, {"id", "other"}, {"other"}]
    shown = capsys.readouterr()
    assert json.loads(shown.out)["missing"] == ["other"]
    assert "for up to a minute" in shown.err


class Hidden:
    """Dead letters of which another look holds one, until the given look."""

    def __init__(self, until: int) -> None:
        self._until = until
        self.looks = 0

    async def peek(self, _queue: Queue, *, limit: int) -> list[DeadLetter]:
        assert limit == MOST
        self.looks += 1
        return [letter()] if self.looks >= self._until else []


async def no_sleep(_: float) -> None:
    """Return at once."""


async def test_show__when_somebody_holds_the_letter__then_looks_again_and_finds_it() -> None:
    hidden: Any = Hidden(until=3)

    letter = await find(hidden, BUILD, "id", sleep=no_sleep)

    assert (letter.message_id, hidden.looks) == ("id", 3)


async def test_show__when_the_letter_stays_hidden__then_says_that_somebody_may_look_at_it() -> None:
    hidden: Any = Hidden(until=100)

    with pytest.raises(Rejected, match="hides it from others for up to 60 s: try again after that"):
        await find(hidden, BUILD, "id", sleep=no_sleep)

    assert hidden.looks == 3


@pytest.mark.parametrize("text", ["\x1b[2J", "\x1b]0;title\x07", "\x9b2J", "\x7f", "\rover"])
def test_screen__when_a_text_holds_what_a_terminal_obeys__then_it_is_written_out(
    text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    screen = Screen(as_json=False)
    screen.say(text)
    screen.stage("name", text)
    assert not set(capsys.readouterr().out) & set("\x1b\x07\x9b\x7f\r")
    assert harmless(text).isprintable()


def test_screen__when_a_text_has_lines_and_tabs__then_it_keeps_them(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Screen(as_json=False).say("curl\t\\\n  -d é☃")
    assert capsys.readouterr().out.split() == ["curl", "\\", "-d", "é☃"]
