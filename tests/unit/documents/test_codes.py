"""docs/codes.md and docs/waiting.md list every code, and no code that does not exist."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from mintline.attestation.refusals import Reason
from mintline.chain.send_facts import SendFact
from mintline.records.problems import TOKEN_ON_CHAIN, Problem
from mintline.refusals import RefusalCode
from mintline_api.app import GROUPS, PROBLEMS
from mintline_builder import waiting
from mintline_indexer.reconciler.findings import Kind
from mintline_signer.errors import FailureCode

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs/codes.md").read_text()
SOURCES = [
    path
    for folder in ("shared/src", "services", "ops/src", "cli/src")
    for path in (ROOT / folder).glob("**/*.py")
    if "src" in path.parts
]
TREES = [ast.parse(path.read_text()) for path in SOURCES]


def codes_of(text: str) -> set[str]:
    """Return the codes in the first column of the tables of a text."""
    cells = re.findall(r"^\| (`[^|]+`) \|", text, re.MULTILINE)
    return {code for cell in cells for code in re.findall(r"`([^`]+)`", cell)}


def section(title: str) -> str:
    return PAGE.split(f"\n## {title}\n")[1].split("\n## ")[0]


def name_of(node: ast.expr) -> str:
    match node:
        case ast.Name(name) | ast.Attribute(attr=name):
            return name
    return ""


def error_names() -> set[str]:
    """Return the names of the classes that carry a code: `Problem`, `Rejected` and what derives from it."""
    names = {"Problem", "Rejected"}
    classes = [node for tree in TREES for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    while True:
        subclasses = {each.name for each in classes if names & {name_of(base) for base in each.bases}}
        if subclasses <= names:
            return names
        names |= subclasses


def literals() -> Iterator[str]:
    """Yield each code that is written out where an error or a problem is made; `*` stands for a variable."""
    names = error_names()
    for node in chain.from_iterable(ast.walk(tree) for tree in TREES):
        if not isinstance(node, ast.Call) or name_of(node.func) not in {
            *names,
            "_dead_letter",
            "_require_same",
        }:
            continue
        position = 1 if name_of(node.func) == "_dead_letter" else 0
        given = [k.value for k in node.keywords if k.arg == "code"] or node.args[position : position + 1]
        match given:
            case [ast.Constant(str(code))] if re.fullmatch(r"[a-z_]+", code):
                yield code
            case [ast.JoinedStr(values)]:
                yield "".join(str(v.value) if isinstance(v, ast.Constant) else "*" for v in values)


def test_codes__when_the_api_answers_with_a_problem__then_code_and_status_are_listed() -> None:
    kinds = PROBLEMS.all(operation for group in GROUPS for operation in group)
    rows = re.findall(r"^\| `([^`]+)` \| (\d+) \|", section("The HTTP API"), re.MULTILINE)

    assert {(code, int(status)) for code, status in rows} == {(kind.slug, kind.status) for kind in kinds}


def test_codes__when_they_are_an_enumeration__then_its_section_lists_just_those() -> None:
    enumerations = {
        "The enclave's refusals": RefusalCode,
        "The enclave's failures": FailureCode,
        "Responses of nodes": SendFact,
        "Attestation documents": Reason,
    }
    for title, codes in enumerations.items():
        assert codes_of(section(title)) == {code.value for code in codes}, title


def test_codes__when_mints_wait__then_the_page_on_waiting_lists_just_those() -> None:
    causes = {value.code for value in vars(waiting).values() if isinstance(value, Problem)}

    assert codes_of((ROOT / "docs/waiting.md").read_text()) == causes | {TOKEN_ON_CHAIN.code}


def test_codes__when_reconcile_finds_something__then_its_page_lists_just_those() -> None:
    assert codes_of((ROOT / "docs/reconcile.md").read_text()) == {kind.value for kind in Kind}


def test_codes__when_an_error_or_problem_has_one__then_it_is_listed() -> None:
    listed = codes_of(PAGE) | codes_of((ROOT / "docs/waiting.md").read_text())
    written = set(literals())
    assert len(written) > 50

    unlisted = {
        code
        for code in written
        if not any(re.fullmatch(code.replace("*", "[a-z]+"), each) for each in listed)
    }
    assert unlisted == set()


def test_codes__when_one_is_listed__then_something_has_it() -> None:
    titles = ("Rejected and reverted operations", "Dead letters", "Commands")
    strings = {
        node.value
        for tree in TREES
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    patterns = [code.replace("*", "[a-z]+") for code in literals() if "*" in code]

    for code in set().union(*(codes_of(section(title)) for title in titles)):
        assert code in strings or any(re.fullmatch(pattern, code) for pattern in patterns), code
