"""Where the checkout is, and the programs that `make setup` installs in it."""

from __future__ import annotations

import platform
import sys
from pathlib import Path

from mintline.errors import Misconfigured

CHECKOUT = Path(__file__).resolve().parents[3]
ARCHITECTURES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}


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
