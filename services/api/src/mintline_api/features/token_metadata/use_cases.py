"""A new version of a token's metadata: an operation on its collection, which a relayer sends.

::

    metadata ──▶ operation, version and collection (the lock) ──▶ message
       1                          2                                 3

The text is stored under its digest: what a process leaves behind that dies before the second write, nobody
reads. From the second on the version is served; the operation has the contract announce it (ERC-4906).
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

from mintline.canonical_json import canonical_json, digest_of
from mintline.errors import Unavailable
from mintline.messages.parts import CollectionChange
from mintline.metadata_versions import MINTED_VERSION, MOST_VERSIONS, MetadataVersion, version_object_key
from mintline.records.collections import RegisteredContract
from mintline.records.keys import token_ref
from mintline.records.operations import CollectionCall
from mintline.reveals import REVEALED_VERSION
from mintline_api.features.collections.changes import (
    Changed,
    check_free,
    check_revealed,
    own_collection,
    put_change,
)
from mintline_api.features.collections.context import CollectionsContext
from mintline_api.features.collections.ports import ChangedMeanwhile
from mintline_api.features.collections.problems import COLLECTION_FROZEN
from mintline_api.features.metadata.problems import UNKNOWN_METADATA
from mintline_api.features.operations.use_cases import TRIES, Intake, Submission
from mintline_api.features.token_metadata.context import TokenMetadataContext
from mintline_api.features.token_metadata.models import TokenChangeRequest
from mintline_api.features.token_metadata.problems import TOO_MANY_VERSIONS, UNKNOWN_VERSION
from mintline_api.features.tokens.use_cases import minted_metadata, unknown_token
from mintline_api.features.transfers.problems import TOKEN_BURNED
from mintline_api.features.uploads.use_cases import resolved
from mintline_api.http.problems import RequestRefused


@dataclass(frozen=True, slots=True, kw_only=True)
class DescribedToken:
    """A token or item that has metadata; an item may have it before any of its tokens is on chain."""

    chain_id: int
    contract: str
    token_id: int
    metadata_digest: bytes | None
    """Of the first version."""


@dataclass(frozen=True, slots=True)
class TokenVersions:
    """A token with the versions of its metadata after the first one, newest first."""

    token: DescribedToken
    later: list[MetadataVersion]


async def accept_version(
    submission: Submission[TokenChangeRequest],
    *,
    context: TokenMetadataContext,
    collections: CollectionsContext,
    intake: Intake,
) -> Changed:
    """Replace the metadata of a token in a collection of the client's; a key's second request replays it.

    An item of ERC-1155 has metadata from its first accepted mint on, whatever becomes of that. No operation
    if the metadata is so already. Raises RequestRefused for a token that is unknown or burned, a collection
    that is not the client's or is frozen, another change under way, and too many versions.
    """
    operation_id = intake.operation_id("administer", submission)
    earlier = await intake.made_before(CollectionCall, operation_id, submission)
    if earlier is not None:
        return Changed(earlier.operation, replayed=True)
    request = submission.request
    content = await resolved(request.metadata, asked_by=submission.sub, uploads=context.uploads)
    text = canonical_json(content.model_dump(mode="json", exclude_none=True))
    for _ in range(TRIES):
        facts = await own_collection(request.contract, submission.sub, collections)
        if facts.collection.standing.frozen:
            raise RequestRefused(COLLECTION_FROZEN, f"The metadata of {request.contract} is permanent.")
        check_revealed(facts.collection)
        token = await _token(request, facts.collection, context)
        latest = await _latest(token, facts.collection, context)
        if digest_of(text) == (token.metadata_digest if latest is None else latest.digest):
            return Changed(None, replayed=False)
        check_free(facts, None)
        version = _next_version(token, latest, text, submission, operation_id)
        with suppress(ChangedMeanwhile):
            return await put_change(
                submission,
                CollectionChange(
                    action="refresh_metadata", first_token=token.token_id, last_token=token.token_id
                ),
                facts,
                operation_id=operation_id,
                context=collections,
                intake=intake,
                publish=partial(_publish, token, text, facts.collection, context, collections),
                version=version,
            )
    raise Unavailable("the collection kept changing")


async def _token(
    request: TokenChangeRequest, collection: RegisteredContract, context: TokenMetadataContext
) -> DescribedToken:
    contract, token_id = request.contract, request.token_id
    token = await context.tokens.index.token(contract, token_id)
    if token is None:
        # An item has metadata from its first accepted mint on, also if that came to nothing.
        if await context.versions.latest(contract, token_id) is None:
            raise unknown_token(contract, token_id)
        return _described(collection, token_id, None)
    if token.is_burned:
        raise RequestRefused(TOKEN_BURNED, f"Token {token_id} of {contract} was burned.")
    return _described(collection, token_id, token.metadata_digest)


def _described(collection: RegisteredContract, token_id: int, digest: bytes | None) -> DescribedToken:
    return DescribedToken(
        chain_id=collection.chain_id,
        contract=collection.contract,
        token_id=token_id,
        metadata_digest=digest,
    )


async def _latest(
    token: DescribedToken, collection: RegisteredContract, context: TokenMetadataContext
) -> MetadataVersion | None:
    """Return the latest version after the minted one, which may be the revealed one."""
    latest = await context.versions.latest(token.contract, token.token_id)
    return latest or await _revealed(token, collection, context)


async def _revealed(
    token: DescribedToken, collection: RegisteredContract, context: TokenMetadataContext
) -> MetadataVersion | None:
    """Return the version that the collection revealed for a token; it has no row of its own."""
    text = await context.tokens.metadata.revealed(collection, token.token_id)
    reveal, clone = collection.reveal, collection.clone
    if text is None or reveal is None or clone is None:
        return None
    assert reveal.operation_id is not None
    assert reveal.revealed_at is not None
    return MetadataVersion(
        token_ref=token_ref(token.chain_id, token.contract, token.token_id),
        version=REVEALED_VERSION,
        digest=digest_of(text.decode()),
        principal=clone.principal,
        operation_id=reveal.operation_id,
        created_at=reveal.revealed_at,
    )


def _next_version(
    token: DescribedToken,
    latest: MetadataVersion | None,
    text: str,
    submission: Submission[TokenChangeRequest],
    operation_id: str,
) -> MetadataVersion:
    number = (MINTED_VERSION if latest is None else latest.version) + 1
    if number > MOST_VERSIONS:
        raise RequestRefused(
            TOO_MANY_VERSIONS, f"Token {token.token_id} of {token.contract} has {MOST_VERSIONS} versions."
        )
    return MetadataVersion(
        token_ref=token_ref(token.chain_id, token.contract, token.token_id),
        version=number,
        digest=digest_of(text),
        principal=submission.sub,
        operation_id=operation_id,
        created_at=submission.now,
    )


async def _publish(
    token: DescribedToken,
    text: str,
    collection: RegisteredContract,
    context: TokenMetadataContext,
    collections: CollectionsContext,
) -> Mapping[str, Any]:
    """Store a version's text, and beside it the minted one, in the place of which the latest may be put.

    An item's first one is stored so already.
    """
    if collection.standard == "erc1155":
        await _store(token, text.encode(), collections)
        return {}
    minted = await minted_metadata(token, context.tokens)
    if minted is None:
        raise RequestRefused(
            UNKNOWN_METADATA, f"Metadata of token {token.token_id} of {token.contract} not found."
        )
    for each in (text.encode(), minted):
        await _store(token, each, collections)
    return {"metadata_versions": True}


async def _store(token: DescribedToken, text: bytes, collections: CollectionsContext) -> None:
    key = version_object_key(token.chain_id, token.contract, token.token_id, digest_of(text.decode()))
    await collections.metadata.publish(key, text)


async def list_versions(contract: str, token_id: int, *, context: TokenMetadataContext) -> TokenVersions:
    """Return a token with the versions of its metadata; raises RequestRefused for an unknown token."""
    collection = await context.tokens.collections.known(contract)
    token, later = await asyncio.gather(
        context.tokens.index.token(contract, token_id), context.versions.versions(contract, token_id)
    )
    digest = None if token is None else token.metadata_digest
    if later and later[-1].version == MINTED_VERSION:
        # Of an ERC-1155 item: its first version has a row, from its first accepted mint on.
        *later, first = later
        digest = first.digest
    elif token is None:
        raise unknown_token(contract, token_id)
    described = _described(collection, token_id, digest)
    revealed = await _revealed(described, collection, context)
    return TokenVersions(described, later if revealed is None else [*later, revealed])


async def read_text(contract: str, token_id: int, version: int, *, context: TokenMetadataContext) -> bytes:
    """Return the exact text of a version; raises RequestRefused if there is none."""
    versions = await list_versions(contract, token_id, context=context)
    text: bytes | None = None
    if version == MINTED_VERSION:
        text = await _first_text(versions.token, context)
    else:
        named = next((candidate for candidate in versions.later if candidate.version == version), None)
        if named is not None and named.version == REVEALED_VERSION:
            collection = await context.tokens.collections.known(contract)
            text = await context.tokens.metadata.revealed(collection, token_id)
        if named is not None and text is None:
            text = await context.tokens.metadata.version(contract, token_id, named.digest)
    if text is None:
        raise RequestRefused(
            UNKNOWN_VERSION, f"Token {token_id} of {contract} has no version {version} of its metadata."
        )
    return text


async def _first_text(token: DescribedToken, context: TokenMetadataContext) -> bytes | None:
    collection = await context.tokens.collections.known(token.contract)
    if collection.standard == "erc721":
        return await minted_metadata(token, context.tokens)
    if token.metadata_digest is None:
        return None
    return await context.tokens.metadata.version(token.contract, token.token_id, token.metadata_digest)
