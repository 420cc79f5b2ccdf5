"""Mint through the API and follow the mint, as any client would."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from mintline.errors import Rejected, Unavailable
from mintline.states import TERMINAL, MintStatus
from mintline_client.api import Api

STAGES = ("accepted", "built", "issued", "submitted", "mined", "finalized")
POLL_SECONDS = 0.1
PATIENCE = 120.0
"""Seconds within which a mint on the local chain is finalized, or something is wrong."""

Passed = Callable[[str, float], None]
"""Hears of every stage that a mint passes, with the seconds since it was accepted."""


async def follow(api: Api, mint: Mapping[str, Any], *, passed: Passed) -> dict[str, Any]:
    """Poll a mint until it is finalized and return it.

    Raises Rejected when it ends badly, Unavailable when it does not end in time.
    """
    deadline = time.monotonic() + PATIENCE
    shown: set[str] = set()
    while True:
        current: dict[str, Any] = await api.get(f"/v1/mints/{mint['mint_id']}")
        for stage, seconds in reached(current).items():
            if stage not in shown:
                shown.add(stage)
                passed(stage, seconds)
        status = MintStatus(current["status"])
        if status is MintStatus.FINALIZED:
            return current
        if status in TERMINAL:
            problem = current["problem"] or {"code": status.value, "reason": "no reason given"}
            raise Rejected(problem["code"], problem["reason"])
        if time.monotonic() > deadline:
            raise Unavailable(
                f"mint {mint['mint_id']} is still {status.value} after {PATIENCE:.0f} s; see the logs"
            )
        await asyncio.sleep(POLL_SECONDS)


def reached(mint: Mapping[str, Any]) -> dict[str, float]:
    """Return the stages that a mint has passed, in order, with the seconds from its acceptance to each."""
    timeline = mint["timeline"]
    times = {stage: timeline.get(f"{stage}_at") for stage in STAGES}
    stamps = {stage: datetime.fromisoformat(at).timestamp() for stage, at in times.items() if at}
    return {stage: at - stamps["accepted"] for stage, at in stamps.items()}
