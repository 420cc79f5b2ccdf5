from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

import generate
import pytest

from tests.integration.conftest import ROOT

TOOLS = ROOT / ".venv" / "openapi" / "bin"


@pytest.fixture(scope="session")
def document(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a file with the OpenAPI document."""
    path = tmp_path_factory.mktemp("openapi") / "openapi.json"
    path.write_text(json.dumps(generate.document()))
    return path


@pytest.fixture(scope="session")
def tools() -> Path:
    """Return where the Python tools are."""
    if not (TOOLS / "python").exists():
        if os.environ.get("MINTLINE_OPENAPI_TOOLS") == "required":
            pytest.fail("the tools are not installed: make openapi does so")
        pytest.skip("the tools are not installed: make openapi does so")
    return TOOLS


def run(command: Sequence[object], *, cwd: Path, **environment: str) -> str:
    """Run a tool, which has to succeed, and return what it printed."""
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout
