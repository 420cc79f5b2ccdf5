"""What `mintline status` says of restarts."""

from __future__ import annotations

import pytest

from mintline_cli.status import restarted


@pytest.mark.parametrize(
    ("restarts", "restarted_at", "shown"),
    [
        (0, None, ""),
        (1, 988.0, ", restarted 12 s ago, once in all"),
        (3, 700.0, ", restarted 5 min ago, 3 times in all"),
        (3, 1_001.0, ", restarted 0 s ago, 3 times in all"),
    ],
)
def test_restarts__when_a_process_is_shown__then_it_says_how_many_and_when(
    restarts: int, restarted_at: float | None, shown: str
) -> None:
    assert restarted({"restarts": restarts, "restarted_at": restarted_at}, now=1_000.0) == shown
