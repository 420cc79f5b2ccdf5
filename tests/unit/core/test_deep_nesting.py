"""JSON nested without end is refused: it once overran the stack of every process that web3 is loaded in."""

from __future__ import annotations

import subprocess
import sys

import pytest

SERVICES = ("mintline_api", "mintline_broadcaster", "mintline_builder", "mintline_indexer")
READING = """
import json
from mintline.messages.codec import members_of

deep = "[" * 1_000_000
assert members_of(deep) == {}
try:
    json.loads(deep)
except RecursionError:
    print("refused")
"""


@pytest.mark.slow
def test_services__when_they_read_json_nested_without_end__then_they_live() -> None:
    imports = "".join(f"import {package}.service\n" for package in SERVICES)
    done = subprocess.run(
        [sys.executable, "-c", imports + READING], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "refused\n"), done.stderr
