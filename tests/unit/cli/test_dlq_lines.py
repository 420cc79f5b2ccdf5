"""What an operator's terminal shows of messages that anybody who could write to a queue may have made up."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import typer

from mintline.aws.dead_letters import DeadLetter
from mintline_cli.dead_letters import describe, redrive
from mintline_cli.output import Screen, harmless


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
