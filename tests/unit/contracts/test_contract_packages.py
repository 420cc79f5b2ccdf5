"""The node packages: pinned exactly, and installable on every platform that the lock promises."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]
ANVIL = "node_modules/@foundry-rs/anvil"
PLATFORMS = {
    "linux-amd64": (["linux"], ["x64"]),
    "linux-arm64": (["linux"], ["arm64"]),
    "darwin-amd64": (["darwin"], ["x64"]),
    "darwin-arm64": (["darwin"], ["arm64"]),
}


def packages_of_lock() -> dict[str, dict[str, Any]]:
    packages: dict[str, dict[str, Any]] = json.loads((ROOT / "package-lock.json").read_text())["packages"]
    return packages


def test_package__when_read__then_every_dependency_is_pinned_exactly_and_locked() -> None:
    package, locked = json.loads((ROOT / "package.json").read_text()), packages_of_lock()

    for name, version in package["devDependencies"].items():
        assert re.fullmatch(r"\d+\.\d+\.\d+", version), f"{name} {version}"
        assert locked[f"node_modules/{name}"]["version"] == version


def test_lock__when_read__then_anvil_is_there_for_every_platform() -> None:
    locked = packages_of_lock()

    for platform, (system, processor) in PLATFORMS.items():
        entry = locked[f"{ANVIL}-{platform}"]
        assert (entry["os"], entry["cpu"], entry["optional"]) == (system, processor, True)
        assert entry["version"] == locked[ANVIL]["version"]


def test_lock__when_read__then_no_engine_keeps_anvil_from_older_node() -> None:
    """npm silently leaves out an optional package whose ``engines`` do not fit; the binary needs no Node."""
    locked = packages_of_lock()

    assert not [name for name, entry in locked.items() if name.startswith(f"{ANVIL}-") and "engines" in entry]


def test_lock__when_read__then_every_package_comes_from_the_public_registry() -> None:
    sources = {entry["resolved"] for entry in packages_of_lock().values() if "resolved" in entry}

    assert {source for source in sources if not source.startswith("https://registry.npmjs.org/")} == set()
