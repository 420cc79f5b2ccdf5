"""Which schedules have what, by their seed: so a schedule stays what it was when a new kind of load comes."""

from __future__ import annotations

SPONSORING_OF = 11
SPONSORING = (3, 4, 5, 7, 10)
"""Which schedules, of so many, have sponsored mints, transfers and burns."""
RELAYING_OF = 22
RELAYING = (14, 15, 16, 21)
"""In which of those, of so many, the holder's signature moves a token, and a relayer sends it."""
REQUESTING = (4, 10)
"""Which of those, of so many, have requests for many mints as well."""
ITEMS_OF, WITH_ITEMS = 9, 2
"""Which schedules, of so many, have an ERC-1155 collection as well."""
FORGING = (False, False, True, False, False)
"""Whether somebody writes made-up messages in a schedule: by its seed, so that others stay what they were."""


def sponsors(seed: int) -> bool:
    """Tell whether a schedule has sponsored mints, transfers and burns."""
    return seed % SPONSORING_OF in SPONSORING


def relays(seed: int) -> bool:
    """Tell whether the holder's signature moves a token in a schedule, and a relayer sends it."""
    return seed % RELAYING_OF in RELAYING


def requests(seed: int) -> bool:
    """Tell whether a schedule has requests for many mints."""
    return seed % SPONSORING_OF in REQUESTING


def has_items(seed: int) -> bool:
    """Tell whether a schedule has an ERC-1155 collection as well."""
    return seed % ITEMS_OF == WITH_ITEMS


def forges(seed: int) -> bool:
    """Tell whether somebody writes made-up messages in a schedule."""
    return FORGING[seed % len(FORGING)]
