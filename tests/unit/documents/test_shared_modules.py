"""The map of the shared library names what is in it."""

from __future__ import annotations

import re
from pathlib import Path

SHARED = Path(__file__).parents[3] / "shared"


def test_map_of_the_shared_library__when_modules_come_and_go__then_names_each_once() -> None:
    rows = [line for line in (SHARED / "README.md").read_text().splitlines() if line.startswith("| ")]
    named = [name for row in rows[1:] for name in re.findall(r"`([a-z0-9_]+)`", row)]
    package = SHARED / "src" / "mintline"
    modules = {path.stem for path in package.glob("*.py")} | {
        path.parent.name for path in package.glob("*/__init__.py")
    }
    assert sorted(named) == sorted(modules - {"__init__"})
