"""What the command line shows: colours and live stages on a terminal, plain lines elsewhere, or JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Column, Table
from rich.text import Text

from mintline.text import escaped

LEAST = 12
"""Characters of the narrowest column whose cells are folded."""
_WIDEST = 1_000_000
"""Columns of a line that no table is wider than."""


class Screen:
    """Shows people what happens, and programs what came of it.

    With `as_json` standard output carries JSON alone, and everything for people goes to standard error.
    """

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json
        self._console = Console(stderr=as_json, highlight=False, soft_wrap=True)

    def say(self, text: str = "", *, style: str = "") -> None:
        """Print one line for people."""
        self._console.print(Text(harmless(text), style=style))

    def note(self, text: str) -> None:
        """Print one line for people on standard error, whatever the output is for."""
        Console(stderr=True, highlight=False, soft_wrap=True).print(Text(harmless(text), style="dim"))

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[object]], *, empty: str) -> None:
        """Print rows under the names of their columns, or what to say if there are none.

        No cell is cut: on a terminal that is too narrow a cell goes on in the next line. Elsewhere, and where
        columns would be narrower than LEAST, lines are as long as it takes.
        """
        if self.as_json:
            return
        folds = self._console.is_terminal and self._console.width > (LEAST + 1) * len(columns)
        heads = (
            Column(name, no_wrap=not folds, min_width=LEAST if folds else None, overflow="fold")
            for name in columns
        )
        table = Table(*heads, box=None)
        for row in rows:
            table.add_row(*("" if cell is None else harmless(str(cell)) for cell in row))
        if table.row_count:
            if not folds:
                self._console.width = _WIDEST
                self._console.width = self._console.measure(table).maximum
            self._console.print(table)
        else:
            self.say(empty)

    @contextmanager
    def progress(self, text: str, total: int | None = None) -> Iterator[Callable[[int, int | None], None]]:
        """Show a bar on a terminal; yields what takes how much is done, and of how much if that is known."""
        if not self._console.is_terminal:
            yield lambda _done, _total: None
            return
        columns = (
            TextColumn("  {task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=self._console, transient=True) as bar:
            task = bar.add_task(text, total=total)

            def update(done: int, of: int | None) -> None:
                bar.update(task, completed=done, total=total if of is None else of)

            yield update

    def stage(self, name: str, detail: str, *, style: str = "green") -> None:
        """Print that a stage has passed."""
        self._console.print(Text.assemble((f"  {name:<12}", style), (harmless(detail), "default")))

    @contextmanager
    def waiting(self, text: str) -> Iterator[None]:
        """Show that something takes its time: alive on a terminal, one plain line elsewhere."""
        if self._console.is_terminal:
            with self._console.status(text):
                yield
        else:
            self.say(text)
            yield

    def result(self, value: Mapping[str, Any]) -> None:
        """Print one JSON object on one line of standard output, if programs want one."""
        if self.as_json:
            self._console.file.flush()
            sys.stdout.write(json.dumps(value) + "\n")
            sys.stdout.flush()


def fail(message: str) -> None:
    """Print an error as one line on standard error."""
    Console(stderr=True, highlight=False, soft_wrap=True).print(
        Text.assemble(("error: ", "bold red"), (harmless(" ".join(message.split())), "default"))
    )


def harmless(text: str) -> str:
    """Return the text with control and bidirectional characters escaped, line ends and tabs aside."""
    return escaped(text, keep="\t\n")
