"""The API's index and metadata in memory."""

from __future__ import annotations

from hashlib import sha256

from mintline.errors import Unavailable
from mintline.metadata_versions import MetadataVersion, version_object_key
from mintline.object_keys import metadata_object_key
from mintline.packs import Pack, PackIndex
from mintline.query_keys import AFTER_KEY, holder_key, holder_shard, owned_key, transfer_query_keys
from mintline.records.collections import Collection, RegisteredContract
from mintline.records.index import Checkpoint, Token, Transfer
from mintline.records.keys import position, scoped, token_ref
from mintline.reveals import reveal_partition
from mintline_api.features.pages import Page
from mintline_api.features.queries.ports import HoldersPart, OwnersPart, Partition, TransfersPart
from mintline_api.features.tokens.ports import EVERY_BLOCK, BlockRange, CollectionPage, CountedToken
from mintline_testkit.api.pages import page_of
from mintline_testkit.constants import CHAIN_ID, CONTRACT
from mintline_testkit.user_pool import START


class MemoryVersions:
    """Versions of tokens' metadata in lists."""

    def __init__(self) -> None:
        self.of: dict[str, list[MetadataVersion]] = {}

    def add(self, version: MetadataVersion) -> bool:
        """Add a version unless the token has it; return whether it was added."""
        kept = self.of.setdefault(version.token_ref, [])
        if any(kept_version.version == version.version for kept_version in kept):
            return False
        kept.append(version)
        return True

    async def begin(self, version: MetadataVersion) -> bool:
        """Add an item's first version unless it has one; return whether it was added."""
        return self.add(version)

    async def latest(self, contract: str, token_id: int) -> MetadataVersion | None:
        return next(iter(await self.versions(contract, token_id)), None)

    async def versions(self, contract: str, token_id: int) -> list[MetadataVersion]:
        kept = self.of.get(token_ref(CHAIN_ID, contract, token_id), [])
        return sorted(kept, key=lambda version: version.version, reverse=True)


class MemoryIndex:
    """The index in lists, to be filled by the test."""

    def __init__(self) -> None:
        self.collections: dict[str, RegisteredContract] = {}
        self.head: Checkpoint | None = None
        self.tokens: dict[tuple[str, int], Token] = {}
        self.balances: dict[tuple[str, int, str | None], int] = {}
        """How much of an item each holder has, and its supply under None."""
        self.events: list[Transfer] = []
        self.versions = MemoryVersions()

    def hold_collection(self) -> None:
        """Hold the default collection, indexed up to block 44 a second before the tests' clock starts."""
        self.collections[CONTRACT] = Collection(
            collection_id=scoped(CHAIN_ID, CONTRACT),
            chain_id=CHAIN_ID,
            contract=CONTRACT,
            name="Aurora",
            symbol="AUR",
            deployed_block=1,
            sponsored=True,
            next_token_id=1,
        )
        self.head = Checkpoint(
            chain=str(CHAIN_ID),
            head_number=44,
            head_hash=bytes(32),
            head_timestamp=int(START) - 1,
            finalized_number=40,
            updated_at=int(START) * 1000,
        )

    async def collection(self, contract: str) -> RegisteredContract | None:
        """Return a collection."""
        return self.collections.get(contract)

    async def checkpoint(self) -> Checkpoint | None:
        """Return the checkpoint."""
        return self.head

    async def token(self, contract: str, token_id: int) -> Token | None:
        return self.tokens.get((contract, token_id))

    async def highest_token_id(self, contract: str, ids: range) -> int | None:
        """Return the highest of `ids` that was minted."""
        minted = (
            token_id
            for (of, token_id), token in self.tokens.items()
            if of == contract and token_id in ids and token.standard != "erc1155"
        )
        return max(minted, default=None)

    async def tokens_of(
        self, owner: str, *, contract: str | None, limit: int, after: str | None
    ) -> Page[CountedToken]:
        mine = [CountedToken(t) for t in self.tokens.values() if t.owner == owner]
        held = [key for key, quantity in self.balances.items() if key[2] == owner and quantity]
        mine += [self._item(*key) for key in held]
        keyed = [
            (owned_key(counted.token.contract, counted.token.token_id), counted)
            for counted in mine
            if contract in (None, counted.token.contract)
        ]
        return page_of(
            sorted(keyed, key=lambda entry: entry[0]), limit=limit, after=after, newest_first=False
        )

    def _item(self, contract: str, token_id: int, holder: str | None) -> CountedToken:
        quantity = None if holder is None else self.balances[contract, token_id, holder]
        supply = self.balances.get((contract, token_id, None), 0)
        return CountedToken(self.tokens[contract, token_id], supply, quantity)

    async def balance(self, owner: str, contract: str, *, most: int, items: bool = False) -> tuple[int, bool]:
        """Count an owner's tokens, or items, of a collection."""
        count = sum(t.owner == owner and t.contract == contract for t in self.tokens.values())
        if items:
            count = sum(n > 0 and (c, who) == (contract, owner) for (c, _, who), n in self.balances.items())
        return min(count, most), count >= most

    async def held(self, contract: str, token_id: int, holder: str | None) -> int:
        """Return how much of an item an address has, or its supply."""
        return self.balances.get((contract, token_id, holder), 0)

    async def items_in(self, contract: str, *, limit: int, after: int | None) -> CollectionPage:
        """Return a collection's items by id."""
        ids = sorted(token_id for c, token_id, who in self.balances if c == contract and who is None)
        rest = [token_id for token_id in ids if after is None or token_id > after]
        page = tuple(self._item(contract, token_id, None) for token_id in rest[:limit])
        return CollectionPage(page, rest[limit - 1] if len(rest) > limit else None)

    async def tokens_in(self, contract: str, *, limit: int, after: int | None) -> CollectionPage:
        of_it = sorted((t for t in self.tokens.values() if t.contract == contract), key=lambda t: t.token_id)
        rest = [t for t in of_it if after is None or t.token_id > after]
        page = rest[:limit]
        more = page[-1].token_id if len(rest) > limit else None
        return CollectionPage(tuple(map(CountedToken, page)), more)

    async def transfers(
        self,
        contract: str,
        token_id: int,
        *,
        limit: int,
        after: str | None,
        blocks: BlockRange = EVERY_BLOCK,
    ) -> Page[Transfer]:
        events = [
            (position(e.block_number, e.log_index), e)
            for e in self.events
            if (e.contract, e.token_id) == (contract, token_id)
            and blocks.first <= e.block_number <= blocks.last
        ]
        return page_of(events, limit=limit, after=after, newest_first=True)

    async def owners_in(
        self, contract: str, shard: int, *, items: bool, after: str, limit: int
    ) -> OwnersPart:
        """Return the owners of a collection's tokens, or items, in one shard."""
        held = [(t.contract, t.token_id, t.owner) for t in self.tokens.values()]
        if items:
            held = [key for key, quantity in self.balances.items() if quantity]
        keys = sorted(
            holder_key(owner, token_id)
            for of, token_id, owner in held
            if of == contract and owner is not None and holder_shard(owner) == shard
        )
        rest = [key for key in keys if key >= after]
        page = rest[:limit]
        owners = tuple(key.partition("#")[0] for key in page)
        return OwnersPart(owners, page[-1] + AFTER_KEY if len(rest) > limit else None)

    async def holders_in(
        self, contract: str, token_id: int, shard: int, *, after: str | None, limit: int
    ) -> HoldersPart:
        rest = sorted(
            (owner, quantity)
            for (of, item, owner), quantity in self.balances.items()
            if (of, item) == (contract, token_id) and owner is not None and quantity
            if holder_shard(owner) == shard and (after is None or owner > after)
        )
        return HoldersPart(tuple(rest[:limit]), rest[limit - 1][0] if len(rest) > limit else None)

    async def transfers_in(self, partition: Partition, *, first: str, last: str, limit: int) -> TransfersPart:
        """Return a partition's transfers, newest first."""
        name = {"by_contract": "contract_shard", "by_sender": "sender_id", "by_recipient": "recipient_id"}
        events = []
        for event in self.events:
            keys = transfer_query_keys(event)
            if keys.get(name[partition.index]) == partition.key and first <= keys["moment"] <= last:
                events.append((keys["moment"], event))
        events.sort(key=lambda entry: entry[0], reverse=True)
        page = tuple(events[:limit])
        return TransfersPart(page, page[-1][0] if len(events) > limit else None)


