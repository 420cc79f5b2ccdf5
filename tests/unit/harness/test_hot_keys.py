"""Which keys are hot, and at which rate they would be throttled."""

from __future__ import annotations

from typing import Any

import pytest

from mintline.resources import MINTS
from mintline_bench.command import parser, plan_of
from mintline_harness.hot_keys.command import main
from mintline_harness.hot_keys.meter import HotKey, KeyCounts
from mintline_harness.hot_keys.report import SHOWN, figures, table
from mintline_harness.write_units import KeyWrite, key_writes


def test_hottest__when_units_come_in_several_seconds__then_by_the_most_in_one_of_them() -> None:
    counts = KeyCounts()
    for second in range(9):
        counts.add(KeyWrite("mints", "steady", 3), second=second)
    counts.add(KeyWrite("mints/open", "0", 4), second=5)
    counts.add(KeyWrite("mints/open", "0", 6), second=5)
    counts.add(KeyWrite("mints/open", "1", 1), second=5)

    assert counts.hottest(2) == [
        HotKey("mints/open", "0", units=10, peak=10),
        HotKey("mints", "steady", units=27, peak=3),
    ]


def test_key__when_its_peak_exceeds_what_dynamodb_serves__then_it_would_be_throttled() -> None:
    served, more = (HotKey("transactions", "1#0xabc", units=5000, peak=peak) for peak in (1000, 1001))

    figures_of_keys = figures([served, more], mints=1000)

    assert [key["throttled"] for key in figures_of_keys] == [False, True]
    assert {(key["units_per_mint"], key["mints_per_s_at_limit"]) for key in figures_of_keys} == {(5.0, 200.0)}
    assert "throttled" not in table([served], mints=1000)
    assert "throttled" in table([more], mints=1000)


def test_key__when_its_units_of_a_second_are_used__then_it_is_full_until_the_next() -> None:
    counts = KeyCounts()
    write = KeyWrite("mints", "m", 3)
    counts.add(write, second=1)

    assert [counts.full(write, second=second, limit=3) for second in (1, 1, 2)] == [True, True, False]
    assert not counts.full(KeyWrite("mints", "n", 3), second=1, limit=3)
    (key,) = counts.hottest(9)
    assert (key.partition, key.refused) == ("m", 2)
    assert "refused 2 times" in table([key], mints=1)
    assert figures([key], mints=1)[0]["refused"] == 2


def test_table__when_a_key_is_long__then_its_beginning_is_shown() -> None:
    key = HotKey("tokens/by_holder", "1#" + "0x" * 40, units=1, peak=1)

    assert "1#" + ("0x" * 40)[: SHOWN - 3] + "…" in table([key], mints=1)
    assert figures([key], mints=1)[0]["key"] == key.partition


def test_key_writes__when_an_item_leaves_one_shard_of_an_index_for_another__then_both_are_written() -> None:
    key: dict[str, Any] = {"mint_id": {"S": "m"}}
    at: dict[str, Any] = {**key, "created_key": {"S": "k"}}
    before, after = at | {"open_shard": {"S": "1"}}, at | {"open_shard": {"S": "2"}}

    assert list(key_writes(MINTS, key, before, after, transactional=True)) == [
        KeyWrite("mints", "m", 2),
        KeyWrite("mints/open", "1", 1),
        KeyWrite("mints/open", "2", 1),
    ]
    assert list(key_writes(MINTS, key, None, None)) == [KeyWrite("mints", "m", 1)], "its condition failed"


def test_command__when_the_profile_mints_nothing__then_it_is_refused(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["--profile", "idle"]) == 2
    assert "idle" in capsys.readouterr().err


def test_options__when_the_bench_and_the_count_read_them__then_they_are_the_same_load() -> None:
    options = parser("bench", "about").parse_args(["--profile", "one-sender", "--mints", "7", "--runs", "2"])

    plan = plan_of(options)

    assert (plan.profile, plan.mints, plan.users, plan.runs) == ("one-sender", 7, 1, 2)
