"""What the command line shows: colours and live stages on a terminal, plain lines elsewhere, or JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.text import Text

from mintline.text import escaped


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
