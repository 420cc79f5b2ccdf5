"""`mintline up` and `mintline clean`: start a local stack, and remove what it kept."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Literal

import typer

from mintline_cli.execution import ending_on_errors, execute, stop
from mintline_cli.options import Json, State
from mintline_cli.output import Screen
from mintline_ops.run_file import DEFAULT_STATE


@contextmanager
def needing_devstack() -> Iterator[None]:
    """End the command with one line when the import in this context finds no local stack installed."""
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != "mintline_devstack":
            raise
        stop("the local stack is not installed: install mintline-cli with its extra `devstack`")


def up(
    *,
    state: State = DEFAULT_STATE,
    as_json: Json = False,
    ports: Annotated[str, typer.Option(help="`default`, or `free` for ports that are free now.")] = "default",
    port: Annotated[list[str] | None, typer.Option(help="One port, as NAME=NUMBER: --port api=9000.")] = None,
    scale: Annotated[list[str] | None, typer.Option(help="Copies of a worker: --scale builder=2.")] = None,
) -> None:
    """Start the local stack and keep it running until Ctrl-C.

    Example: mintline up --ports free
    """
    screen = Screen(as_json=as_json)
    if ports not in ("default", "free"):
        raise typer.BadParameter("expected `default` or `free`", param_hint="--ports")
    with needing_devstack():
        from mintline_cli import local_stack  # noqa: PLC0415 - operators install the CLI without it
    wanted = local_stack.chosen_ports(port or [])
    choice: Literal["default", "free"] = "free" if ports == "free" else "default"
    execute(
        local_stack.serve(screen, state, ports=choice, wanted=wanted, scale=scale or []),
        interrupted_is_success=True,
    )


def clean(*, state: State = DEFAULT_STATE, as_json: Json = False) -> None:
    """Delete the local stack's state: its chain, queues, keys and logs.

    Example: mintline clean
    """
    screen = Screen(as_json=as_json)
    with needing_devstack():
        from mintline_cli import local_stack  # noqa: PLC0415 - operators install the CLI without it
    with ending_on_errors():
        removed = local_stack.forget(state)
    path = state.resolve()
    screen.say(f"removed {path}: {', '.join(removed)}" if removed else "nothing to remove")
    screen.result({"state_dir": str(path), "removed": removed})
