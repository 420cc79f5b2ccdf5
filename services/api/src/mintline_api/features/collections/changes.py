"""Changing a collection: an operation, which a relayer sends, and one at a time.

The operation and the change on the collection's record are written in one transaction: that is the lock.
"""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

from mintline.authorizations import Authorization
from mintline.errors import Unavailable
from mintline.messages.parts import CollectionChange
from mintline.metadata_versions import MetadataVersion
from mintline.records.collections import PendingChange, RegisteredContract
from mintline.records.operations import CollectionCall
from mintline_api.features.collections.accepting import accepted_fields, publish_metadata
from mintline_api.features.collections.context import CollectionsContext
from mintline_api.features.collections.models import CollectionMetadata, CollectionPatch
from mintline_api.features.collections.ports import ChangedMeanwhile
from mintline_api.features.collections.problems import (
    COLLECTION_CHANGE_PENDING,
    COLLECTION_FROZEN,
    COLLECTION_NOT_READY,
    COLLECTION_READ_ONLY,
    NOT_YOUR_COLLECTION,
    REVEAL_PENDING,
)
from mintline_api.features.collections.reads import CollectionFacts, as_it_stands
from mintline_api.features.contracts.models import ContractPath
from mintline_api.features.contracts.problems import unknown_contract
from mintline_api.features.items.problems import WRONG_STANDARD
from mintline_api.features.operations.use_cases import TRIES, Intake, Submission
from mintline_api.http.problems import Fault, RequestRefused


class CollectionChangeRequest(CollectionPatch, ContractPath):
    """A change with the collection that it is for: what an idempotency key stands for."""


class FreezeRequest(ContractPath):
    """A request to freeze a collection's metadata: what an idempotency key stands for."""


@dataclass(frozen=True, slots=True)
class Changed:
    """What a change came to; no operation if the collection is that way already."""

    operation: CollectionCall | None
    replayed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    """A change, and the metadata that it brings."""

    change: CollectionChange
    metadata: CollectionMetadata | None = None


async def accept_change(
    submission: Submission[CollectionChangeRequest], *, context: CollectionsContext, intake: Intake
) -> Changed:
    """Have a collection of the client's changed; a key's second request gets the first one's operation.

    One change at a time: the next is accepted once the one before is mined, or has failed. Metadata is served
    from now on; its operation has the contract say so (ERC-7572). Raises RequestRefused.
    """
    return await _change(submission, _wanted_of, context=context, intake=intake)


async def freeze_collection(
    submission: Submission[FreezeRequest], *, context: CollectionsContext, intake: Intake
) -> Changed:
    """Have a collection's metadata made permanent, as `accept_change` does."""
    return await _change(submission, _freezing, context=context, intake=intake)


async def _change(
    submission: Submission[Any],
    wanted_of: Callable[[Any, RegisteredContract], _Wanted | None],
    *,
    context: CollectionsContext,
    intake: Intake,
) -> Changed:
    operation_id = intake.operation_id("administer", submission)
    earlier = await intake.made_before(CollectionCall, operation_id, submission)
    if earlier is not None:
        return Changed(earlier.operation, replayed=True)
    contract: str = submission.request.contract
    for _ in range(TRIES):
        facts = await own_collection(contract, submission.sub, context)
        wanted = wanted_of(submission.request, facts.collection)
        if wanted is None:
            return Changed(None, replayed=False)
        check_free(facts, wanted.change)
        with suppress(ChangedMeanwhile):
            return await put_change(
                submission,
                wanted.change,
                facts,
                operation_id=operation_id,
                context=context,
                intake=intake,
                publish=partial(_described, facts.collection, wanted, context),
            )
    raise Unavailable("the collection kept changing")


async def put_change(
    submission: Submission[Any],
    change: CollectionChange,
    facts: CollectionFacts,
    *,
    operation_id: str,
    context: CollectionsContext,
    intake: Intake,
    publish: Callable[[], Awaitable[Mapping[str, Any]]],
    version: MetadataVersion | None = None,
) -> Changed:
    """Put a change on record and send it; raises ChangedMeanwhile if the collection is not as in `facts`.

    `publish` stores what the change brings, before it is on record, and returns fields of the collection's.
    A `version` of a token's metadata is on record with the change, or neither is.
    """
    collection, sub = facts.collection, submission.sub
    assert collection.clone is not None
    permit = await intake.permit(sub, paying=None, client_id=submission.client_id)
    try:
        operation = CollectionCall(
            **accepted_fields(submission, intake, operation_id=operation_id, contract=collection.contract),
            principal=sub,
            clone=collection.clone,
            change=change,
        )
        authorization = Authorization(envelope=submission.authorize(operation))
        opened = PendingChange(operation_id=operation_id, change=change)
        if _goes_ahead(facts, change):
            after = collection.evolve(pausing=opened, **await publish())
        else:
            after = collection.evolve(
                state=collection.standing, pending=opened, pausing=None, **await publish()
            )
        existing = await context.collections.change(
            facts.stored, after, operation, authorization, version=version
        )
    except BaseException:
        intake.give_back(permit, sub)
        raise
    context.registry.forget(collection.contract)
    accepted = await intake.created(operation, existing, unused=lambda _: intake.give_back(permit, sub))
    return Changed(accepted.operation, accepted.replayed)


