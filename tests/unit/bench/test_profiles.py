"""What a profile leaves open, and what it refuses."""

from typing import Any

import pytest

from mintline.errors import Misconfigured
from mintline_bench.profiles import plan


@pytest.mark.parametrize(
    ("profile", "given", "expected"),
    [
        ("burst", {}, (1000, 50, None)),
        ("burst", {"mints": 20}, (20, 20, None)),
        ("warm", {"mints": 300, "users": 7}, (300, 7, None)),
        ("steady", {}, (600, 50, 20.0)),
        ("steady", {"rate": 100.0}, (3000, 50, 100.0)),
        ("steady", {"rate": 100.0, "mints": 10}, (10, 10, 100.0)),
        ("one-sender", {"mints": 30}, (30, 1, None)),
        ("new-users", {}, (200, 200, None)),
        ("drop", {"mints": 5}, (5, 5, None)),
    ],
)
def test_plan__when_something_is_left_open__then_the_profile_says_it(
    profile: str, given: dict[str, Any], expected: tuple[int, int, float | None]
) -> None:
    planned = plan(profile, **given)
    assert (planned.mints, planned.users, planned.rate) == expected


@pytest.mark.parametrize(
    ("profile", "given"),
    [
        ("burst", {"rate": 20.0}),
        ("one-sender", {"users": 3}),
        ("new-users", {"users": 3}),
        ("sponsored", {"users": 3}),
        ("idle", {"users": 3}),
        ("idle", {"mints": 3}),
    ],
)
def test_plan__when_the_profile_has_no_such_thing__then_it_is_refused(
    profile: str, given: dict[str, Any]
) -> None:
    with pytest.raises(Misconfigured, match=f"the profile {profile} has no"):
        plan(profile, **given)
