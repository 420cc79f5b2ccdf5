"""Collections as they stand: the record, and the operations that make and change it."""

from __future__ import annotations

from dataclasses import dataclass

from mintline.records.collection_state import settled
from mintline.records.collections import RegisteredContract
from mintline.records.operations import Operation
from mintline_api.features.collections.ports import ManagedCollections
from mintline_api.features.contracts.problems import unknown_contract
from mintline_api.features.pages import Page, PageRequest


@dataclass(frozen=True, slots=True)
class CollectionFacts:
    """A collection as it stands; an operation is None if there is none, or its record is unreadable."""

    collection: RegisteredContract
    deployment: Operation | None
    change: Operation | None
    stored: RegisteredContract
    """The record, on which the index may not have noted yet what its operations did."""

    @property
    def under_way(self) -> Operation | None:
        """The operation that is to be waited for: the latest."""
        return self.change or self.deployment


async def get_collection(contract: str, *, reader: str, collections: ManagedCollections) -> CollectionFacts:
    """Return a collection for a reader: `sub` of a user, or a client's id.

    Until it is deployed only its own client may see it. Raises RequestRefused for an unknown one.
    """
    stored = await collections.collection(contract)
    if stored is None:
        raise unknown_contract(contract)
    facts = await as_it_stands(stored, collections=collections)
    own = stored.clone is not None and stored.clone.principal == reader
    if not own and facts.collection.status != "ready":
        raise unknown_contract(contract)
    return facts


async def as_it_stands(stored: RegisteredContract, *, collections: ManagedCollections) -> CollectionFacts:
    """Return a collection with what its operations did, whether or not the index has noted that."""
    [facts] = await _standing((stored,), collections)
    return facts


async def list_collections(
    principal: str, page: PageRequest, *, collections: ManagedCollections
) -> Page[CollectionFacts]:
    """Return a page of the collections that a client made, newest first."""
    listed = await collections.made_by(principal, limit=page.limit, after=page.after)
    facts = await _standing([collection for _, collection in listed.items], collections)
    positions = (position for position, _ in listed.items)
    return Page(tuple(zip(positions, facts, strict=True)), more=listed.more, last=listed.end)


async def _standing(
    stored: tuple[RegisteredContract, ...] | list[RegisteredContract], collections: ManagedCollections
) -> list[CollectionFacts]:
    named = [(_deployment_id(each), _change_id(each), _pause_id(each)) for each in stored]
    ids = dict.fromkeys(name for names in named for name in names if name is not None)
    operations = await collections.operations(tuple(ids)) if ids else {}
    checkpoint = await collections.checkpoint() if ids else None
    finalized = -1 if checkpoint is None else checkpoint.finalized_number
    facts = []
    for each, names in zip(stored, named, strict=True):
        deployment, change, pause = (operations.get(name or "") for name in names)
        now = settled(each, deployment, change, pause, finalized=finalized)
        latest = change if each.pausing is None else pause
        facts.append(CollectionFacts(now, deployment, latest, each))
    return facts


def _deployment_id(collection: RegisteredContract) -> str | None:
    return None if collection.clone is None else collection.clone.operation_id


def _pause_id(collection: RegisteredContract) -> str | None:
    return None if collection.pausing is None else collection.pausing.operation_id


def _change_id(collection: RegisteredContract) -> str | None:
    return None if collection.pending is None else collection.pending.operation_id
