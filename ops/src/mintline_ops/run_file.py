"""A local stack as operators' commands find it: the run file that its state folder holds while it runs."""

from __future__ import annotations

import fcntl
import json
from pathlib import Path
from typing import Any

from mintline.errors import Misconfigured

DEFAULT_STATE = Path(__file__).resolve().parents[3] / ".mintline"
RUN_FILE = "run.json"
"""What runs now: addresses, sign-in, pids; absent while nothing does."""
LOCK = "lock"


def running(state: Path) -> dict[str, Any] | None:
    """Return what runs from a state folder, or None; a stale file of a killed stack does not count."""
    path = state / RUN_FILE
    return read_json(path) if path.exists() and in_use(state) else None


def in_use(state: Path) -> bool:
    """Tell whether a local stack runs from this state folder."""
    try:
        with (state / LOCK).open("r") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def read_json(path: Path) -> dict[str, Any]:
    """Return the JSON object in a file of the state folder; raises Misconfigured when it is damaged."""
    try:
        value = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise corrupt(path, str(error)) from None
    if not isinstance(value, dict):
        raise corrupt(path, "not a JSON object")
    return value


def corrupt(what: Path, why: str) -> Misconfigured:
    """Return the error for a state folder that cannot be used as it is."""
    return Misconfigured(f"the saved state is damaged: {what}: {why}; `make clean` starts afresh")
