"""A machine client's collections: made and changed through the API, and waited for."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from typing import Any

from mintline.errors import Unavailable
from mintline.states import TERMINAL, MintStatus
from mintline_client.api import Api
from mintline_client.models import (
    CollectionRequest,
    CollectionView,
    DocumentsRequest,
    DocumentsView,
    HolderView,
    ListedTransfer,
    TokenSummary,
)
from mintline_client.waiting import PATIENCE, failure

PATH = "/v1/collections"
POLL_SECONDS = 0.25
_MINED = (MintStatus.MINED, MintStatus.FINALIZED)


class Collections:
    """A machine client's collections. Calls raise Refused for what the API refuses, and Unavailable."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def create(
        self, request: CollectionRequest, *, idempotency_key: str | None = None
    ) -> CollectionView:
        """Have a collection deployed; the same idempotency key is the same collection."""
        created: CollectionView = await self._api.post(PATH, request, idempotency_key=idempotency_key)
        return created

    def list(self) -> AsyncIterator[CollectionView]:
        """Return the client's collections, newest first."""
        return self._api.pages(PATH)

    async def get(self, contract: str) -> CollectionView:
        """Return one collection."""
        collection: CollectionView = await self._api.get(f"{PATH}/{contract}")
        return collection

    async def change(self, contract: str, **member: Any) -> CollectionView:
        """Have a collection changed: `paused=…`, `royalties=…` or `metadata=…`."""
        changed: CollectionView = await self._api.patch(f"{PATH}/{contract}", member)
        return changed

    async def freeze(self, contract: str) -> CollectionView:
        """Have a collection's metadata made permanent."""
        frozen: CollectionView = await self._api.post(f"{PATH}/{contract}/freeze", {})
        return frozen

    async def keep_documents(self, contract: str, request: DocumentsRequest) -> DocumentsView:
        """Hand over texts that are to be revealed, each with its path."""
        kept: DocumentsView = await self._api.post(f"{PATH}/{contract}/reveal/documents", request)
        return kept

    async def reveal(self, contract: str, salt: str, *, idempotency_key: str | None = None) -> CollectionView:
        """Have the texts that were handed over served in the place of the placeholders."""
        revealed: CollectionView = await self._api.post(
            f"{PATH}/{contract}/reveal", {"salt": salt}, idempotency_key=idempotency_key
        )
        return revealed

    async def revealed_documents(self, contract: str, first_token_id: int) -> DocumentsView:
        """Return the texts of the chunk that begins with a token, of a collection that was revealed."""
        shown: DocumentsView = await self._api.get(
            f"{PATH}/{contract}/reveal/documents", {"first_token_id": first_token_id}
        )
        return shown

    async def import_contract(self, contract: str, *, from_block: int) -> CollectionView:
        """Have a contract indexed that others deployed, from a block on."""
        imported: CollectionView = await self._api.post(
            f"{PATH}/import", {"contract": contract, "from_block": from_block}
        )
        return imported

    def tokens(self, contract: str) -> AsyncIterator[TokenSummary]:
        """Return the tokens of any collection that the deployment knows."""
        return self._api.pages(f"{PATH}/{contract}/tokens")

    def holders(self, contract: str) -> AsyncIterator[HolderView]:
        """Return everybody who owns tokens of a collection, with their number, in a fixed order."""
        return self._api.pages(f"{PATH}/{contract}/holders")

    def transfers(
        self,
        contract: str,
        *,
        from_block: int | None = None,
        to_block: int | None = None,
        from_time: str | None = None,
        to_time: str | None = None,
    ) -> AsyncIterator[ListedTransfer]:
        """Return the transfers, mints and burns of a collection's tokens, newest first.

        Blocks and times (RFC 3339, of the blocks) are both included.
        """
        within = {"from_block": from_block, "to_block": to_block, "from_time": from_time, "to_time": to_time}
        return self._api.pages(f"{PATH}/{contract}/transfers", within)

    async def wait(self, collection: Mapping[str, Any], *, patience: float = PATIENCE) -> CollectionView:
        """Follow what is under way until it is mined, and return the collection.

        Raises Rejected if it fails, and Unavailable after `patience` seconds.
        """
        deadline = time.monotonic() + patience
        while True:
            current = await self.get(collection["contract"])
            operation = current["change"] or current["deployment"]
            status = None if operation is None else operation["status"]
            if operation is None or status in _MINED:
                return current
            if status in TERMINAL:
                raise failure(operation)
            if time.monotonic() > deadline:
                raise Unavailable(f"{operation['operation_id']} is still {status} after {patience:.0f} s")
            await asyncio.sleep(POLL_SECONDS)
