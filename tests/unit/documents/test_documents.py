"""What the documents name must exist: a test that is renamed is renamed there too."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
DOCUMENTS = sorted(
    [
        *ROOT.glob("*.md"),
        *ROOT.glob("docs/**/*.md"),
        *ROOT.glob("*/README.md"),
        *ROOT.glob("services/*/README.md"),
        *ROOT.glob("tools/*/README.md"),
        *ROOT.glob("clients/*/README.md"),
    ]
)


def anchors(page: str) -> set[str]:
    """Return the anchors that GitHub makes of a page's headings."""
    headings = re.findall(r"^#+ (.+)$", page, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def named_tests(text: str) -> set[str]:
    return set(re.findall(r"`(test_\w+__\w+)`", text))


def test_crash_points__when_one_is_argued__then_its_test_is_named() -> None:
    text = (ROOT / "docs/crash-points.md").read_text()
    rows = [line for line in text.splitlines() if line.startswith("| ")][1:]
    assert len(rows) > 15
    assert [row for row in rows if not named_tests(row)] == []


def test_document__when_it_names_a_test__then_there_is_one() -> None:
    defined = {
        name
        for path in ROOT.glob("tests/**/*.py")
        for name in re.findall(r"def (test_\w+)\(", path.read_text())
    }
    for document in DOCUMENTS:
        assert named_tests(document.read_text()) <= defined, document


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_link__when_it_points_into_the_repository__then_something_is_there(document: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", document.read_text()):
        if not re.match(r"[a-z]+:", target):
            assert (document.parent / target).exists(), target


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_link__when_it_names_a_section__then_the_page_has_it(document: Path) -> None:
    text = document.read_text()
    for target, anchor in re.findall(r"\]\((?![a-z]+:)([^)#\s]*)#([^)\s]+)\)", text):
        page = (document.parent / target).read_text() if target else text
        assert anchor in anchors(page), f"{target}#{anchor}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_prose__when_a_line_is_measured__then_it_is_within_120_characters(document: Path) -> None:
    if document.parent.name == "decisions" or document.name == "CHANGELOG.md":
        return  # they tell of the past
    prose = re.sub(r"^ *```.*?^ *```$", "", document.read_text(), flags=re.MULTILINE | re.DOTALL)
    lines = [line for line in prose.splitlines() if not line.startswith("|")]
    assert [line for line in lines if len(line) > 120] == []


def test_decisions__when_there_is_a_page__then_the_index_has_its_title() -> None:
    folder = ROOT / "docs/decisions"
    index = re.findall(
        r"^\| \[(\d{4})\]\((\S+)\) \| (.+) \|$", (folder / "README.md").read_text(), re.MULTILINE
    )
    pages = sorted(folder.glob("[0-9]*.md"))
    titles = [(page.name, page.read_text().splitlines()[0]) for page in pages]
    assert [(name, f"# {number}: {title}") for number, name, title in index] == titles
