"""Keep a copy of how this release reads and writes messages: `freeze.py NAME`, with a name like `v0_2_0`."""

from __future__ import annotations

import re
import sys
from pathlib import Path

MODULES = ("messages", "frozen", "fields", "errors", "text")
"""Messages and what they are made of. Modules of `mintline` that are not listed are taken as they are now."""
SOURCES = Path(__file__).parents[2] / "shared/src/mintline"
RELEASES = Path(__file__).parent / "releases"


def freeze(name: str) -> None:
    """Write the copy; raises FileExistsError if there is one of that name, since it is not to change."""
    folder = RELEASES / name
    folder.mkdir(parents=True)
    listed = re.compile(rf"from mintline\.((?:{'|'.join(MODULES)})[.a-z_]*) import")
    for module in MODULES:
        for source in (SOURCES / f"{module}.py", *(SOURCES / module).glob("*.py")):
            if source.exists():
                place = source.relative_to(SOURCES)
                (folder / place).parent.mkdir(exist_ok=True)
                (folder / place).write_text(
                    listed.sub(rf"from {'.' * len(place.parts)}\1 import", source.read_text())
                )


if __name__ == "__main__":
    if len(sys.argv) != 2 or not re.fullmatch(r"v[0-9_]+", sys.argv[1]):
        sys.exit("usage: freeze.py NAME, for example v0_2_0")
    freeze(sys.argv[1])
