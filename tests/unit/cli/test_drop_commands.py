"""`mintline drops`: what is shown of lines, tokens and refusals."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from mintline_cli.caller import Caller
from mintline_cli.main import app

NONE = {"count": 0, "examples": []}
LINES = {"accepted": 5, "tokens": "5", "refused": 1, "repeated_lines": NONE, "repeated_recipients": NONE}
DROP: dict[str, Any] = {
    "drop_id": "drop_1",
    "status": "prepared",
    "lines": LINES,
    "preparation": {"prepared": 1, "parts": 1, "unresolved": 0},
    "minting": {"by_status": {}, "seconds_left": None, "handed_on": 0, "lines": 5},
    "cost": {"lines": 0},
    "paused": None,
    "resumes_at": None,
}
TRIED: dict[str, Any] = {
    "lines": 3,
    "tokens": "3",
    "refused": 1,
    "over_cap": 0,
    "items_refused": 0,
    "wallets": {"to_make": 0, "exact": True},
    "gas": 1,
    "costs": [],
    "seconds_at_least": {"preparation": 0, "minting": None},
}


def shown(monkeypatch: pytest.MonkeyPatch, command: str, response: dict[str, Any]) -> str:
    monkeypatch.setattr(Caller, "run", lambda *_: response)
    result = CliRunner().invoke(app, ["drops", command, "drop_1"])
    assert result.exit_code == 0, result.output
    return " ".join(result.output.split())


def test_show__when_lines_are_of_items_and_some_were_refused_late__then_says_how_many_tokens_and_lines(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    repeated = {"count": 1, "examples": [{"line": 6, "first": 2}]}
    lines = LINES | {"tokens": "106", "repeated_recipients": repeated}
    seen = shown(
        monkeypatch, "show", DROP | {"lines": lines, "preparation": DROP["preparation"] | {"unresolved": 2}}
    )

    assert "5 accepted (106 tokens), 1 refused" in seen
    assert "repeated 1 recipients: line 6 (as 2)" in seen
    assert "refused 2 more by the preparation" in seen


def test_show__when_each_line_is_one_token__then_tokens_are_not_counted_apart(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen = shown(monkeypatch, "show", DROP)

    assert "5 accepted, 1 refused" in seen
    assert "preparation" not in seen


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({}, "3 to mint, 1 refused"),
        ({"tokens": "9", "over_cap": 2, "items_refused": 4}, "3 to mint (9 tokens), 7 refused"),
        ({"over_cap": None}, "3 to mint, 1 refused"),
    ],
)
def test_dry_run__when_shown__then_all_refusals_are_counted(
    monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], message: str
) -> None:
    assert message in shown(monkeypatch, "dry-run", TRIED | changes)


def test_costs__when_shown__then_they_are_in_ether(monkeypatch: pytest.MonkeyPatch) -> None:
    costs = [{"level": "low", "wei": "1008800070616000", "wei_per_gas": "100000007"}]
    spent = {"lines": 194, "gas": 194 * 50_315, "wei": "976130268329114"}

    assert "low 0.001009 ETH at 0.1 Gwei per gas" in shown(monkeypatch, "dry-run", TRIED | {"costs": costs})
    assert "0.0009761 ETH for 194 lines, 50315 gas a line" in shown(
        monkeypatch, "show", DROP | {"cost": spent}
    )


@pytest.mark.parametrize("refused", [0, 1])
def test_upload__when_lines_are_refused__then_says_what_prints_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, refused: int
) -> None:
    file = tmp_path / "lines.csv"
    file.write_text("email\n")
    monkeypatch.setattr(Caller, "run", lambda *_: LINES | {"refused": refused})
    result = CliRunner().invoke(app, ["drops", "upload", "drop_1", str(file)])
    assert result.exit_code == 0, result.output
    assert result.output.count("`mintline drops refused drop_1` prints") == refused


def test_drops__when_the_api_is_older__then_tokens_are_not_counted_apart(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lines = {name: value for name, value in LINES.items() if name != "tokens"}
    tried = {name: value for name, value in TRIED.items() if name not in ("tokens", "items_refused")}

    assert "5 accepted, 1 refused" in shown(monkeypatch, "show", DROP | {"lines": lines})
    assert "3 to mint, 1 refused" in shown(monkeypatch, "dry-run", tried)


def test_create__when_the_name_is_an_address__then_says_where_it_goes() -> None:
    result = CliRunner().invoke(app, ["drops", "create", "0x" + "ab" * 20])

    assert result.exit_code == 2
    assert "--contract" in " ".join(result.output.split())
