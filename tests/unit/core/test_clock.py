from __future__ import annotations

import time

from mintline.clock import UnixSeconds, monotonic, to_ms, unix_ms, unix_seconds


def test_clocks__when_read__then_tell_the_same_moment_in_their_units() -> None:
    before = time.time()
    read = (unix_ms() / 1000, unix_seconds())
    after = time.time()
    assert all(before - 0.001 <= moment <= after for moment in read)


def test_monotonic__when_read_twice__then_never_goes_back() -> None:
    assert monotonic() <= monotonic()


def test_to_ms__when_between_two_milliseconds__then_rounds_down() -> None:
    assert to_ms(UnixSeconds(1_700_000_000.0019)) == 1_700_000_000_001
