"""The machine that figures were measured on, read from what Linux says."""

import pytest

from mintline_bench.machine import processor_of


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("processor\t: 0\nmodel name\t: AMD EPYC: 9B45\nflags\t: fpu\n", "AMD EPYC: 9B45"),
        ("processor\t: 0\nBogoMIPS\t: 50.00\n", None),
        ("model name\t:\n", None),
    ],
)
def test_processor_of__when_the_file_names_one__returns_it(text: str, expected: str | None) -> None:
    assert processor_of(text) == expected
