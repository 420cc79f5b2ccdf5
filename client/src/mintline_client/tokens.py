"""What the index says: tokens, their owners and transfers, and their receipts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Literal

from mintline_client.api import Api
from mintline_client.models import (
    BalanceView,
    HoldsView,
    ItemHolderView,
    ListedTransfer,
    MetadataRequest,
    MetadataVersionView,
    MintReceipt,
    TokenSummary,
    TokenView,
    TransferView,
)


class Tokens:
    """Tokens and owners. Calls raise Refused for what the API refuses, and Unavailable."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def get(self, contract: str, token_id: int | str) -> TokenView:
        """Return a token."""
        token: TokenView = await self._api.get(f"/v1/tokens/{contract}/{token_id}")
        return token

    async def change(
        self,
        contract: str,
        token_id: int | str,
        metadata: MetadataRequest,
        *,
        idempotency_key: str | None = None,
    ) -> MetadataVersionView:
        """Replace a token's metadata, as the machine client whose collection it is in."""
        changed: MetadataVersionView = await self._api.patch(
            f"/v1/tokens/{contract}/{token_id}", {"metadata": metadata}, idempotency_key=idempotency_key
        )
        return changed

    async def versions(self, contract: str, token_id: int | str) -> list[MetadataVersionView]:
        """Return the versions of a token's metadata, newest first."""
        response = await self._api.get(f"/v1/tokens/{contract}/{token_id}/metadata/versions")
        versions: list[MetadataVersionView] = response["items"]
        return versions

    async def version(self, contract: str, token_id: int | str, version: int) -> bytes:
        """Return the exact text of a version of a token's metadata."""
        return await self._api.get_bytes(f"/v1/tokens/{contract}/{token_id}/metadata/versions/{version}")

    def transfers(
        self,
        contract: str,
        token_id: int | str,
        *,
        from_block: int | None = None,
        to_block: int | None = None,
    ) -> AsyncIterator[TransferView]:
        """Return a token's transfers, those in a range of blocks if one is given."""
        blocks = {"from_block": from_block, "to_block": to_block}
        return self._api.pages(f"/v1/tokens/{contract}/{token_id}/transfers", blocks)

    async def proof(self, contract: str, token_id: int | str, *, mint: str | None = None) -> MintReceipt:
        """Return the receipt that proves a token's mint to anyone with a node.

        In an ERC-1155 collection `mint` is the id of a mint of the item.
        """
        receipt: MintReceipt = await self._api.get(f"/v1/tokens/{contract}/{token_id}/proof", {"mint": mint})
        return receipt

    def owned_by(self, address: str, *, contract: str | None = None) -> AsyncIterator[TokenSummary]:
        """Return the tokens of an address, those of a collection if one is given."""
        return self._api.pages(f"/v1/owners/{address}/tokens", {"contract": contract})

    def moved_by(
        self,
        address: str,
        *,
        contract: str | None = None,
        direction: Literal["in", "out"] | None = None,
        from_block: int | None = None,
        to_block: int | None = None,
        from_time: str | None = None,
        to_time: str | None = None,
    ) -> AsyncIterator[ListedTransfer]:
        """Return the transfers, mints and burns by which an address got or gave a token, newest first.

        Blocks and times (RFC 3339, of the blocks) are both included.
        """
        query = {
            "contract": contract,
            "direction": direction,
            "from_block": from_block,
            "to_block": to_block,
            "from_time": from_time,
            "to_time": to_time,
        }
        return self._api.pages(f"/v1/owners/{address}/transfers", query)

    async def balance(self, address: str, contract: str, token_id: int | str | None = None) -> BalanceView:
        """Return how many tokens of a collection an address owns, of a certain one if `token_id` is given."""
        query = {"contract": contract, "token_id": token_id}
        balance: BalanceView = await self._api.get(f"/v1/owners/{address}/balance", query)
        return balance

    def holders(self, contract: str, token_id: int | str) -> AsyncIterator[ItemHolderView]:
        """Return who has some of an ERC-1155 token, and how many; of an ERC-721 token its owner."""
        return self._api.pages(f"/v1/tokens/{contract}/{token_id}/holders", {})

    async def holds(self, address: str, contract: str, token_id: int | str | None = None) -> HoldsView:
        """Return whether an address owns a token of a collection, a certain one if `token_id` is given."""
        query = {"contract": contract, "token_id": token_id}
        held: HoldsView = await self._api.get(f"/v1/owners/{address}/holds", query)
        return held
