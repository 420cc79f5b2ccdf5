"""A machine client's collections: made and changed through the API, and waited for."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Mapping
from typing import Any

from mintline.errors import Rejected, Unavailable
from mintline.states import TERMINAL, MintStatus
from mintline_client.api import Api

PATH = "/v1/collections"
POLL_SECONDS = 0.25
PATIENCE = 120.0
"""Seconds within which a transaction is mined on the local chain, or something is wrong."""
_MINED = (MintStatus.MINED, MintStatus.FINALIZED)


class Collections:
    """The collections of one machine client; all raise Rejected or Unavailable, as `Api` does."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def create(self, body: Mapping[str, Any], *, key: str | None = None) -> dict[str, Any]:
        """Have a collection deployed; `key` is its idempotency key, a new one if None."""
        created: dict[str, Any] = await self._api.post(PATH, body, idempotency_key=key or str(uuid.uuid4()))
        return created

    async def every(self) -> list[dict[str, Any]]:
        """Return all of the client's collections, newest first."""
        items: list[dict[str, Any]] = []
        cursor = ""
        while True:
            page = await self._api.get(f"{PATH}?limit=100" + (f"&cursor={cursor}" if cursor else ""))
            items += page["items"]
            cursor = page["next_cursor"]
            if not cursor:
                return items

    async def get(self, contract: str) -> dict[str, Any]:
        """Return one collection."""
        collection: dict[str, Any] = await self._api.get(f"{PATH}/{contract}")
        return collection

    async def change(self, contract: str, **member: Any) -> dict[str, Any]:
        """Have a collection changed: `paused=…`, `royalties=…` or `metadata=…`."""
        changed: dict[str, Any] = await self._api.patch(
            f"{PATH}/{contract}", member, idempotency_key=str(uuid.uuid4())
        )
        return changed

    async def freeze(self, contract: str) -> dict[str, Any]:
        """Have a collection's metadata made permanent."""
        frozen: dict[str, Any] = await self._api.post(
            f"{PATH}/{contract}/freeze", {}, idempotency_key=str(uuid.uuid4())
        )
        return frozen

    async def import_contract(self, contract: str, *, from_block: int) -> dict[str, Any]:
        """Have a contract indexed that others deployed, from a block on."""
        imported: dict[str, Any] = await self._api.post(
            f"{PATH}/import",
            {"contract": contract, "from_block": from_block},
            idempotency_key=str(uuid.uuid4()),
        )
        return imported

    async def settled(self, collection: Mapping[str, Any]) -> dict[str, Any]:
        """Wait until what is under way is mined, and return the collection; raises Rejected if it fails."""
        deadline = time.monotonic() + PATIENCE
        while True:
            current = await self.get(collection["contract"])
            operation = current["change"] or current["deployment"]
            status = None if operation is None else operation["status"]
            if status is None or status in _MINED:
                return current
            if status in TERMINAL:
                problem = operation["problem"] or {"code": status, "reason": "no reason given"}
                raise Rejected(problem["code"], problem["reason"])
            if time.monotonic() > deadline:
                raise Unavailable(f"{operation['operation_id']} is still {status} after {PATIENCE:.0f} s")
            await asyncio.sleep(POLL_SECONDS)