class MemoryMetadata:
    """Objects in a dict."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.packs: dict[tuple[str, str], PackIndex] = {}

    async def read(self, key: str) -> bytes | None:
        """Return an object."""
        return self.objects.get(key)

    async def read_token(self, contract: str, token_id: int) -> bytes | None:
        """Return a token's own object, or its part of a pack."""
        packed = self._packed(scoped(CHAIN_ID, contract), token_id)
        return packed or self.objects.get(metadata_object_key(CHAIN_ID, contract, token_id))

    async def find_token(self, contract: str, token_id: int, digest: bytes) -> bytes | None:
        """Return a token's text with that SHA-256, of any pack or of its own object."""
        texts = [
            self.objects[pack.object_key][slice(*span)]
            for pack in self.packs.values()
            if pack.collection_id == scoped(CHAIN_ID, contract) and (span := pack.span_of(token_id))
        ]
        own = self.objects.get(metadata_object_key(CHAIN_ID, contract, token_id))
        texts += [] if own is None else [own]
        return next((text for text in texts if sha256(text).digest() == digest), None)

    async def read_revealed(self, contract: str, token_id: int) -> bytes | None:
        return self._packed(reveal_partition(scoped(CHAIN_ID, contract)), token_id)

    async def revealed_packs(self, contract: str) -> list[PackIndex]:
        """Return a collection's packs of revealed texts."""
        partition = reveal_partition(scoped(CHAIN_ID, contract))
        return [pack for (of, _), pack in sorted(self.packs.items()) if of == partition]

    def _packed(self, partition: str, token_id: int) -> bytes | None:
        before = [
            pack
            for pack in self.packs.values()
            if pack.collection_id == partition and pack.first_token_id <= token_id
        ]
        last = max(before, key=lambda pack: pack.first_token_id, default=None)
        span = None if last is None else last.span_of(token_id)
        return None if last is None or span is None else self.objects[last.object_key][slice(*span)]

    async def read_version(self, contract: str, token_id: int, digest: bytes) -> bytes | None:
        """Return a version's object."""
        return self.objects.get(version_object_key(CHAIN_ID, contract, token_id, digest))

    async def put(self, pack: Pack) -> None:
        if self.objects.setdefault(pack.index.object_key, pack.body) != pack.body:
            raise Unavailable("other bytes are stored")

    async def announce(self, index: PackIndex) -> None:
        if self.packs.setdefault((index.collection_id, index.first_token), index) != index:
            raise Unavailable("another pack is on record for these tokens")

    async def publish(self, key: str, body: bytes) -> None:
        """Store an object, once."""
        self.objects.setdefault(key, body)
