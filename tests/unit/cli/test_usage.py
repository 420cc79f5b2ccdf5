"""Arguments that make no command end it with one line, which names the cause and where to look."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mintline_bench import command as bench
from mintline_bench import enclave as bench_enclave
from mintline_cli.main import app
from mintline_cli.parser import CommandLine
from mintline_devstack import containers
from mintline_harness.chaos import command as chaos
from mintline_harness.simulation import command as simulation
from mintline_harness.soak import command as soak

PROGRAMS: dict[str, Callable[[Sequence[str]], int]] = {
    "mintline_bench": bench.main,
    "mintline_bench.enclave": bench_enclave.main,
    "mintline_harness.chaos": chaos.main,
    "mintline_harness.simulation": simulation.main,
    "mintline_harness.soak": soak.main,
}
NUMBERS = [
    ("mintline_bench", "--mints"),
    ("mintline_bench", "--users"),
    ("mintline_bench", "--timeout"),
    ("mintline_bench", "--rate"),
    ("mintline_bench", "--runs"),
    ("mintline_bench.enclave", "--pairs"),
    ("mintline_bench.enclave", "--users"),
    ("mintline_harness.chaos", "--seeds"),
    ("mintline_harness.chaos", "--mints"),
    ("mintline_harness.chaos", "--patience"),
    ("mintline_harness.simulation", "--count"),
    ("mintline_harness.simulation", "--seconds"),
    ("mintline_harness.soak", "--minutes"),
    ("mintline_harness.soak", "--rate"),
]


@pytest.mark.parametrize(
    ("words", "cause", "command"),
    [
        ("nothing", "no such command 'nothing'", "mintline"),
        ("status --nothing", "no such option: --nothing", "mintline status"),
        ("mint --image ipfs://x", "missing option '--name'", "mintline mint"),
        ("mint --name", "option '--name' requires an argument", "mintline mint"),
        ("dlq nothing", "no such command 'nothing'", "mintline dlq"),
        ("dlq redrive", "missing argument 'QUEUE'", "mintline dlq redrive"),
        ("dlq drop build", "pass the ids of messages, or --all, and not both", "mintline dlq drop"),
        ("wallets prune-copies --older-than 3x", "--older-than", "mintline wallets prune-copies"),
        ("wallets migrate --to nowhere", "'nowhere'", "mintline wallets migrate"),
        ("dlq list --url https://x", "dlq list works with AWS rights, not over the API", "mintline dlq list"),
        (
            "operator register --deployment x --name B --symbol B --description C --block 1 --image b.png",
            "'--image': expected an http(s), ipfs, ar or data URL",
            "mintline operator register",
        ),
        ("operator keys --profile x", "pass --deployment, not --profile", "mintline operator keys"),
        ("clean --url https://x", "no such option: --url", "mintline clean"),
        ("up --ports some", "--ports", "mintline up"),
        ("up --port api=x", "expected NAME=NUMBER", "mintline up"),
    ],
)
def test_command__when_its_arguments_are_wrong__then_one_line_says_why_and_where_to_look(
    words: str, cause: str, command: str
) -> None:
    result = CliRunner().invoke(app, words.split(), prog_name="mintline")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("error: ")
    assert cause in result.stderr
    assert result.stderr.endswith(f"; see `{command} --help`\n")
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("words", ["status --json --nothing", "dlq redrive build --json"])
def test_command__when_programs_asked_it_wrongly__then_the_refusal_is_json_too(words: str) -> None:
    result = CliRunner().invoke(app, words.split())
    assert result.exit_code == 2
    assert result.stderr == f"error: {json.loads(result.stdout)['error']}\n"


def test_command__when_it_fails_for_programs__then_the_failure_is_json_too(tmp_path: Path) -> None:
    for words in ("status", "wallets undelete SUB", "dlq list build"):
        result = CliRunner().invoke(app, [*words.split(), "--json", "--state", str(tmp_path)])
        assert result.exit_code == 1
        assert "no local stack runs" in result.stderr
        assert result.stderr == f"error: {json.loads(result.stdout)['error']}\n"
        for_people = CliRunner().invoke(app, [*words.split(), "--state", str(tmp_path)])
        assert (for_people.stdout, for_people.stderr) == ("", result.stderr)


def test_command__when_its_result_says_what_is_wrong__then_that_is_the_only_json(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["audit", "verify", str(tmp_path), "--json"])
    assert result.exit_code == 1
    assert json.loads(result.stdout)["verified"] is False
    assert "there is no trail" in result.stderr


@pytest.mark.parametrize("words", ["nothing --json", "dlq --json"])
def test_command__when_it_has_no_json__then_the_refusal_is_text(words: str) -> None:
    result = CliRunner().invoke(app, words.split())
    assert (result.exit_code, result.stdout) == (2, "")


@pytest.mark.parametrize(
    ("words", "shown"), [("", "Commands"), ("--help", "Commands"), ("status --help", "--json")]
)
def test_command__when_help_is_wanted__then_it_is_shown(words: str, shown: str) -> None:
    result = CliRunner().invoke(app, words.split())
    assert result.exit_code == (0 if words else 2)
    assert shown in result.stdout
    assert result.stderr == ""


@pytest.mark.parametrize("words", ["nothing", "", "set-up --nothing", "token x"])
def test_containers__when_its_arguments_are_wrong__then_one_line_says_so(
    words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        containers.main(words.split())
    captured = capsys.readouterr()
    assert (ended.value.code, captured.out) == (2, "")
    assert captured.err.startswith("error: ")
    assert "see `python -m mintline_devstack.containers" in captured.err
    assert captured.err.count("\n") == 1


def test_command_line__when_it_refuses__then_one_class_does_so_for_all_commands() -> None:
    assert app.info.cls is CommandLine


@pytest.mark.parametrize(("program", "option"), NUMBERS)
@pytest.mark.parametrize("value", ["x", "0", "-1"])
def test_program__when_a_number_is_wrong__then_one_line_says_why_and_where_to_look(
    program: str, option: str, value: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONHASHSEED", "0")
    with pytest.raises(SystemExit) as ended:
        PROGRAMS[program]([option, value])
    captured = capsys.readouterr()
    assert (ended.value.code, captured.out) == (2, "")
    assert captured.err.startswith(f"error: argument {option}")
    assert captured.err.endswith(f"; see `python -m {program} --help`\n")
    assert captured.err.count("\n") == 1


def test_simulation__when_the_bug_to_plant_is_unknown__then_the_line_names_those_that_are(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONHASHSEED", "0")
    with pytest.raises(SystemExit):
        simulation.main(["--plant", "none"])
    captured = capsys.readouterr()
    assert "delete-before-commit" in captured.err
    assert captured.err.count("\n") == 1
