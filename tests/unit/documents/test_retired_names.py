"""Names and words that were given up stay so: no file of the tree has one of them.

The changelog and decisions tell of the past; records and releases of earlier versions keep their names.
"""

from __future__ import annotations

import re
import subprocess
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PAST = re.compile(
    r"CHANGELOG\.md|docs/decisions/|tests/contract/releases/|.*(lock|\.json|\.min\.js|\.standalone\.js)$"
)
THIS = "tests/unit/documents/test_retired_names.py"

MODULES = [
    "rebuilding",
    "mending",
    "reconciling",
    "attesting",
    "sweeping",
    "usage",
    "console",
    "tether",
    "continuity",
    "founding",
    "places",
    "tally",
    "enveloped",
    "carrying",
    "redeemed",
]
"""Names that no Python module has: a verb beside its gerund, and riddles."""

WORDS = {
    "classes": r"class (SqsLine|World|Surroundings|Rig|Stage|Scene|Watch|Fenced|Stamped|Standing|Need)\b",
    "middlewares": r"def (explained|observed)\b",
    "codes": r"\bunknown_mint\b",
    "verbs": r"\bdef _?(look|tell|told|tend)\(",
    "commands": r"\b(operator )?repoint\b",
    "metaphors": r"(?i)\b(tether|riddle|voices|witnesses|distrust|mending|bury|buried)\b",
    "the pipeline": r"(?i)\b((the|a) running line|an idle line|the whole line)\b",
    "the user's word": r"(?i)\bthe user's word\b",
}


@cache
def texts() -> dict[str, str]:
    """Return the text files of the tree by their paths, but for those that tell of the past."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
    bodies = {}
    for name in listed.stdout.splitlines():
        path = ROOT / name
        if name != THIS and not PAST.match(name) and path.is_file():
            body = path.read_bytes()
            if b"\0" not in body:
                bodies[name] = body.decode()
    return bodies


@pytest.mark.parametrize("what", WORDS)
def test_tree__when_searched_for_what_was_given_up__then_has_none(what: str) -> None:
    retired = re.compile(WORDS[what])
    lines = [
        f"{name}:{number}: {line.strip()[:100]}"
        for name, text in texts().items()
        if retired.search(text)
        for number, line in enumerate(text.splitlines(), 1)
        if retired.search(line)
    ]
    assert lines == []


def test_modules__when_listed__then_none_has_a_retired_name() -> None:
    assert [name for name in texts() if name.endswith(".py") and Path(name).stem in MODULES] == []


def test_retired__when_a_text_has_such_a_word__then_it_is_found() -> None:
    assert re.search(WORDS["the pipeline"], "Start the whole line and wait.")
    assert re.search(WORDS["classes"], "class Scene:")
    assert not re.search(WORDS["the pipeline"], "Lines that repeat a whole line")
