"""What all of `mintline`'s commands share: their common options, and how one ends."""

from __future__ import annotations

from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, NoReturn, TypeVar

import typer
from pydantic import ValidationError

from mintline.errors import MintlineError
from mintline.settings import ServiceSettings
from mintline_local.console import fail
from mintline_local.interrupts import Interrupted, run
from mintline_local.places import StateFolder

T = TypeVar("T")

State = Annotated[Path, typer.Option("--state", help="The line's state folder.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON on standard output, for programs.")]


class Stopped(typer.Exit):
    """A command has failed and said so on standard error; `message` is what programs are still to be told."""

    def __init__(self, message: str | None) -> None:
        super().__init__(1)
        self.message = message


def deployment(prefix: str | None, region: str, endpoint_url: str | None) -> ServiceSettings:
    """Return how to reach a deployment; ends the command when the prefix cannot be one."""
    try:
        return ServiceSettings.model_validate(
            {"resource_prefix": prefix, "aws_region": region, "aws_endpoint_url": endpoint_url}
        )
    except ValidationError:
        stop(f"{prefix!r} is no prefix of resources: lower-case letters, digits and hyphens")


def running_line(state: Path) -> dict[str, Any]:
    """Return what runs from a state folder; ends the command when nothing does."""
    try:
        running = StateFolder(state).running()
    except MintlineError as error:
        stop(str(error))
    if running is None:
        stop(f"no line runs from {state}; start one with `make up`")
    return running


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
