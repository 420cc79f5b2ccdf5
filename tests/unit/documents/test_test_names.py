"""A test's name says what is tested, when, and what follows: `test_<what>__when_<when>__<then>`."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PATTERN = re.compile(r"test_[a-z0-9]\w*?__when_[a-z0-9]\w*?__[a-z0-9]\w*")


def names_in(source: str) -> Iterator[tuple[int, str]]:
    """Yield the names of the tests in a module, those in its classes too, with their lines."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test"):
            yield node.lineno, node.name


def test_tests__when_listed__then_each_name_has_its_three_parts() -> None:
    files = [path for folder in ("tests", "infra/tests") for path in (ROOT / folder).rglob("test_*.py")]
    assert len(files) > 300
    assert [
        f"{path.relative_to(ROOT)}:{line}: {name}"
        for path in files
        for line, name in names_in(path.read_text())
        if not PATTERN.fullmatch(name)
    ] == []


@pytest.mark.parametrize(
    "name", ["test_mint", "test_mint__is_made", "test_mint__when_asked_for", "test___when_a__then_b"]
)
def test_name__when_a_part_is_missing__then_it_is_refused(name: str) -> None:
    assert [name] == [
        test_name for _, test_name in names_in(f"async def {name}(): ...") if not PATTERN.fullmatch(test_name)
    ]
