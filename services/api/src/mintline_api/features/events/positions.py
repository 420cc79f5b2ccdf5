"""Positions of event logs that requests name."""

from __future__ import annotations

from typing import Protocol

from mintline.events import START
from mintline_api.http.problems import INVALID_PARAMETER, Fault, ProblemType, RequestRefused

BEYOND = "expected a position that this log has given"


class LogEnds(Protocol):
    """Where event logs end."""

    async def tail(self, principal: str) -> str:
        """Return the position of the latest event of a principal's log."""
        ...


async def check_within(
    log: LogEnds,
    principal: str,
    position: str,
    fault: Fault,
    *,
    problem: ProblemType = INVALID_PARAMETER,
) -> None:
    """Refuse a position behind a log's end, where what happens from now on would never be read.

    A log that is empty, or whose events have all expired, has no end to compare with.
    """
    end = await log.tail(principal)
    if end != START and position > end:
        detail = f"The log ends at {end}: continue there, or read it from its beginning, without a position."
        raise RequestRefused(problem, detail, faults=[fault])
