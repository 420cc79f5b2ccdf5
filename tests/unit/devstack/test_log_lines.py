"""The supervisor's account of how children end."""

import json

import pytest

from mintline_devstack.supervisor import cause_in, describe_exit


def test_told__when_a_structured_line_has_an_exception__names_it() -> None:
    line = json.dumps(
        {"event": "service_failed", "exception": [{"exc_type": "OSError", "exc_value": "no socket"}]}
    )
    assert cause_in(line) == "OSError: no socket"


@pytest.mark.parametrize("line", ["plain words", '{"event": "x"}', "[]", '{"exception": []}'])
def test_told__when_there_is_no_exception__is_the_line(line: str) -> None:
    assert cause_in(line) == line


@pytest.mark.parametrize(
    ("code", "words"),
    [(0, "exited with code 0"), (-9, "killed by SIGKILL"), (-99, "killed by signal 99")],
)
def test_exit__when_described__says_how(code: int, words: str) -> None:
    assert words in describe_exit(code)