async def own_collection(contract: str, client: str, context: CollectionsContext) -> CollectionFacts:
    """Return a collection that the client made, and that is deployed; raises RequestRefused."""
    stored = await context.collections.collection(contract)
    if stored is None:
        raise unknown_contract(contract)
    if stored.clone is None:
        raise RequestRefused(COLLECTION_READ_ONLY, f"{contract} was not deployed by this API.")
    if stored.clone.principal != client:
        raise RequestRefused(NOT_YOUR_COLLECTION, f"{contract} is another client's collection.")
    facts = await as_it_stands(stored, collections=context.collections)
    if facts.collection.status == "failed":
        raise RequestRefused(COLLECTION_NOT_READY, f"The deployment of {contract} came to nothing.")
    if facts.collection.status == "deploying":
        raise RequestRefused(COLLECTION_NOT_READY, f"{contract} is being deployed.")
    return facts


def check_revealed(collection: RegisteredContract) -> None:
    """Refuse to change or freeze tokens' metadata before it is revealed; raises RequestRefused."""
    if collection.reveal is not None and not collection.reveal.is_done:
        raise RequestRefused(
            REVEAL_PENDING, f"The metadata of {collection.contract} was committed to, and is not revealed."
        )


def _goes_ahead(facts: CollectionFacts, change: CollectionChange) -> bool:
    """Tell whether a change is a pause that need not wait for the one under way, which is of another member.

    An unpause under way is waited for: another relayer may send the pause, and the later of the two counts.
    """
    collection = facts.collection
    under_way = [pending for pending in collection.changes if not pending.mined]
    return (
        change.action == "pause"
        and collection.pausing is None
        and [pending.change.action in ("pause", "unpause") for pending in under_way] == [False]
    )


def check_free(facts: CollectionFacts, change: CollectionChange | None) -> None:
    """Refuse a change while another one is not mined, unless it is a pause; raises RequestRefused."""
    if change is not None and _goes_ahead(facts, change):
        return
    for pending in facts.collection.changes:
        if pending.mined:
            continue
        raise RequestRefused(
            COLLECTION_CHANGE_PENDING,
            f"The change {pending.change.action} ({pending.operation_id}) is under way.",
        )


def _wanted_of(request: CollectionChangeRequest, collection: RegisteredContract) -> _Wanted | None:
    """Return the change that a request asks for; None if the collection is that way already."""
    standing = collection.standing
    if request.paused is not None:
        if standing.paused == request.paused and _is_settled(collection):
            return None
        return _Wanted(change=CollectionChange(action="pause" if request.paused else "unpause"))
    if (royalties := request.royalties) is not None:
        change = CollectionChange(action="set_royalty", receiver=royalties.receiver, bps=royalties.bps)
        return _Wanted(change=change)
    if (item_cap := request.item_cap) is not None:
        if collection.standard != "erc1155":
            detail = f"expected none: {collection.contract} is an ERC-721 collection"
            fault = Fault(detail, pointer="#/item_cap")
            raise RequestRefused(WRONG_STANDARD, f"#/item_cap: {detail}.", faults=[fault])
        change = CollectionChange(action="cap_item", item_id=item_cap.token_id, cap=item_cap.cap)
        return _Wanted(change=change)
    assert request.metadata is not None
    if standing.frozen:
        raise RequestRefused(COLLECTION_FROZEN, f"The metadata of {collection.contract} is permanent.")
    return _Wanted(change=CollectionChange(action="refresh_contract_uri"), metadata=request.metadata)


def _freezing(_: FreezeRequest, collection: RegisteredContract) -> _Wanted | None:
    frozen = collection.standing.frozen
    if not frozen:
        check_revealed(collection)
    return None if frozen else _Wanted(change=CollectionChange(action="freeze"))


def _is_settled(collection: RegisteredContract) -> bool:
    return all(change.mined for change in collection.changes)


async def _described(
    collection: RegisteredContract, wanted: _Wanted, context: CollectionsContext
) -> dict[str, bytes]:
    """Publish the metadata that a change brings, if it does; return what is to be on record of it."""
    if wanted.metadata is None:
        return {}
    digest = await publish_metadata(
        context,
        collection.contract,
        name=collection.name,
        symbol=collection.symbol,
        metadata=wanted.metadata,
    )
    return {"metadata_digest": digest}
