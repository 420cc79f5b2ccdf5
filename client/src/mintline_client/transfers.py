"""Transfers and burns of tokens in the caller's wallet in custody."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any

from mintline.errors import Unavailable
from mintline.states import TERMINAL, MintStatus
from mintline_client.api import Api
from mintline_client.models import BurnOperationView, BurnRequest, TransferOperationView, TransferRequest
from mintline_client.waiting import PATIENCE, failure

TRANSFERS = "/v1/transfers"
BURNS = "/v1/burns"
POLL_SECONDS = 0.25


class Transfers:
    """The caller's transfers. Calls raise Refused for what the API refuses, and Unavailable."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def create(
        self, request: TransferRequest, *, idempotency_key: str | None = None
    ) -> TransferOperationView:
        """Ask for a transfer; the same idempotency key is the same transfer."""
        transfer: TransferOperationView = await self._api.post(
            TRANSFERS, request, idempotency_key=idempotency_key
        )
        return transfer

    async def get(self, transfer_id: str) -> TransferOperationView:
        """Return a transfer."""
        transfer: TransferOperationView = await self._api.get(f"{TRANSFERS}/{transfer_id}")
        return transfer

    async def wait(
        self, transfer: TransferOperationView, *, patience: float = PATIENCE
    ) -> TransferOperationView:
        """Follow a transfer until it is final; raises Rejected if it fails, Unavailable after `patience`."""
        ended: TransferOperationView = await _final(
            self._api, f"{TRANSFERS}/{transfer['transfer_id']}", patience
        )
        return ended

    async def cancel(self, transfer_id: str) -> TransferOperationView:
        """End a transfer that is not on chain yet."""
        transfer: TransferOperationView = await self._api.post(f"{TRANSFERS}/{transfer_id}/cancel")
        return transfer


class Burns:
    """The caller's burns. Calls raise Refused for what the API refuses, and Unavailable."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def create(self, request: BurnRequest, *, idempotency_key: str | None = None) -> BurnOperationView:
        """Ask for a burn; the same idempotency key is the same burn."""
        burn: BurnOperationView = await self._api.post(BURNS, request, idempotency_key=idempotency_key)
        return burn

    async def get(self, burn_id: str) -> BurnOperationView:
        """Return a burn."""
        burn: BurnOperationView = await self._api.get(f"{BURNS}/{burn_id}")
        return burn

    async def wait(self, burn: BurnOperationView, *, patience: float = PATIENCE) -> BurnOperationView:
        """Follow a burn until it is final; raises Rejected if it fails, Unavailable after `patience`."""
        ended: BurnOperationView = await _final(self._api, f"{BURNS}/{burn['burn_id']}", patience)
        return ended

    async def cancel(self, burn_id: str) -> BurnOperationView:
        """End a burn that is not on chain yet."""
        burn: BurnOperationView = await self._api.post(f"{BURNS}/{burn_id}/cancel")
        return burn


async def _final(api: Api, path: str, patience: float) -> Any:
    deadline = time.monotonic() + patience
    while True:
        current: Mapping[str, Any] = await api.get(path)
        status = MintStatus(current["status"])
        if status is MintStatus.FINALIZED:
            return current
        if status in TERMINAL:
            raise failure(current)
        if time.monotonic() > deadline:
            raise Unavailable(f"{path} is still {status.value} after {patience:.0f} s")
        await asyncio.sleep(POLL_SECONDS)
