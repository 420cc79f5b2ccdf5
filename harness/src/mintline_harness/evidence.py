"""What a run leaves behind: nothing if it went well, else all that one needs to find out why not."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from mintline_bench.load import Posted


class Evidence:
    """The state folder of a run's line, and what was found out about it.

    It is removed at the end if `dispensable` was called, and kept otherwise: also when the run was
    interrupted, or failed itself.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.kept = True

    def dispensable(self) -> None:
        """Say that nobody will want to look at it."""
        self.kept = False

    def record(self, verdict: Mapping[str, Any], posted: Sequence[Posted]) -> None:
        """Write the verdict down, with every mint that was not finalized."""
        unfinished = {mint.mint_id: mint.status for mint in posted if mint.status != "finalized"}
        report = {**verdict, "not_finalized": unfinished}
        (self.folder / "verdict.json").write_text(json.dumps(report, indent=2) + "\n")


@contextmanager
def evidence(name: str, *, again: str) -> Iterator[Evidence]:
    """Make the folder of a run; at the end remove it, or say where it is and how to use it.

    `again` is the command that repeats the run. Enter it before the stack, so that it outlives it.
    """
    kept_evidence = Evidence(Path(mkdtemp(prefix=f"mintline-{name}-")))
    try:
        yield kept_evidence
    finally:
        if kept_evidence.kept:
            print(evidence_text(name, kept_evidence.folder, again), file=sys.stderr)  # noqa: T201 - a command's own output
        else:
            shutil.rmtree(kept_evidence.folder)


def evidence_text(name: str, folder: Path, again: str) -> str:
    """Return where the evidence is, and what to do with it."""
    return (
        f"{name}: kept {folder}: logs/, verdict.json if there is a verdict, and all that the stack stored\n"
        f"  as it was:  .venv/bin/mintline up --state {folder} --ports free\n"
        f"  once more:  {again}"
    )
