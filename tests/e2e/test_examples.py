"""The examples, run as their README says, against one local stack."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.integration.conftest import ROOT, node_binary
from tests.integration.typescript_client import TSX, install_client

if TYPE_CHECKING:
    from tests.e2e.conftest import Harness, User

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="session")]

EXAMPLES = ("mint.py", "mint.ts", "mint.sh")
LONGEST = 60
"""Lines of an example, with its comment."""


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the examples, where the TypeScript client is installed."""
    copied = tmp_path_factory.mktemp("examples")
    shutil.copytree(ROOT / "examples", copied, dirs_exist_ok=True)
    (copied / "package.json").write_text('{"type": "module"}')
    install_client(copied)
    return copied


def command(path: Path) -> list[str]:
    """Return how the README has an example run."""
    runners = {
        ".py": lambda: [sys.executable],
        ".ts": lambda: [node_binary(), str(TSX)],
        ".sh": lambda: ["sh"],
    }
    return [*runners[path.suffix](), str(path)]


@pytest.mark.parametrize("name", EXAMPLES)
async def test_example__when_it_is_run__mints_and_prints_the_token(
    name: str, folder: Path, harness: Harness, user: User
) -> None:
    example = await asyncio.create_subprocess_exec(
        *command(folder / name),
        env={**os.environ, "MINTLINE_API_URL": harness.info["api_url"], "MINTLINE_TOKEN": user.token},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    printed, progress = await asyncio.wait_for(example.communicate(), 120)
    assert example.returncode == 0, progress.decode()
    token = json.loads(printed)
    wallet = await user.client.wallets.get()
    assert token["owner"] == wallet["address"]


@pytest.mark.parametrize("name", EXAMPLES)
async def test_example__when_the_token_is_refused__says_so_and_fails(
    name: str, folder: Path, harness: Harness
) -> None:
    example = await asyncio.create_subprocess_exec(
        *command(folder / name),
        env={**os.environ, "MINTLINE_API_URL": harness.info["api_url"], "MINTLINE_TOKEN": "none"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    printed, progress = await asyncio.wait_for(example.communicate(), 120)
    assert example.returncode not in (0, None)
    assert "401" in (printed + progress).decode()


async def test_readme__when_its_first_python_is_run__mints_and_prints_the_transaction(
    harness: Harness, user: User
) -> None:
    text = (ROOT / "README.md").read_text()
    snippet = text.split("```python\n", 1)[1].split("```", 1)[0]
    assert text.index(snippet) < text.index("## ")
    assert len([line for line in snippet.splitlines() if line]) == 5
    program = snippet.replace("http://127.0.0.1:8080", harness.info["api_url"])

    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        program,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "TOKEN": user.token},
    )
    printed, progress = await asyncio.wait_for(process.communicate(), 120)

    assert process.returncode == 0, progress.decode()
    receipt = await harness.rpc.call("eth_getTransactionReceipt", [printed.decode().strip()])
    assert receipt["status"] == "0x1"


async def test_examples__when_there_is_one__is_short_and_run() -> None:
    paths = {path.name: path for path in (ROOT / "examples").iterdir() if path.suffix != ".md"}
    assert set(paths) == set(EXAMPLES)
    for path in paths.values():
        assert len(path.read_text().splitlines()) < LONGEST, path
