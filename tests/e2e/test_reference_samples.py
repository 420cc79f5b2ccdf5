"""The reference's samples, run as they are copied: TOKEN is set, and nothing else is changed."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.conftest import ROOT, node_binary
from tests.integration.typescript_client import install_client

if TYPE_CHECKING:
    from tests.e2e.conftest import Harness, User

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="session")]

OPERATIONS = (("post", "/v1/mints"), ("get", "/v1/mints"), ("get", "/v1/wallet"), ("get", "/readyz"))
TSX = str(ROOT / "node_modules/tsx/dist/cli.mjs")


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder where the TypeScript client is installed."""
    path = tmp_path_factory.mktemp("samples")
    install_client(path)
    return path


def command(label: str, text: str, folder: Path) -> list[str]:
    """Return what runs a sample."""
    if label == "curl":
        return ["sh", "-c", text]
    file = folder / {"Python": "sample.py", "TypeScript": "sample.mts"}[label]
    file.write_text(text)
    return [sys.executable, str(file)] if label == "Python" else [node_binary(), TSX, str(file)]


def json_of(printed: str) -> Any:
    """Return the first JSON object that was printed; plain HTTP in TypeScript prints its status first."""
    return json.JSONDecoder().raw_decode(printed, printed.index("{"))[0]


@pytest.mark.parametrize("label", ["curl", "Python", "TypeScript"])
@pytest.mark.parametrize("described", OPERATIONS, ids=" ".join)
async def test_sample__when_it_is_run_as_it_is__then_the_api_does_what_was_asked(
    harness: Harness, user: User, folder: Path, described: tuple[str, str], label: str
) -> None:
    document = await user.client.api.get("/openapi.json")
    method, path = described
    operation = document["paths"][path][method]
    [sample] = [sample["source"] for sample in operation["x-codeSamples"] if sample["label"] == label]
    assert harness.info["api_url"] in sample
    await user.mint("in the list")

    process = await asyncio.create_subprocess_exec(
        *command(label, sample, folder),
        env={**os.environ, "TOKEN": user.token},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    printed, progress = await asyncio.wait_for(process.communicate(), 120)

    assert process.returncode == 0, progress.decode()
    [good] = [status for status in operation["responses"] if status.startswith("2")][:1]
    schema = operation["responses"][good]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
    # The clients go through a list item by item.
    if path == "/v1/mints" and method == "get" and label != "curl":
        schema = "MintView"
    required = document["components"]["schemas"][schema]["required"]
    assert set(required) <= set(json_of(printed.decode()))
