"""Every package has the version of the workspace, which is written down once."""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
SOURCE = ROOT / "pyproject.toml"
PACKAGES = sorted(
    path for pattern in ("*", "*/*") for path in ROOT.glob(f"{pattern}/pyproject.toml") if path.is_file()
)
INSTALLED = [path for path in PACKAGES if path.parent.name != "infra"]
"""The CDK application has an environment of its own; its tests check its version there."""
VERSION = tomllib.loads(SOURCE.read_text())["project"]["version"]


def test_version__when_it_is_written__is_semantic() -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+(\.dev\d+|rc\d+)?", VERSION)


@pytest.mark.parametrize("path", PACKAGES, ids=lambda path: path.parent.name)
def test_package__when_it_is_built__reads_the_workspaces_version(path: Path) -> None:
    package = tomllib.loads(path.read_text())
    assert "version" not in package["project"]
    assert package["project"]["dynamic"] == ["version"]
    reader = package["tool"]["hatch"]["version"]
    assert (path.parent / reader["path"]).resolve() == SOURCE
    versions = re.findall(reader["pattern"], SOURCE.read_text(), re.MULTILINE)
    assert versions == [VERSION]
    keys = {(path.parent / key["file"]).resolve() for key in package["tool"]["uv"]["cache-keys"]}
    assert keys == {path, SOURCE}, "uv builds the package again when the version changes"


@pytest.mark.parametrize("path", INSTALLED, ids=lambda path: path.parent.name)
def test_package__when_it_is_installed__has_the_workspaces_version(path: Path) -> None:
    assert version(tomllib.loads(path.read_text())["project"]["name"]) == VERSION


def test_dockerfile__when_it_is_built_without_a_version__claims_none() -> None:
    dockerfiles = [ROOT / "services" / "Dockerfile", *ROOT.glob("services/*/Dockerfile")]
    for path in dockerfiles:
        assert set(re.findall(r"^ARG VERSION=(.*)$", path.read_text(), re.MULTILINE)) == {"unknown"}, path
