"""`mintline status`: what the running line does."""

from __future__ import annotations

import typer

from mintline_cli.execution import execute
from mintline_cli.options import Json, State, running_line
from mintline_cli.output import Screen
from mintline_ops.local_line import DEFAULT_STATE
from mintline_ops.status import look


def status(*, state: State = DEFAULT_STATE, as_json: Json = False) -> None:
    """Show the running line: its processes, whether they are ready, and how far the index has come."""
    screen = Screen(as_json=as_json)
    report = execute(look(running_line(state)))
    screen.say(f"API {report['api_url']}, contract {report['contract']} on chain {report['chain_id']}")
    screen.say(f"Index at block {report['indexed']}, chain at {report['head']}")
    for process in report["processes"]:
        style = "green" if process["ready"] else "red"
        screen.stage(process["name"], f"pid {process['pid'] or '-'}  {process['detail']}", style=style)
    screen.result(report)
    if not all(process["ready"] for process in report["processes"]):
        raise typer.Exit(1)
