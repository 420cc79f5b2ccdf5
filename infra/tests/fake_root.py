"""Runs an instance's scripts under a fake root, with stubs for the programs that they call."""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

_ABSOLUTE = re.compile(r"(?<![\w./:@-])/(etc|opt|usr/local|usr/bin|var|run)/")
SILENT = ("chmod", "dnf", "docker", "install", "sleep", "systemctl", "systemd-notify", "timeout")


@dataclass(frozen=True, slots=True)
class FakeRoot:
    """A folder in place of `/`. Every stub appends its call to `log`."""

    root: Path

    def __post_init__(self) -> None:
        folders = ("bin", "etc/mintline", "etc/nitro_enclaves", "etc/systemd/system", "opt/mintline", "run")
        for folder in (*folders, "opt/aws/bin", "usr/local/sbin", "usr/bin"):
            (self.root / folder).mkdir(parents=True, exist_ok=True)
        for name in SILENT:
            self.stub(name)
        self.stub("timeout", 'shift; exec "$@"')
        self.stub("chmod", '/bin/chmod "$@"')
        self.stub("systemctl", 'case "$1" in is-active) echo inactive; exit 3 ;; esac')
        self.stub("cfn-signal", path="opt/aws/bin")

    @property
    def log(self) -> list[str]:
        """The calls of the stubs so far."""
        path = self.root / "log"
        return path.read_text().splitlines() if path.exists() else []

    def stub(self, name: str, body: str = "", *, path: str = "bin") -> None:
        """Have a program log its call, and do what `body` says."""
        program = self.root / path / name
        program.write_text(f'#!/bin/bash\necho "{name} $*" >> "{self.root}/log"\n{body}\n')
        program.chmod(0o755)

    def placed(self, text: str) -> str:
        """Return a script whose paths are below the fake root."""
        return _ABSOLUTE.sub(lambda matched: f"{self.root}/{matched[1]}/", text)

    def run(self, text: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a script, of an instance's own paths, to its end."""
        return subprocess.run(
            ["bash", "-c", self.placed(text), "script", *arguments],
            env={"PATH": f"{self.root}/bin:{os.environ['PATH']}"},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
