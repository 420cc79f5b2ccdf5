"""Every package of the workspace declares what it imports, so that its image holds it."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
PROJECTS = {
    tomllib.loads(path.read_text())["project"]["name"]: path
    for path in sorted(
        [path for part in ("*", "services/*", "tools/*") for path in ROOT.glob(f"{part}/pyproject.toml")],
        key=Path.as_posix,
    )
    if path.parent.name != "infra"
}
MODULES = {
    **{path.name: [name] for name in PROJECTS for path in PROJECTS[name].parent.glob("src/*")},
    "botocore": ["aiobotocore"],
    "pydantic_core": ["pydantic"],
}
"""Packages by module, where their installation does not say: ours, and halves of others."""
_REQUIREMENT = re.compile(r"([A-Za-z0-9._-]+)(?:\[([a-z, ]+)\])?")


@cache
def project(name: str) -> dict[str, Any]:
    declared: dict[str, Any] = tomllib.loads(PROJECTS[name].read_text())["project"]
    return declared


def declared(name: str, extras: frozenset[str] | None = None) -> Iterator[str]:
    """Yield what a package may import, all extras unless told which; ours bring along what they declare."""
    yield name
    optional = project(name).get("optional-dependencies", {})
    lines = [line for extra in (optional if extras is None else extras) for line in optional[extra]]
    for line in [*project(name)["dependencies"], *lines]:
        matched = _REQUIREMENT.match(line)
        assert matched, line
        distribution, wanted = matched[1].lower(), matched[2] or ""
        yield distribution
        if distribution in PROJECTS:
            yield from declared(
                distribution, frozenset(extra.strip() for extra in wanted.split(",") if extra)
            )


def imported(tree: ast.AST) -> Iterator[str]:
    """Yield the top-level modules that run-time code imports."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]
        else:
            yield from imported(node)


@pytest.mark.parametrize("name", PROJECTS)
def test_package__when_it_imports_another__declares_it(name: str) -> None:
    distributions = {**packages_distributions(), **MODULES}
    allowed = set(declared(name))
    missing = {
        f"{module} in {path.relative_to(ROOT)}"
        for path in PROJECTS[name].parent.glob("src/**/*.py")
        for module in imported(ast.parse(path.read_text()))
        if module not in sys.stdlib_module_names
        and allowed.isdisjoint(
            distribution.lower().replace("_", "-") for distribution in distributions[module]
        )
    }
    assert not missing


@pytest.mark.parametrize("name", sorted(PROJECTS.keys() - {"mintline-harness", "mintline-testkit"}))
def test_package__when_it_runs_in_production_or_is_a_tool__installs_no_test_doubles(name: str) -> None:
    assert "mintline-testkit" not in set(declared(name))
