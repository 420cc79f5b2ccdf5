"""Events of tokens: transfers on chain, and new versions of their metadata."""

from __future__ import annotations

from mintline.aws.items import Item
from mintline.aws.records import from_item
from mintline.events import Event, Resource
from mintline.metadata_versions import MINTED_VERSION, MetadataVersion
from mintline.records.index import Token, Transfer
from mintline.records.keys import scoped, token_of, token_ref
from mintline.records.operations import Mint
from mintline.views.tokens import token_version_view
from mintline_notifier.deriving import ownership
from mintline_notifier.deriving.base import Fact, event_of
from mintline_notifier.records import Records


class TokenEvents:
    """Derives events of tokens from their transfers and from the versions of their metadata."""

    def __init__(self, records: Records, *, public_url: str) -> None:
        self._records = records
        self._public_url = public_url

    async def of_transfer(self, old: Item | None, new: Item) -> list[Event]:
        """Return what happened to a token, for everybody who has to do with it."""
        if old is not None and old.get("block_hash") == new.get("block_hash"):
            return []
        transfer = from_item(Transfer, new)
        if (fact := ownership.fact_of(transfer)) is None:
            return []
        ref = token_ref(transfer.chain_id, transfer.contract, transfer.token_id)
        readers = await self._minters(await self._records.token(ref))
        readers |= await self._holders(transfer.chain_id, transfer.sender, transfer.recipient)
        resource = Resource("token", f"{transfer.contract}/{transfer.token_id}")
        view = ownership.token_transfer_view(transfer)
        return [event_of(fact, resource, reader, view) for reader in readers]

    async def of_version(self, old: Item | None, new: Item) -> list[Event]:
        """Return that a token's metadata has another version, which is served from its record on."""
        if old is not None:
            return []
        version = from_item(MetadataVersion, new)
        if version.version == MINTED_VERSION:
            # Of an ERC-1155 item, which is minted with it: nothing was updated.
            return []
        chain_id, contract, token_id = token_of(version.token_ref)
        token = await self._records.token(version.token_ref)
        readers = {version.principal: None} | await self._minters(token)
        if token is not None:
            readers |= await self._holders(chain_id, token.owner)
        fact = Fact("token.metadata_updated", version.created_at, (version.token_ref, version.version))
        resource = Resource("token", f"{contract}/{token_id}")
        view = token_version_view(version, public_url=self._public_url)
        return [event_of(fact, resource, reader, view) for reader in readers]

    async def _minters(self, token: Token | None) -> dict[str, None]:
        """Return who asked for a token's mint, and the user whom it was minted for."""
        if token is not None and token.standard is not None:
            return await self._creator(token)
        if token is None or token.mint_id is None:
            return {}
        mint = (await self._records.operations([token.mint_id])).get(token.mint_id)
        return dict.fromkeys((mint.asked_by, mint.sub)) if isinstance(mint, Mint) else {}

    async def _creator(self, item: Token) -> dict[str, None]:
        """Return the client that deployed an item's collection: an item has many mints."""
        collection = await self._records.collection(scoped(item.chain_id, item.contract))
        return {} if collection is None or collection.clone is None else {collection.clone.principal: None}

    async def _holders(self, chain_id: int, *addresses: str | None) -> dict[str, None]:
        """Return the users who linked these addresses."""
        holders: dict[str, None] = {}
        for address in addresses:
            link = await self._records.link(scoped(chain_id, address)) if address else None
            if link is not None:
                holders[link.sub] = None
        return holders
