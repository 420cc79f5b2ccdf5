"""How often an outage is reported; an alarm counts the reports."""

from __future__ import annotations

from mintline_signer.host.outage import EVERY, Outage


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def reports(outage: Outage, clock: Clock, *, seconds: int) -> list[float]:
    """Return what is reported while a connection fails every second."""
    ages = []
    for _ in range(seconds):
        if (reported := outage.goes_on()) is not None:
            ages.append(reported)
        clock.now += 1
    return ages


def test_outage__when_it_goes_on__then_it_is_reported_at_once_and_every_half_minute() -> None:
    clock = Clock()

    assert reports(Outage(clock=clock), clock, seconds=100) == [0.0, EVERY, 2 * EVERY, 3 * EVERY]


def test_outage__when_it_has_ended__then_the_next_one_begins_anew() -> None:
    clock = Clock()
    outage = Outage(clock=clock)
    reports(outage, clock, seconds=40)

    outage.ended()
    clock.now += 500

    assert reports(outage, clock, seconds=40) == [0.0, EVERY]
