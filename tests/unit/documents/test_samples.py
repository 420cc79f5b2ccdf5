"""Requests that a reader sends one after another do not collide."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from mintline_cli import curls

ROOT = Path(__file__).parents[3]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
INFO = {"api_url": "http://127.0.0.1:8080"}
COMMANDS = (curls.mint_command, curls.client_mint_command, curls.collection_command)


@pytest.mark.parametrize("named", [r"Idempotency-Key: ([\w.-]+)'", r"\"external_id\": \"([^\"]+)\""])
def test_samples__when_all_are_sent__then_no_two_share_a_key_or_an_external_id(named: str) -> None:
    texts = [*(page.read_text() for page in PAGES), *(command(INFO) for command in COMMANDS)]
    used = Counter(name for text in texts for name in re.findall(named, text))
    assert len(used) > 1
    assert [name for name, times in used.items() if times > 1] == []
