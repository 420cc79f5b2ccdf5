"""docs/testing.md has a row for each skip in the tests, and none that no test has."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
CONTAINERS, OTHERS = (
    "tests of containers",
    "tests that start a pipeline of processes, and those of the console",
)
RECEIVERS, BROWSER = (
    "tests whose own process receives webhooks",
    "the API reference and the console in a browser",
)
DOCUMENT = "a genuine AWS attestation document"
ROWS = {
    "conftest.py": [CONTAINERS, OTHERS, BROWSER, CONTAINERS],
    "contract/test_releases.py": ["a message that the release before does not have"],
    "e2e/test_console.py": [OTHERS],
    "e2e/test_console_speed.py": [OTHERS],
    "e2e/test_typescript_client.py": [RECEIVERS],
    "e2e/test_webhooks.py": [RECEIVERS],
    "integration/api/test_cross_origin_page.py": [BROWSER],
    "integration/devstack/test_supervisor.py": ["ending children with their parent"],
    "integration/openapi/conftest.py": ["tools that read the OpenAPI document"],
    "unit/attestation/test_verify.py": [DOCUMENT],
    "unit/cli/test_attest.py": [DOCUMENT],
    "unit/core/test_free_memory.py": ["memory that is given back to the system"],
    "unit/devstack/test_kms_recipient.py": ["the openssl command"],
    "unit/documents/test_repository_files.py": ["`actionlint`"],
    "unit/telemetry/test_promtool.py": ["`promtool`"],
}
"""The table's row for each skip of a file, in their order."""


def test_skips__when_the_tests_are_read__then_each_has_a_row_and_each_row_a_skip() -> None:
    skip = re.compile(r"\bpytest\.(?:mark\.)?(?:skip|skipif|importorskip)\(")
    skips = {
        str(path.relative_to(ROOT / "tests")): len(skips)
        for path in (ROOT / "tests").glob("**/*.py")
        if (skips := skip.findall(path.read_text()))
    }
    assert skips == {path: len(rows) for path, rows in ROWS.items()}
    page = (
        (ROOT / "docs/testing.md").read_text().split("\n## What is skipped, and why\n")[1].split("\n## ")[0]
    )
    listed = re.findall(r"^\| ([^|]+) \|", page, re.MULTILINE)[1:]
    assert set(listed) - {"---"} == {row for rows in ROWS.values() for row in rows}
