"""The public form of collections in lists and in events."""

from __future__ import annotations

from typing import Literal

from mintline.fields import Address
from mintline.records.collections import RegisteredContract
from mintline.views.base import View


class CollectionLinks(View):
    """Where to look next."""

    self: str
    tokens: str


class CollectionSummary(View):
    """A collection in a list."""

    contract: Address
    chain_id: int
    name: str
    symbol: str
    status: Literal["deploying", "ready", "failed"]
    paused: bool
    frozen: bool
    links: CollectionLinks


def is_paused(collection: RegisteredContract) -> bool:
    """Tell whether a collection is paused, or about to be: its client's request counts at once."""
    pausing = any(change.change.action == "pause" for change in collection.changes)
    return pausing or collection.standing.paused


def collection_summary(collection: RegisteredContract) -> CollectionSummary:
    """Return the form of a collection that lists have."""
    return CollectionSummary(
        contract=collection.contract,
        chain_id=collection.chain_id,
        name=collection.name,
        symbol=collection.symbol,
        status=collection.status,
        paused=is_paused(collection),
        frozen=collection.standing.frozen,
        links=collection_links(collection),
    )


def collection_links(collection: RegisteredContract) -> CollectionLinks:
    """Return where to look next from a collection."""
    path = f"/v1/collections/{collection.contract}"
    return CollectionLinks(self=path, tokens=f"{path}/tokens")
