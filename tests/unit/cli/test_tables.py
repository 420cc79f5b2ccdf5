"""What tables of the command line keep of their cells, and how amounts of ether are read."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from mintline_cli import output
from mintline_cli.amounts import ether, gwei
from mintline_cli.output import Screen

COLUMNS = ("Mint", "Status", "Owner", "Accepted")
ROW = ("mint_FWND20NT7QW3PY9V07BYBNS0HT", "finalized", f"0x{'C275b8B0e0' * 4}", "2026-12-01T01:05:47.000Z")


def printed(monkeypatch: pytest.MonkeyPatch, *, terminal: bool, width: int = 60) -> str:
    file = io.StringIO()
    console = Console(file=file, width=width, force_terminal=terminal, color_system=None, soft_wrap=True)
    monkeypatch.setattr(output, "Console", lambda **_: console)
    Screen(as_json=False).table(COLUMNS, [ROW], empty="nothing")
    return file.getvalue()


def test_table__when_a_program_reads_it__then_each_row_is_one_line_with_all_of_its_cells(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    head, row = printed(monkeypatch, terminal=False).splitlines()
    assert head.split() == list(COLUMNS)
    assert row.split() == list(ROW)


def test_table__when_the_terminal_is_narrow__then_cells_go_on_in_the_next_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lines = printed(monkeypatch, terminal=True).splitlines()
    assert max(map(len, lines)) <= 60
    assert sorted("".join("".join(lines).split())) == sorted("".join((*COLUMNS, *ROW)))


def test_table__when_the_terminal_is_too_narrow_to_fold__then_lines_are_as_long_as_it_takes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    head, row = printed(monkeypatch, terminal=True, width=40).splitlines()
    assert head.split() == list(COLUMNS)
    assert row.split() == list(ROW)


def test_table__when_the_first_cell_is_wider_than_the_terminal__then_no_cell_is_cut(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    row = ("7" * 77, *ROW[1:])
    monkeypatch.setattr("tests.unit.cli.test_tables.ROW", row)
    lines = printed(monkeypatch, terminal=True).splitlines()
    assert max(map(len, lines)) <= 60
    assert sorted("".join("".join(lines).split())) == sorted("".join((*COLUMNS, *row)))


@pytest.mark.parametrize(
    ("wei", "in_ether", "in_gwei"),
    [
        (0, "0 ETH", "0 Gwei"),
        (1, "0.000000000000000001 ETH", "0.000000001 Gwei"),
        ("1008800070616000", "0.001009 ETH", "1009000 Gwei"),
        (100_000_007, "0.0000000001 ETH", "0.1 Gwei"),
        (2 * 10**18, "2 ETH", "2000000000 Gwei"),
    ],
)
def test_amount__when_it_is_in_wei__then_it_is_shown_as_people_read_it(
    wei: int | str, in_ether: str, in_gwei: str
) -> None:
    assert (ether(wei), gwei(wei)) == (in_ether, in_gwei)
