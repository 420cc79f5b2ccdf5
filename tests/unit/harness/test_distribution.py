from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def conftest(pytestconfig: pytest.Config) -> Any:
    """Return tests/conftest.py as pytest has loaded it."""
    return pytestconfig.pluginmanager.get_plugin(str(ROOT / "tests/conftest.py"))


@pytest.mark.parametrize(
    ("path", "group"),
    [
        ("tests/attack/test_leaks.py", "tests/attack/"),
        ("tests/e2e/test_transfers.py", "tests/e2e/"),
        ("tests/e2e/test_write_units.py", "tests/e2e/test_write_units.py"),
        ("tests/integration/aws/test_queues.py", "tests/integration/aws/test_queues.py"),
    ],
)
def test_group__when_a_file_shares_a_stack__is_its_folder_and_else_the_file(
    conftest: Any, path: str, group: str
) -> None:
    assert conftest.group_of(path) == group


def test_order__when_workers_share_tests__begins_with_those_that_take_longest(conftest: Any) -> None:
    assert all((ROOT / folder).is_dir() for folder in (*conftest.LONGEST_FIRST, *conftest.SHARED_STACK))
    assert set(conftest.SHARED_STACK) < set(conftest.LONGEST_FIRST)
