"""The metadata of an item: the first mint that is accepted fixes it, and later mints have the same.

::

    text (S3, under its digest) ──▶ version 1 (the lock) ──▶ mint
                 1                          2                 3

What a process leaves behind that dies before the second write, nobody reads. From then on the item's metadata
is served, also if no mint follows.
"""

from __future__ import annotations

from dataclasses import dataclass

from mintline.canonical_json import digest_of
from mintline.errors import Unavailable
from mintline.metadata_versions import MINTED_VERSION, MetadataVersion, version_object_key
from mintline.records.collections import RegisteredContract
from mintline.records.keys import token_ref
from mintline_api.features.items.ports import ItemTexts, ItemVersions
from mintline_api.features.items.problems import ITEM_METADATA_DIFFERS, WRONG_STANDARD
from mintline_api.http.problems import Fault, RequestRefused


@dataclass(frozen=True, slots=True)
class Item:
    """How many tokens of which item are minted."""

    item_id: int
    quantity: int


def item_fields(item: Item | None) -> dict[str, int]:
    """Return the fields of a mint's record that say what it is of; none in an ERC-721 collection."""
    return {} if item is None else {"item_id": item.item_id, "quantity": item.quantity}


@dataclass(frozen=True, slots=True, kw_only=True)
class Items:
    """The items of one chain's collections."""

    chain_id: int
    versions: ItemVersions
    texts: ItemTexts

    async def check(
        self, contract: str, item: Item | None, text: str, *, pointer: str = "#/metadata"
    ) -> None:
        """Raise RequestRefused if the item has other metadata than `text`; does nothing else."""
        if item is None:
            return
        item_id = item.item_id
        latest = await self.versions.latest(contract, item_id)
        if latest is not None and latest.digest != digest_of(text):
            raise _differs(contract, item_id, pointer)

    async def begin(
        self, contract: str, item: Item | None, text: str, *, client_id: str, operation_id: str, now: int
    ) -> None:
        """Make sure that the item's metadata is `text`; raises RequestRefused if it is another.

        The first request fixes it. `operation_id` names the mint; `now` is in Unix milliseconds.
        """
        if item is None:
            return
        digest = await self.fix(
            contract, item.item_id, text, client_id=client_id, operation_id=operation_id, now=now
        )
        if digest != digest_of(text):
            raise _differs(contract, item.item_id, "#/metadata")

    async def digest(self, contract: str, item_id: int) -> bytes | None:
        """Return the SHA-256 of an item's metadata as it is now; None for an item that has none."""
        latest = await self.versions.latest(contract, item_id)
        return None if latest is None else latest.digest

    async def fix(
        self, contract: str, item_id: int, text: str, *, client_id: str, operation_id: str, now: int
    ) -> bytes:
        """Give an item its first metadata unless it has some; return the SHA-256 of what it has then.

        `operation_id` names the mint or the drop; `now` is in Unix milliseconds.
        """
        latest = await self.versions.latest(contract, item_id)
        if latest is None:
            digest = digest_of(text)
            key = version_object_key(self.chain_id, contract, item_id, digest)
            await self.texts.publish(key, text.encode())
            first = MetadataVersion(
                token_ref=token_ref(self.chain_id, contract, item_id),
                version=MINTED_VERSION,
                digest=digest,
                principal=client_id,
                operation_id=operation_id,
                created_at=now,
            )
            if await self.versions.begin(first):
                return digest
            latest = await self.versions.latest(contract, item_id)
            if latest is None:
                raise Unavailable("an item's metadata was written by another, and is not there")
        return latest.digest


def asked_item(
    collection: RegisteredContract, token_id: int | None, quantity: int | None, *, at: str = "#"
) -> Item | None:
    """Return the item that a mint names, None in an ERC-721 collection.

    Raises RequestRefused if it names one there, or none in an ERC-1155 collection. `at` is where the mint is
    in its request, as a JSON pointer.
    """
    contract = collection.contract
    if collection.standard == "erc1155":
        if token_id is None:
            detail = f"expected the item to mint: {contract} is an ERC-1155 collection"
            raise _wrong_standard(detail, f"{at}/token_id")
        return Item(token_id, 1 if quantity is None else quantity)
    named = (("token_id", token_id), ("quantity", quantity))
    for member, value in named:
        if value is not None:
            detail = f"expected none: {contract} is an ERC-721 collection, which numbers its tokens itself"
            raise _wrong_standard(detail, f"{at}/{member}")
    return None


def asked_quantity(collection: RegisteredContract, quantity: int | None) -> int | None:
    """Return how many tokens of an item a transfer or burn moves, None in an ERC-721 collection.

    Raises RequestRefused if a quantity is named there.
    """
    if collection.standard == "erc1155":
        return 1 if quantity is None else quantity
    if quantity is not None:
        detail = f"expected none: a token of {collection.contract}, an ERC-721 collection, is one"
        raise _wrong_standard(detail, "#/quantity")
    return None


def _wrong_standard(detail: str, pointer: str) -> RequestRefused:
    return RequestRefused(WRONG_STANDARD, f"{pointer}: {detail}.", faults=[Fault(detail, pointer=pointer)])


def _differs(contract: str, item_id: int, pointer: str) -> RequestRefused:
    detail = f"item {item_id} of {contract} has other metadata"
    return RequestRefused(
        ITEM_METADATA_DIFFERS, f"{pointer}: {detail}.", faults=[Fault(detail, pointer=pointer)]
    )
