"""A record that is set aside is told of and counted, often enough for an alarm and no oftener."""

from __future__ import annotations

from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from mintline.set_aside import AGAIN, REMEMBERED, SetAside


def test_note__when_a_record_stays_unusable__then_it_is_logged_of_every_five_minutes() -> None:
    registry, now = CollectorRegistry(), 0.0
    aside = SetAside(registry, clock=lambda: now)
    with capture_logs() as lines:
        for now in (0.0, 1.0, AGAIN - 1, AGAIN, AGAIN + 1):  # noqa: B007 - the clock reads it
            aside.note("mints", "mint_1", "Mint: status: enum")
        aside.note("mints", "mint_2", ValueError("x"))
    assert [line["key"] for line in lines] == ["mint_1", "mint_1", "mint_2"]
    assert lines[0] == {
        "event": "record_set_aside",
        "log_level": "error",
        "table": "mints",
        "key": "mint_1",
        "reason": "Mint: status: enum",
    }
    labels = {"table": "mints"}
    assert registry.get_sample_value("mintline_records_set_aside_total", labels) == 3


def test_note__when_there_are_many_records__then_memory_stays_bounded() -> None:
    aside = SetAside(clock=lambda: 0.0)
    with capture_logs():
        for number in range(REMEMBERED + 10):
            aside.note("mints", str(number), "")
    assert len(aside._logged) == REMEMBERED
