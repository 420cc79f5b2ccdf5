"""The public forms of collections."""

from __future__ import annotations

from mintline.messages.parts import Clone
from mintline.records.collections import RegisteredContract
from mintline.records.operations import Operation
from mintline.views.collections import collection_links, is_paused
from mintline_api.features.collections.models import (
    CollectionOperationView,
    CollectionView,
    MintWindowView,
    OperationKind,
    RevealView,
    RoyaltiesView,
)
from mintline_api.features.collections.reads import CollectionFacts
from mintline_api.features.operations.models import latest_tx_hash, problem_view, waiting_view
from mintline_api.http.models import rfc3339


def collection_view(
    facts: CollectionFacts, *, minted: int | None, reader: str, public_url: str
) -> CollectionView:
    """Return the public form of a collection; its operations are shown to the client that made it alone."""
    collection = facts.collection
    clone, state = collection.clone, collection.standing
    own = clone is not None and clone.principal == reader
    args = None if clone is None else clone.args
    return CollectionView(
        contract=collection.contract,
        chain_id=collection.chain_id,
        standard=collection.standard,
        name=collection.name,
        symbol=collection.symbol,
        status=collection.status,
        client_id=None if clone is None else clone.principal,
        mintable=not collection.read_only,
        open_to_users=collection.sponsored,
        supply_cap=args.supply_cap or None if args else None,
        minted=minted,
        mint_window=_window(clone),
        soulbound=args is not None and args.soulbound,
        owner=args.owner if args else None,
        royalties=_royalties(collection),
        paused=is_paused(collection),
        frozen=state.frozen,
        metadata_url=f"{public_url}/v1/metadata/{collection.contract}",
        metadata_digest=collection.metadata_digest,
        reveal=_reveal(collection),
        deployed_block=collection.deployed_block if collection.status == "ready" else None,
        deployment=operation_view(clone.operation_id, "deploy", facts.deployment) if own and clone else None,
        change=_change_view(facts) if own else None,
        links=collection_links(collection),
    )


def _change_view(facts: CollectionFacts) -> CollectionOperationView | None:
    """Return the change on record, even if it has just ended: how it ended is what its client asks."""
    pending = facts.stored.pausing or facts.stored.pending
    if pending is None:
        return None
    return operation_view(pending.operation_id, pending.change.action, facts.change)


def operation_view(
    operation_id: str, kind: OperationKind, operation: Operation | None
) -> CollectionOperationView:
    """Return the public form of a deployment or a change; `operation` is None if it cannot be read."""
    return CollectionOperationView(
        operation_id=operation_id,
        kind=kind,
        status=None if operation is None else operation.status,
        tx_hash=None if operation is None else latest_tx_hash(operation),
        waiting=None if operation is None else waiting_view(operation),
        problem=None if operation is None else problem_view(operation),
    )


def _royalties(collection: RegisteredContract) -> RoyaltiesView | None:
    if (clone := collection.clone) is None:
        return None
    receiver, bps = clone.args.royalty_receiver, clone.args.royalty_bps
    if (changed := collection.standing).royalty_bps is not None:
        receiver, bps = changed.royalty_receiver, changed.royalty_bps
    return None if receiver is None or bps == 0 else RoyaltiesView(receiver=receiver, bps=bps)


def _reveal(collection: RegisteredContract) -> RevealView | None:
    reveal, clone = collection.reveal, collection.clone
    if reveal is None or clone is None or clone.args.metadata_commitment is None:
        return None
    return RevealView(
        commitment=clone.args.metadata_commitment,
        tokens=reveal.tokens,
        salt=reveal.salt,
        revealed_at=None if reveal.revealed_at is None else rfc3339(reveal.revealed_at),
    )


def _window(clone: Clone | None) -> MintWindowView | None:
    if clone is None or not (clone.args.mint_start or clone.args.mint_end):
        return None
    return MintWindowView(start=_moment(clone.args.mint_start), end=_moment(clone.args.mint_end))


def _moment(seconds: int) -> str | None:
    return rfc3339(seconds * 1000) if seconds else None
