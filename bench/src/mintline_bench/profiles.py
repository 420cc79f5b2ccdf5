"""The loads that can be measured, and what one of them is run with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from mintline.errors import Misconfigured

Shape: TypeAlias = Literal["custodial", "lone", "bulk", "drop", "idle"]
"""How mints are posted: by their users; by a machine client, one or many in a request, or as a drop; not."""

MINTS = 1000
USERS = 50
RATE = 20.0
STEADY_SECONDS = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """A kind of load.

    `warm`: each user has minted once before anything is measured, so that it has a wallet with ether in it,
    and caches know it. `open_loop`: mints are posted at a rate, whether or not those before were accepted.
    """

    about: str
    shape: Shape = "custodial"
    mints: int = MINTS
    users: int | None = USERS
    """None: as many as mints."""
    warm: bool = False
    open_loop: bool = False


PROFILES: Mapping[str, Profile] = {
    "burst": Profile(about="as fast as they are accepted, by users who are new"),
    "warm": Profile(about="as fast as they are accepted, by users who have minted before", warm=True),
    "steady": Profile(
        about="at a fixed rate, accepted or not, by users who have minted before", warm=True, open_loop=True
    ),
    "one-sender": Profile(about="as fast as they are accepted, all by one user", users=1, warm=True),
    "new-users": Profile(about="each by a user who is new", mints=200, users=None),
    "sponsored": Profile(about="by a machine client, 250 in a request, to new addresses", shape="bulk"),
    "sponsored-lone": Profile(about="by a machine client, one in a request, to new addresses", shape="lone"),
    "drop": Profile(about="one drop of a machine client, to new addresses", shape="drop"),
    "idle": Profile(about="nothing for a minute: what the pipeline does by itself", shape="idle"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One measurement: the load, and how often. `rate` is in mints a second."""

    profile: str = "burst"
    mints: int = MINTS
    users: int = USERS
    rate: float | None = None
    runs: int = 1
    report: Path | None = None
    """A file that gets all figures as JSON."""

    @property
    def load(self) -> Profile:
        """Return the kind of load."""
        return PROFILES[self.profile]


def plan(
    profile: str,
    *,
    mints: int | None = None,
    users: int | None = None,
    rate: float | None = None,
    runs: int = 1,
    report: Path | None = None,
) -> Plan:
    """Return a plan in which the profile says what was left open.

    Raises Misconfigured for what the profile does not have: a rate, or a number of users of its own.
    """
    load = PROFILES[profile]
    if load.shape == "idle" and mints is not None:
        raise Misconfigured("the profile idle has no mints: leave their number out")
    if rate is not None and not load.open_loop:
        raise Misconfigured(f"the profile {profile} has no rate: leave it out, or take the profile steady")
    if users is not None and (load.shape != "custodial" or load.users != USERS):
        raise Misconfigured(f"the profile {profile} has no number of users: leave it out")
    if load.open_loop:
        rate = RATE if rate is None else rate
        mints = max(1, round(rate * STEADY_SECONDS)) if mints is None else mints
    count = load.mints if mints is None else mints
    by = users or load.users or count
    return Plan(profile=profile, mints=count, users=min(by, count), rate=rate, runs=runs, report=report)
