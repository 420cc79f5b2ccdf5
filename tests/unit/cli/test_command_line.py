"""What the command line makes of its arguments, and what it prints for people to paste."""

import json
import shlex
import tomllib
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from mintline.errors import Rejected, Unavailable
from mintline_cli import curls
from mintline_cli.execution import execute
from mintline_cli.local_stack import chosen_ports
from mintline_cli.main import app
from mintline_cli.mint import mint_request, trait
from mintline_client.minting import reached
from mintline_devstack.state_folder import StateFolder

INFO = {
    "api_url": "http://127.0.0.1:8080",
    "aws_endpoint_url": "http://127.0.0.1:4566",
    "state_dir": "/tmp/it's $HOME `x`",
}


@pytest.mark.parametrize(
    ("text", "value"), [("Level=3", 3), ("Level=1.5", 1.5), ("Level=high", "high"), ("Level=a=b", "a=b")]
)
def test_trait__when_given_as_text__keeps_numbers_as_numbers(text: str, value: object) -> None:
    assert trait(text) == {"trait_type": "Level", "value": value}


@pytest.mark.parametrize("text", ["Level", "=3", ""])
def test_trait__when_it_has_no_name_or_value__is_refused(text: str) -> None:
    with pytest.raises(typer.BadParameter):
        trait(text)


def test_mint_request__when_only_the_needed_is_given__leaves_the_rest_out() -> None:
    assert mint_request("n", "ipfs://x", None, [], None) == {"metadata": {"name": "n", "image": "ipfs://x"}}


def test_mintline__when_it_is_asked_for_its_version__prints_that_of_the_workspace() -> None:
    workspace = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())["project"]
    for arguments in (["--version"], ["--version", "mint"]):
        printed = CliRunner().invoke(app, arguments)
        assert (printed.exit_code, printed.output) == (0, f"mintline {workspace['version']}\n")


def test_ports__when_some_are_given__change_only_those() -> None:
    ports = chosen_ports(["api=9000", "kms-front=9001"])
    assert (ports.api, ports.kms_front, ports.anvil) == (9000, 9001, 8545)


@pytest.mark.parametrize("text", ["api", "api=x", "api=0", "api=65536", "nothing=1"])
def test_ports__when_wrong__are_refused(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="expected NAME=NUMBER"):
        chosen_ports([text])


def test_token_command__when_the_state_folder_has_quotes__survives_the_shell() -> None:
    inner = curls.token_command(INFO).removeprefix("TOKEN=$(").removesuffix(")")
    program, *arguments = shlex.split(inner)
    assert Path(program).name == "mintline"
    assert arguments == ["token", "--state", "/tmp/it's $HOME `x`"]


def test_mint_command__when_split_by_the_shell__posts_json() -> None:
    words = shlex.split(curls.mint_command(INFO))
    assert json.loads(words[words.index("-d") + 1])["metadata"]["name"] == "My first token"


def test_reached__when_a_mint_is_half_way__gives_seconds_since_its_acceptance() -> None:
    timeline = {
        "accepted_at": "2026-01-01T00:00:00.000Z",
        "built_at": "2026-01-01T00:00:00.250Z",
        "submitted_at": None,
        "mined_at": None,
        "finalized_at": None,
    }
    assert reached({"timeline": timeline}) == {"accepted": 0.0, "built": 0.25}


@pytest.mark.parametrize("error", [Rejected("code", "no\nreason"), Unavailable("away\nfor now")])
def test_command__when_its_work_fails__ends_with_one_line_and_a_code(
    error: Exception, capsys: pytest.CaptureFixture[str]
) -> None:
    async def work() -> None:
        raise error

    with pytest.raises(typer.Exit) as ended:
        execute(work())
    assert ended.value.exit_code == 1
    captured = capsys.readouterr()
    assert captured.err.startswith("error: ")
    assert captured.err.count("\n") == 1


def invoke(*arguments: str) -> Any:
    return CliRunner().invoke(app, arguments)


@pytest.mark.parametrize("command", [("status",), ("token",), ("mint", "--name", "n", "--image", "ipfs://x")])
def test_command__when_no_line_runs__says_how_to_start_one(tmp_path: Path, command: tuple[str, ...]) -> None:
    result = invoke(*command, "--state", str(tmp_path))
    assert result.exit_code == 1
    assert "no local stack runs" in result.stderr
    assert "make up" in result.stderr


def test_clean__when_there_is_state__removes_it_and_nothing_else(tmp_path: Path) -> None:
    state = StateFolder(tmp_path)
    state.prepare()
    (tmp_path / "mine.txt").write_text("keep")
    (state.logs / "api.log").write_text("a line\n")
    result = invoke("clean", "--state", str(tmp_path), "--json")
    assert result.exit_code == 0
    assert json.loads(result.stdout)["removed"] == ["logs"]
    assert "nothing to remove" in invoke("clean", "--state", str(tmp_path)).output
    assert {path.name for path in tmp_path.iterdir()} == {"lock", "mine.txt"}


def test_clean__when_a_line_runs__refuses(tmp_path: Path) -> None:
    state = StateFolder(tmp_path)
    with state.locked():
        result = invoke("clean", "--state", str(tmp_path))
    assert result.exit_code == 1
    assert "already runs" in result.stderr
    assert state.kms.exists()


def test_clean__when_there_is_nothing__says_so(tmp_path: Path) -> None:
    result = invoke("clean", "--state", str(tmp_path / "none"))
    assert (result.exit_code, result.stdout) == (0, "nothing to remove\n")
    assert not (tmp_path / "none").exists()
