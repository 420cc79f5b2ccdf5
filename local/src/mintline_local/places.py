"""Where things are: the checkout, its tools, and the state folder of a line."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mintline.errors import Misconfigured

CHECKOUT = Path(__file__).resolve().parents[3]
DEFAULT_STATE = CHECKOUT / ".mintline"
ARCHITECTURES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}
SOCKET_FOLDER_LIMIT = 80
"""Bytes; systems allow a unix socket's whole path 104 to 108."""


def tool(name: str) -> Path:
    """Return the path of `anvil` or of `ministack`'s Python; raises Misconfigured when it is missing."""
    machine = ARCHITECTURES.get(platform.machine().lower(), "")
    path = {
        "anvil": CHECKOUT / f"node_modules/@foundry-rs/anvil-{sys.platform}-{machine}/bin/anvil",
        "ministack": CHECKOUT / ".venv/ministack/bin/python",
    }[name]
    if not path.exists():
        raise Misconfigured(f"{name} is not installed at {path}; run `make setup`")
    return path


class StateFolder:
    """A folder that holds one line's state: emulators, credentials, logs, and what runs now."""

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()
        self.logs = self.path / "logs"
        self.ministack = self.path / "ministack"
        self.anvil = self.path / "anvil"
        self.kms = self.path / "kms"
        self.enclave = self.path / "enclave"
        self.audit = self.path / "audit"
        """The enclave's audit trail."""
        self.known = self.path / "state.json"
        """What the first start made, and later ones find again."""
        self.run = self.path / "run.json"
        """What runs now: addresses, sign-in, pids; absent while nothing does."""
        self._lock = self.path / "lock"

    def prepare(self) -> None:
        """Create the folder and its parts, the parts readable by this user alone: they hold keys."""
        parts = (
            self.logs,
            self.ministack,
            self.ministack / "tmp",
            self.anvil,
            self.kms,
            self.enclave,
            self.audit,
        )
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            for folder in parts:
                folder.mkdir(mode=0o700, exist_ok=True)
                # It may be there already, from a time or a hand that left it open.
                folder.chmod(0o700)
        except OSError as error:
            raise Misconfigured(f"cannot use the state folder {self.path}: {error.strerror}") from None

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder for one line; raises Misconfigured, naming the holder, when another one has it."""
        self.prepare()
        try:
            lock = self._lock.open("a+")
        except OSError as error:
            raise Misconfigured(f"cannot use the state folder {self.path}: {error.strerror}") from None
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                lock.seek(0)
                holder = lock.read().strip() or "unknown"
                raise Misconfigured(
                    f"a line already runs from {self.path} (pid {holder}): stop it first, or pass --state"
                ) from None
            lock.truncate(0)
            lock.write(str(os.getpid()))
            lock.flush()
            yield

    def forget(self) -> list[str]:
        """Remove what a line keeps here, and nothing else; return the names of what held anything."""
        kept = (
            "anvil",
            "audit",
            "enclave",
            "kms",
            "logs",
            "ministack",
            "run.json",
            "setup.log",
            "state.json",
        )
        removed = []
        for path in (self.path / name for name in kept):
            if path.is_dir():
                if any(not inner.is_dir() for inner in path.rglob("*")):
                    removed.append(path.name)
                shutil.rmtree(path)
            elif path.exists():
                removed.append(path.name)
                path.unlink()
        return removed

    def in_use(self) -> bool:
        """Tell whether a line runs from this folder."""
        try:
            with self._lock.open("r") as lock:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except FileNotFoundError:
            return False
        except BlockingIOError:
            return True
        return False

    def running(self) -> dict[str, Any] | None:
        """Return what runs from this folder, or None; a stale file of a killed line does not count."""
        return read_json(self.run) if self.run.exists() and self.in_use() else None

    @contextlib.contextmanager
    def sockets(self) -> Iterator[Path]:
        """Yield a folder for unix sockets: the enclave's own, unless its path is too long for them."""
        if len(os.fsencode(self.enclave)) <= SOCKET_FOLDER_LIMIT:
            yield self.enclave
            return
        with tempfile.TemporaryDirectory(prefix="mintline-") as folder:
            yield Path(folder)


def read_json(path: Path) -> dict[str, Any]:
    """Return the JSON object in a file of the state folder; raises Misconfigured when it is damaged."""
    try:
        value = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise corrupt(path, str(error)) from None
    if not isinstance(value, dict):
        raise corrupt(path, "not a JSON object")
    return value


def write_json(path: Path, value: dict[str, Any]) -> None:
    """Write a JSON object in one step, readable by this user alone."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(value, file, indent=2)
        file.write("\n")
    fresh.replace(path)


def corrupt(what: Path, why: str) -> Misconfigured:
    """Return the error for a state folder that cannot be used as it is."""
    return Misconfigured(f"the saved state is damaged: {what}: {why}; `make clean` starts afresh")
