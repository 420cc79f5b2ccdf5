"""What `mintline pipeline` shows operators, and programs."""

from __future__ import annotations

import json
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from mintline_api.features.pipeline.examples import PIPELINE
from mintline_cli.caller import Caller
from mintline_cli.main import app

SHOWN: dict[str, Any] = PIPELINE.model_dump(mode="json")


@pytest.fixture
def state(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    state = dict(SHOWN)

    def run(_caller: Caller, _work: object) -> dict[str, Any]:
        return state

    monkeypatch.setattr(Caller, "run", run)
    return state


def ask(*words: str) -> Result:
    result = CliRunner().invoke(app, ["pipeline", *words], env={"COLUMNS": "200"})
    assert result.exit_code == 0, result.output
    return result


@pytest.mark.usefixtures("state")
def test_pipeline__when_it_is_shown__then_says_what_waits_why_and_how_long_the_money_lasts() -> None:
    lines = [line.split() for line in ask().stdout.splitlines()]

    assert ["build", "12", "3", "1"] in lines
    assert "index at 21450902" in " ".join(lines[0])
    [letter] = SHOWN["dead_letters"]
    assert any(letter["message_id"] in line and letter["code"] in line for line in lines)
    assert any(line[-2:] == ["letter", letter["message_id"]] for line in lines)
    assert any(
        line[:2] == ["relayer", SHOWN["senders"][1]["address"]] and line[-1] == "4.6" for line in lines
    )


def test_pipeline__when_an_operation_waits_for_somebody__then_says_for_what(state: dict[str, Any]) -> None:
    state["operations"] = [{**state["operations"][0], "dead_letter": None}]
    state["dead_letters"] = []

    shown = ask().stdout

    assert "collection_paused" in shown
    assert "DEAD SINCE" not in shown


def test_pipeline__when_parts_did_not_respond__then_names_them_and_shows_the_others(
    state: dict[str, Any],
) -> None:
    state |= {"missing": ["queues", "senders"], "queues": None, "senders": None, "transactions": []}
    state["dead_letters"] = None

    shown = ask().stdout

    assert "Missing: queues, senders." in shown
    assert "Every transaction is final." in shown
    assert "QUEUE" not in shown


def test_pipeline__when_the_api_is_older__then_shows_what_it_says(state: dict[str, Any]) -> None:
    del state["dead_letters"]
    state["operations"] = [dict(operation) for operation in state["operations"]]
    for operation in state["operations"]:
        del operation["dead_letter"]

    shown = ask().stdout

    assert "DEAD SINCE" not in shown
    assert state["operations"][0]["operation_id"] in shown


@pytest.mark.usefixtures("state")
def test_pipeline__when_programs_ask__then_is_what_the_api_answers() -> None:
    assert json.loads(ask("--json").stdout) == SHOWN
