"""What the log of a resource has to tell of it, and whether it does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from mintline_client import AsyncMintline


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """The events of one resource in a log: these types, first told in this order.

    `reader` reads the log: its own, or that of `principal`. An event of a block may come again after a reorg;
    with `once` none comes again.
    """

    reader: AsyncMintline
    resource: str
    types: tuple[str, ...]
    once: bool = False
    principal: str | None = None

    def __str__(self) -> str:
        return f"{self.resource}: {', '.join(self.types)}"


async def is_logged(expected: Expected) -> bool:
    """Tell whether a log has what is expected; raises Refused or Unavailable if it cannot be read."""
    events = expected.reader.events.list(types=expected.types, principal=expected.principal)
    return matches([dict(event) async for event in events], expected)


def matches(log: Sequence[Mapping[str, Any]], expected: Expected) -> bool:
    """Tell whether the events of the resource in a log are what is expected."""
    events = [event for event in log if event["resource"]["id"] == expected.resource]
    types = [event["type"] for event in events]
    return (
        tuple(dict.fromkeys(types)) == expected.types
        and (not expected.once or len(types) == len(expected.types))
        and len({event["id"] for event in events}) == len(events)
        and all(earlier["sequence"] < later["sequence"] for earlier, later in pairwise(events))
    )
