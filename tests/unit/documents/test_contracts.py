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
            {method.name: method for method in node.body if is_method(method)},
        )
        for path in listed.stdout.splitlines()
        if (ROOT / path).exists()
        for node in ast.parse((ROOT / path).read_text()).body
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    ]


@cache
def ports() -> list[Class]:
    return [cls for cls in classes() if cls.is_port and cls.methods]


def methods_of(cls: Class) -> set[str]:
    """Return the names of a class's methods, those of its bases among them."""
    names, left = set(cls.methods), [base.partition("[")[0].rpartition(".")[2] for base in cls.bases]
    for name in left:
        for base in classes():
            if base.name == name and base is not cls:
                names |= set(base.methods)
                left += [each for each in base.bases if each.isidentifier() and each not in left]
    return names


def docstring_of(method: ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    return " ".join((ast.get_docstring(method) or "").split())


def contracts(cls: Class) -> dict[str, set[str]]:
    """Return what the ports that a class implements say of each method that it has."""
    has, docstrings = methods_of(cls), dict[str, set[str]]()
    for port in ports():
        if set(port.methods) <= has:
            for name, method in port.methods.items():
                docstrings.setdefault(name, set()).add(docstring_of(method))
    return docstrings


def test_implementation__when_its_port_says_the_same__then_it_says_nothing() -> None:
    repeated = [
        f"{cls.path}: {cls.name}.{name}"
        for cls in classes()
        if not cls.is_port
        for name, docs in contracts(cls).items()
        if name in cls.methods and docstring_of(cls.methods[name]) in docs - {""}
    ]
    assert repeated == []


def test_method__when_no_port_declares_it__then_it_has_a_docstring() -> None:
    silent = [
        f"{cls.path}: {cls.name}.{name}"
        for cls in classes()
        if cls.path != NAMED_BY_A_STANDARD and "/models.py" not in cls.path
        for name, method in cls.methods.items()
        if not name.startswith("_") and not docstring_of(method)
        if cls.is_port or not any(contracts(cls).get(name, ()))
    ]
    assert silent == []
