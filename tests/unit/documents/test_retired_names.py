"""Names and words that were given up stay so: no file of the tree has one of them.

The changelog and decisions tell of the past; records and releases of earlier versions keep their names.
"""

from __future__ import annotations

import ast
import re
import subprocess
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PAST = re.compile(
    r"CHANGELOG\.md|docs/decisions/|tests/contract/releases/|.*(lock|\.json|\.min\.js|\.standalone\.js)$"
)
THIS = "tests/unit/documents/test_retired_names.py"

MODULES = [
    "rebuilding",
    "mending",
    "reconciling",
    "attesting",
    "sweeping",
    "usage",
    "console",
    "tether",
    "continuity",
    "founding",
    "places",
    "tally",
    "enveloped",
    "carrying",
    "redeemed",
    "sealing",
    "sealing_items",
    "standing",
]
"""Names that no Python module has: a verb beside its gerund, and riddles."""

NAMES = {"answer", "asked", "found", "one", "made", "said", "told", "untold"}
"""Names that say nothing: no variable, parameter or attribute has one, and no function of product code."""

WORDS = {
    "classes": r"class (SqsLine|World|Surroundings|Rig|Stage|Scene|Watch|Fenced|Stamped|Standing|Need)\b",
    "classes of several meanings": r"class (Place|Found)\b",
    "middlewares": r"def (explained|observed)\b",
    "codes": r"\bunknown_mint\b",
    "verbs": r"\bdef _?(look|tell|told|tend)\(",
    "commands": r"\b(operator )?repoint\b",
    "metaphors": r"(?i)\b(tether|riddle|voices|witnesses|distrust|mending|bury|buried)\b",
    "the pipeline": r"(?i)\b((the|a) running line|an idle line|the whole line)\b",
    "the user's word": r"(?i)\bthe user's word\b",
    "the authorization key": r"(?i)\b(sealer|sealing key|sealing(key|secrets?|items|stores?))\b",
}


def names_given(source: str) -> list[tuple[int, str]]:
    """Return the variables, parameters and attributes that a module sets, with their lines."""
    names: list[tuple[int, str]] = []
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
                names.append((node.lineno, name))
            case ast.arg(arg=name) | ast.ExceptHandler(name=str(name)):
                names.append((node.lineno, name))
            case ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
                names.append((node.lineno, name))
    return names


def functions_given(source: str) -> list[tuple[int, str]]:
    """Return the functions and methods that a module defines, inner ones too, with their lines."""
    return [
        (node.lineno, node.name)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]


@cache
def texts() -> dict[str, str]:
    """Return the text files of the tree by their paths, but for those that tell of the past."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
    bodies = {}
    for name in listed.stdout.splitlines():
        path = ROOT / name
        if name != THIS and not PAST.match(name) and path.is_file():
            body = path.read_bytes()
            if b"\0" not in body:
                bodies[name] = body.decode()
    return bodies


@pytest.mark.parametrize("what", WORDS)
def test_tree__when_searched_for_what_was_given_up__then_has_none(what: str) -> None:
    retired = re.compile(WORDS[what])
    lines = [
        f"{name}:{number}: {line.strip()[:100]}"
        for name, text in texts().items()
        if retired.search(text)
        for number, line in enumerate(text.splitlines(), 1)
        if retired.search(line)
    ]
    assert lines == []


def test_modules__when_listed__then_none_has_a_retired_name() -> None:
    assert [name for name in texts() if name.endswith(".py") and Path(name).stem in MODULES] == []


def test_variables__when_listed__then_none_has_a_retired_name() -> None:
    assert [
        f"{path}:{line}: {name}"
        for path, text in texts().items()
        if path.endswith(".py")
        for line, name in names_given(text)
        if name in NAMES
    ] == []


def test_functions__when_those_of_product_code_are_listed__then_none_has_a_retired_name() -> None:
    assert [
        f"{path}:{line}: {name}"
        for path, text in texts().items()
        if path.endswith(".py") and not path.startswith("tests/")
        for line, name in functions_given(text)
        if name in NAMES
    ] == []


@pytest.mark.parametrize(
    "source",
    ["def found(): ...", "def f():\n    async def one(): ...", "class C:\n    def answer(self): ..."],
)
def test_function__when_it_has_a_retired_name__then_it_is_listed(source: str) -> None:
    assert NAMES & {name for _, name in functions_given(source)}


@pytest.mark.parametrize(
    "source",
    [
        "found = 1",
        "def f(made): ...",
        "def f(**asked): ...",
        "[one for one in ()]",
        "class C:\n    answer: int",
        "self.said = 1",
        "f(told := 1)",
        "try: ...\nexcept OSError as found: ...",
        "match 1:\n    case found: ...",
        "match 1:\n    case [*found]: ...",
        "with f() as answer: ...",
    ],
)
def test_variable__when_it_has_a_retired_name__then_it_is_listed(source: str) -> None:
    assert NAMES & {name for _, name in names_given(source)}


def test_retired__when_a_text_has_such_a_word__then_it_is_found() -> None:
    assert re.search(WORDS["the pipeline"], "Start the whole line and wait.")
    assert re.search(WORDS["classes"], "class Scene:")
    assert not re.search(WORDS["the pipeline"], "Lines that repeat a whole line")
