"""Mints: one by one or many in one request, and following them to their end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from mintline.errors import Unavailable
from mintline.states import TERMINAL, MintStatus
from mintline_client import bulk
from mintline_client.api import Api
from mintline_client.models import BulkView, LineRequest, MintRequest, MintView
from mintline_client.waiting import PATIENCE, failure

PATH = "/v1/mints"
STAGES = ("accepted", "built", "issued", "submitted", "mined", "finalized")
POLL_SECONDS = 0.1

Passed = Callable[[str, float], None]
"""Hears of every stage that a mint passes, with the seconds since it was accepted."""


class Mints:
    """The caller's mints. Calls raise Refused for what the API refuses, and Unavailable."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def create(self, request: MintRequest, *, idempotency_key: str | None = None) -> MintView:
        """Ask for a mint, and return it as accepted.

        The same idempotency key is the same mint; None: a new one, which this call's own tries share.
        """
        mint: MintView = await self._api.post(PATH, request, idempotency_key=idempotency_key)
        return mint

    async def create_many(
        self,
        mints: Sequence[LineRequest],
        *,
        contract: str | None = None,
        idempotency_key: str | None = None,
    ) -> BulkView:
        """Ask for 1 to 250 mints of one collection, all or none, as a machine client."""
        return await bulk.mint_many(self._api, mints, contract=contract, key=idempotency_key)

    async def get(self, mint_id: str) -> MintView:
        """Return a mint."""
        mint: MintView = await self._api.get(f"{PATH}/{mint_id}")
        return mint

    def list(
        self, *, status: str | None = None, tag: str | None = None, external_id: str | None = None
    ) -> AsyncIterator[MintView]:
        """Return the caller's mints, newest first, those of a status, a tag or an id of the caller's own."""
        return self._api.pages(PATH, {"status": status, "tag": tag, "external_id": external_id})

    async def wait(
        self, mint: MintView, *, passed: Passed = lambda _stage, _seconds: None, patience: float = PATIENCE
    ) -> MintView:
        """Follow a mint until it is finalized, and return it.

        Raises Rejected when it ends without a token, and Unavailable after `patience` seconds.
        """
        return await follow(self._api, mint, passed=passed, patience=patience)

    async def wait_many(
        self,
        request: BulkView,
        *,
        heard: bulk.Heard = lambda _request: None,
        patience: float = bulk.LONG_PATIENCE,
    ) -> BulkView:
        """Follow a request for many mints until all have ended, and return it; `statuses` says how."""
        return await bulk.follow_many(self._api, request, heard=heard, patience=patience)

    async def hand_over(self, mint_id: str, raw: str) -> MintView:
        """Hand over the transaction of a mint with self-custody, which the user's wallet has signed (hex)."""
        mint: MintView = await self._api.post(f"{PATH}/{mint_id}/transaction", {"raw": raw})
        return mint

    async def cancel(self, mint_id: str) -> MintView:
        """End a mint that is not on chain yet, or compete for its nonce; its later status says who won."""
        mint: MintView = await self._api.post(f"{PATH}/{mint_id}/cancel")
        return mint


async def follow(
    api: Api, mint: Mapping[str, Any], *, passed: Passed, patience: float = PATIENCE
) -> MintView:
    """Poll a mint until it is finalized and return it.

    Raises Rejected when it ends badly, Unavailable when it does not end in `patience` seconds.
    """
    deadline = time.monotonic() + patience
    shown: set[str] = set()
    while True:
        current: MintView = await api.get(f"{PATH}/{mint['mint_id']}")
        for stage, seconds in reached(current).items():
            if stage not in shown:
                shown.add(stage)
                passed(stage, seconds)
        status = MintStatus(current["status"])
        if status is MintStatus.FINALIZED:
            return current
        if status in TERMINAL:
            raise failure(current)
        if time.monotonic() > deadline:
            raise Unavailable(f"mint {mint['mint_id']} is still {status.value} after {patience:.0f} s")
        await asyncio.sleep(POLL_SECONDS)


def reached(mint: Mapping[str, Any]) -> dict[str, float]:
    """Return the stages that a mint has passed, in order, with the seconds from its acceptance to each."""
    timeline = mint["timeline"]
    times = {stage: timeline.get(f"{stage}_at") for stage in STAGES}
    stamps = {stage: datetime.fromisoformat(at).timestamp() for stage, at in times.items() if at}
    return {stage: at - stamps["accepted"] for stage, at in stamps.items()}
