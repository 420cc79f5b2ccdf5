"""Ctrl-C while a command is still being imported."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize(("package", "imported"), [("mintline_cli", "typer"), ("mintline_bench", "aiohttp")])
def test_command__when_interrupted_during_its_imports__ends_without_a_traceback(
    tmp_path: Path, package: str, imported: str
) -> None:
    interrupting = "import os, signal, time\nos.kill(os.getpid(), signal.SIGINT)\ntime.sleep(30)\n"
    (tmp_path / f"{imported}.py").write_text(interrupting)

    done = subprocess.run(
        [sys.executable, "-m", package, "--help"],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )

    assert (done.returncode, done.stderr) == (-signal.SIGINT, "")
