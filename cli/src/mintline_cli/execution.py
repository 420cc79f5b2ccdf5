"""How a command runs, and how it ends: one line and exit code 1 when its work fails."""

from __future__ import annotations

from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn, TypeVar

import typer

from mintline.errors import MintlineError
from mintline.interrupts import Interrupted, run
from mintline_cli.output import fail

T = TypeVar("T")


class Stopped(typer.Exit):
    """A command has failed and said so on standard error; `message` is what programs are still to be told."""

    def __init__(self, message: str | None) -> None:
        super().__init__(1)
        self.message = message


def execute(main: Coroutine[Any, Any, T], *, interrupted_is_success: bool = False) -> T:
    """Run a command's work; an error of ours becomes one line and a non-zero exit."""
    with ending_on_errors():
        try:
            return run(main)
        except Interrupted as interruption:
            raise typer.Exit(0 if interrupted_is_success else interruption.exit_code) from None


@contextmanager
def ending_on_errors() -> Iterator[None]:
    """End the command with one line and a non-zero exit on an error of ours, or of the system's."""
    try:
        yield
    except MintlineError as error:
        stop(str(error))
    except OSError as error:
        stop(f"{error.filename or 'system'}: {error.strerror or error}")


def stop(message: str, *, answered: bool = False) -> NoReturn:
    """End the command with one line on standard error; with `--json` as JSON too, unless a result says it."""
    fail(message)
    raise Stopped(None if answered else message)
