"""The TypeScript client as its users have it: packed, and installed in a folder."""

from __future__ import annotations

import os
import subprocess
import tarfile
from pathlib import Path

from tests.integration.conftest import ROOT, node_binary

CLIENT = ROOT / "clients" / "typescript"
TSX = ROOT / "node_modules" / "tsx" / "dist" / "cli.mjs"
TSC = ROOT / "node_modules" / "typescript" / "bin" / "tsc"


def node(*command: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run Node and return how it ended."""
    path = os.pathsep.join([str(Path(node_binary()).parent), os.environ["PATH"]])
    return subprocess.run(
        [node_binary(), *command],
        cwd=cwd,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def install_client(folder: Path) -> Path:
    """Pack the client and install it in a folder as npm would, and return where it is."""
    packed = node(CLIENT / "pack.mjs", folder, cwd=ROOT)
    assert packed.returncode == 0, packed.stderr
    (archive,) = folder.glob("mintline-client-*.tgz")
    installed = folder / "node_modules" / "@mintline" / "client"
    with tarfile.open(archive) as opened:
        opened.extractall(folder, filter="data")
    installed.parent.mkdir(parents=True)
    (folder / "package").rename(installed)
    archive.unlink()
    return installed
