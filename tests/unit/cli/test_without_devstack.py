"""An operator installs the command line without the local stack."""

import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

import mintline_cli
from mintline_cli.main import app

WITHOUT = (
    "import sys; sys.modules['mintline_devstack'] = None; from mintline_cli.__main__ import main; main()"
)


@pytest.fixture
def without_devstack(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every import of `mintline_devstack` fail, as if it were not installed."""
    for name in list(sys.modules):
        if name.partition(".")[0] == "mintline_devstack" or name == "mintline_cli.local_stack":
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.delattr(mintline_cli, "local_stack", raising=False)
    monkeypatch.setitem(sys.modules, "mintline_devstack", None)


def test_command__when_the_local_stack_is_not_installed__then_it_starts() -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT, "reconcile", "--help"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "Usage:" in done.stdout


@pytest.mark.usefixtures("without_devstack")
@pytest.mark.parametrize("command", ["up", "clean", "demo"])
def test_command__when_it_needs_the_local_stack__then_one_line_says_what_to_install(
    command: str, tmp_path: Path
) -> None:
    done = CliRunner().invoke(app, [command, "--state", str(tmp_path)])
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr == (
        "error: the local stack is not installed: install mintline-cli with its extra `devstack`\n"
    )


@pytest.mark.usefixtures("without_devstack")
def test_status__when_the_local_stack_is_not_installed__then_it_says_that_no_line_runs(
    tmp_path: Path,
) -> None:
    done = CliRunner().invoke(app, ["status", "--state", str(tmp_path)])
    assert done.exit_code == 1
    assert "no local stack runs" in done.stderr
