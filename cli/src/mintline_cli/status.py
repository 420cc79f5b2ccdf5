"""`mintline status`: what the running local stack does."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import typer

from mintline_cli.execution import execute
from mintline_cli.options import Json, State, local_stack_info
from mintline_cli.output import Screen
from mintline_ops.run_file import DEFAULT_STATE
from mintline_ops.status import read_status


def status(*, state: State = DEFAULT_STATE, as_json: Json = False) -> None:
    """Show the running local stack: its processes, whether they are ready, and how far the index has come.

    Example: mintline status
    """
    screen = Screen(as_json=as_json)
    report = execute(read_status(local_stack_info(state)))
    screen.say(f"API {report['api_url']}, contract {report['contract']} on chain {report['chain_id']}")
    screen.say(f"Index at block {report['indexed']}, chain at {report['head']}")
    for process in report["processes"]:
        style = "green" if process["ready"] else "red"
        detail = f"pid {process['pid'] or '-'}  {process['detail']}{restarted(process, now=time.time())}"
        screen.stage(process["name"], detail, style=style)
    screen.result(report)
    if not all(process["ready"] for process in report["processes"]):
        raise typer.Exit(1)


def restarted(process: Mapping[str, Any], *, now: float) -> str:
    """Return how often and when a process was restarted, to follow its state; nothing if it never was."""
    if process["restarted_at"] is None:
        return ""
    times = "once" if process["restarts"] == 1 else f"{process['restarts']} times"
    return f", restarted {age(now - process['restarted_at'])} ago, {times} in all"


def age(seconds: float) -> str:
    """Return a duration in its largest whole unit."""
    for unit, length in (("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds // length:.0f} {unit}"
    return f"{max(seconds, 0):.0f} s"
