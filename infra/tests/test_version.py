"""The CDK application has the version of the workspace."""

from __future__ import annotations

import tomllib
from importlib.metadata import version
from pathlib import Path

WORKSPACE = Path(__file__).parents[2] / "pyproject.toml"


def test_package__when_it_is_installed__has_the_workspaces_version() -> None:
    expected = tomllib.loads(WORKSPACE.read_text())["project"]["version"]
    assert version("mintline-infra") == version("mintline") == expected
