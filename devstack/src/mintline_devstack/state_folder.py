"""The state folder of a local stack: emulators, credentials, logs, and what runs now."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mintline.atomic_files import replace_file
from mintline.errors import Misconfigured
from mintline_ops import run_file

SOCKET_FOLDER_LIMIT = 80
"""Bytes; systems allow a unix socket's whole path 104 to 108."""


class StateFolder:
    """A folder that holds one local stack's state: emulators, credentials, logs, and what runs now."""

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
        self.run = self.path / run_file.RUN_FILE
        self._lock = self.path / run_file.LOCK

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
        """Hold the folder for one local stack; raises Misconfigured, naming the holder, if it is held."""
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
                    f"a local stack already runs from {self.path} (pid {holder}): "
                    "stop it first, or pass --state"
                ) from None
            lock.truncate(0)
            lock.write(str(os.getpid()))
            lock.flush()
            yield

    def forget(self) -> list[str]:
        """Remove what a local stack keeps here, and nothing else; return the names of what held anything."""
        kept = (
            "anvil",
            "audit",
            "enclave",
            "kms",
            "logs",
            "ministack",
            run_file.RUN_FILE,
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
        """Tell whether a local stack runs from this folder."""
        return run_file.in_use(self.path)

    def running(self) -> dict[str, Any] | None:
        """Return what runs from this folder, or None; a stale file of a killed stack does not count."""
        return run_file.running(self.path)

    @contextlib.contextmanager
    def sockets(self) -> Iterator[Path]:
        """Yield a folder for unix sockets: the enclave's own, unless its path is too long for them."""
        if len(os.fsencode(self.enclave)) <= SOCKET_FOLDER_LIMIT:
            yield self.enclave
            return
        with tempfile.TemporaryDirectory(prefix="mintline-") as folder:
            yield Path(folder)


def write_json(path: Path, value: dict[str, Any]) -> None:
    """Write a JSON object in one step, readable by this user alone."""
    replace_file(path, f"{json.dumps(value, indent=2)}\n".encode())
