"""What a port promises is told once, on the port: its implementations say how they do it, or nothing.

Every other public method has a docstring.
"""

from __future__ import annotations

import ast
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TypeGuard

ROOT = Path(__file__).parents[3]
NAMED_BY_A_STANDARD = "harness/src/mintline_harness/simulation/rpc.py"
"""Its methods are those of Ethereum's JSON-RPC."""


@dataclass(frozen=True, slots=True)
class Class:
    name: str
    path: str
    bases: tuple[str, ...]
    methods: dict[str, ast.FunctionDef | ast.AsyncFunctionDef]

    @property
    def is_port(self) -> bool:
        return any(base.startswith("Protocol") for base in self.bases)


def is_method(node: ast.stmt) -> TypeGuard[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Tell whether it is a method, or a property by its getter."""
    return isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not any(
        isinstance(each, ast.Attribute) and each.attr == "setter" for each in node.decorator_list
    )


@cache
def classes() -> list[Class]:
    """Return the classes of the packages, private ones and those within functions left out."""
    listed = subprocess.run(
        ["git", "ls-files", "*/src/*.py"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return [
        Class(
            node.name,
            path,
            tuple(ast.unparse(base) for base in node.bases),
            {one.name: one for one in node.body if is_method(one)},
        )
        for path in listed.stdout.splitlines()
        if (ROOT / path).exists()
        for node in ast.parse((ROOT / path).read_text()).body
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    ]


@cache
def ports() -> list[Class]:
    return [one for one in classes() if one.is_port and one.methods]


def methods_of(one: Class) -> set[str]:
    """Return the names of a class's methods, those of its bases among them."""
    found, left = set(one.methods), [base.partition("[")[0].rpartition(".")[2] for base in one.bases]
    for name in left:
        for base in classes():
            if base.name == name and base is not one:
                found |= set(base.methods)
                left += [each for each in base.bases if each.isidentifier() and each not in left]
    return found


def docstring_of(method: ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    return " ".join((ast.get_docstring(method) or "").split())


def contracts(one: Class) -> dict[str, set[str]]:
    """Return what the ports that a class implements say of each method that it has."""
    has, found = methods_of(one), dict[str, set[str]]()
    for port in ports():
        if set(port.methods) <= has:
            for name, method in port.methods.items():
                found.setdefault(name, set()).add(docstring_of(method))
    return found


def test_implementation__when_its_port_says_the_same__then_it_says_nothing() -> None:
    repeated = [
        f"{one.path}: {one.name}.{name}"
        for one in classes()
        if not one.is_port
        for name, said in contracts(one).items()
        if name in one.methods and docstring_of(one.methods[name]) in said - {""}
    ]
    assert repeated == []


def test_method__when_no_port_declares_it__then_it_has_a_docstring() -> None:
    silent = [
        f"{one.path}: {one.name}.{name}"
        for one in classes()
        if one.path != NAMED_BY_A_STANDARD and "/models.py" not in one.path
        for name, method in one.methods.items()
        if not name.startswith("_") and not docstring_of(method)
        if one.is_port or not any(contracts(one).get(name, ()))
    ]
    assert silent == []
