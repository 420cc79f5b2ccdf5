"""Revealing metadata: the texts are handed over in chunks, checked one by one, and switched to at once.

::

    chunk ──▶ pack ──▶ row of the pack          for each chunk, in any order, any number of times
                1            2
    all there, and they add up to the commitment ──▶ operation and collection (the lock) ──▶ message
                                                                 3                              4

Nothing of it is served before the third write, and all of it from then on. The commitment admits one text for
each token, so a process that continues after a crash writes the same.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from mintline.errors import Unavailable
from mintline.messages.parts import CollectionChange
from mintline.packs import PackIndex, pack_of
from mintline.records.collections import RegisteredContract
from mintline.records.operations import CollectionCall
from mintline.reveals import (
    FIRST_TOKEN,
    Reveal,
    commitment_by_path,
    commitment_of,
    leaf_of,
    reveal_partition,
)
from mintline.tasks import results_of
from mintline_api.features.collections.changes import Changed, check_free, own_collection, put_change
from mintline_api.features.collections.context import CollectionsContext
from mintline_api.features.collections.ports import ChangedMeanwhile
from mintline_api.features.operations.use_cases import TRIES, Intake, Submission
from mintline_api.features.reveals.context import RevealsContext
from mintline_api.features.reveals.models import DocumentsRequest, RevealChange
from mintline_api.features.reveals.problems import (
    ALREADY_REVEALED,
    NOT_REVEALED,
    NOTHING_TO_REVEAL,
    REVEAL_INCOMPLETE,
    REVEAL_MISMATCH,
)
from mintline_api.http.problems import INVALID_BODY, INVALID_PARAMETER, Fault, RequestRefused

_OBJECTS_AT_ONCE = 8


async def keep_documents(
    contract: str,
    request: DocumentsRequest,
    *,
    client: str,
    context: RevealsContext,
    collections: CollectionsContext,
) -> int:
    """Store a chunk of texts that are what was committed to; return how many. Raises RequestRefused."""
    facts = await own_collection(contract, client, collections)
    reveal, commitment = _committed(facts.collection)
    if reveal.is_done:
        raise RequestRefused(ALREADY_REVEALED, f"The metadata of {contract} was revealed.")
    ids = reveal.chunk(request.first_token_id)
    if ids is None or len(ids) != len(request.documents):
        raise _no_chunk(reveal, ids)
    # A few thousand hashes.
    await asyncio.to_thread(_check_documents, request, ids, reveal.tokens, commitment)
    texts = [document.text for document in request.documents]
    pack = pack_of(collections.chain_id, contract, ids.start, texts)
    await context.packs.put(pack)
    await context.packs.announce(pack.index.evolve(collection_id=reveal_partition(pack.index.collection_id)))
    return len(texts)


async def publish_reveal(
    submission: Submission[RevealChange],
    *,
    context: RevealsContext,
    collections: CollectionsContext,
    intake: Intake,
) -> Changed:
    """Serve the texts from now on, and have the contract announce them (ERC-4906); raises RequestRefused.

    They are all read once more, and have to add up to the commitment.
    """
    operation_id = intake.operation_id("administer", submission)
    earlier = await intake.made_before(CollectionCall, operation_id, submission)
    if earlier is not None:
        return Changed(earlier.operation, replayed=True)
    contract, salt = submission.request.contract, submission.request.salt
    checked = False
    for _ in range(TRIES):
        facts = await own_collection(contract, submission.sub, collections)
        reveal, commitment = _committed(facts.collection)
        if reveal.is_done:
            if reveal.salt == salt:
                return Changed(None, replayed=False)
            raise RequestRefused(ALREADY_REVEALED, f"The metadata of {contract} was revealed.")
        check_free(facts, None)
        if not checked:
            await _check_all(contract, reveal, salt, commitment, context)
            checked = True
        done = reveal.evolve(salt=salt, operation_id=operation_id, revealed_at=submission.now)

        async def publish(done: Reveal = done) -> Mapping[str, Any]:
            return {"reveal": done}

        with suppress(ChangedMeanwhile):
            return await put_change(
                submission,
                CollectionChange(
                    action="refresh_metadata", first_token=FIRST_TOKEN, last_token=reveal.tokens
                ),
                facts,
                operation_id=operation_id,
                context=collections,
                intake=intake,
                publish=publish,
            )
    raise Unavailable("the collection kept changing")


async def read_documents(
    collection: RegisteredContract, first_token_id: int, *, context: RevealsContext
) -> list[str]:
    """Return the texts of a chunk of a collection that was revealed; raises RequestRefused."""
    reveal, _ = _committed(collection)
    if not reveal.is_done:
        raise RequestRefused(NOT_REVEALED, f"The metadata of {collection.contract} is not revealed.")
    if reveal.chunk(first_token_id) is None:
        fault = Fault("expected the first token of a chunk", parameter="first_token_id")
        raise RequestRefused(INVALID_PARAMETER, f"first_token_id: {fault.detail}.", faults=[fault])
    for pack in await context.metadata.revealed_packs(collection.contract):
        if pack.first_token_id == first_token_id:
            return await _texts(pack, context)
    raise Unavailable("the texts of the chunk are missing")


def _committed(collection: RegisteredContract) -> tuple[Reveal, bytes]:
    commitment = None if collection.clone is None else collection.clone.args.metadata_commitment
    if collection.reveal is None or commitment is None:
        raise RequestRefused(NOTHING_TO_REVEAL, f"{collection.contract} was created without a commitment.")
    return collection.reveal, commitment


def _no_chunk(reveal: Reveal, ids: range | None) -> RequestRefused:
    if ids is None:
        detail = f"expected the first token of a chunk of the {reveal.tokens} that were committed to"
        fault = Fault(detail, pointer="#/first_token_id")
    else:
        fault = Fault(f"expected the texts of tokens {ids.start} to {ids.stop - 1}", pointer="#/documents")
    return RequestRefused(INVALID_BODY, f"{fault.pointer}: {fault.detail}.", faults=[fault])


def _check_documents(request: DocumentsRequest, ids: range, count: int, commitment: bytes) -> None:
    faults, named = [], []
    for place, (token_id, document) in enumerate(zip(ids, request.documents, strict=True)):
        leaf = leaf_of(request.salt, token_id, document.text.encode())
        try:
            computed = commitment_by_path(leaf, token_id, count, document.path)
        except ValueError:
            computed = b""
        if computed != commitment:
            faults.append(
                Fault(f"not what was committed to for token {token_id}", pointer=f"#/documents/{place}")
            )
            named.append(str(token_id))
    if faults:
        raise RequestRefused(
            REVEAL_MISMATCH, f"Not what was committed to: tokens {', '.join(named)}.", faults=faults
        )


async def _check_all(
    contract: str, reveal: Reveal, salt: bytes, commitment: bytes, context: RevealsContext
) -> None:
    """Check that all texts are stored, and are what was committed to; raises RequestRefused."""
    packs = await context.metadata.revealed_packs(contract)
    expected = FIRST_TOKEN
    for pack in packs:
        if pack.first_token_id != expected:
            break
        expected += pack.size
    if expected != FIRST_TOKEN + reveal.tokens:
        raise RequestRefused(REVEAL_INCOMPLETE, f"The text of token {expected} is missing.")

    async def leaves(pack: PackIndex) -> list[bytes]:
        texts = await _texts(pack, context)
        return [leaf_of(salt, pack.first_token_id + place, text.encode()) for place, text in enumerate(texts)]

    chunks = await results_of(packs, leaves, at_once=_OBJECTS_AT_ONCE)
    computed = await asyncio.to_thread(commitment_of, [leaf for chunk in chunks for leaf in chunk])
    if computed != commitment:
        fault = Fault("not the salt that the commitment was made with", pointer="#/salt")
        raise RequestRefused(REVEAL_MISMATCH, f"{fault.pointer}: {fault.detail}.", faults=[fault])


async def _texts(pack: PackIndex, context: RevealsContext) -> list[str]:
    body = await context.metadata.read(pack.object_key)
    spans = [pack.span_of(pack.first_token_id + place) for place in range(pack.size)]
    if body is None or any(span is None or span[1] > len(body) for span in spans):
        raise Unavailable(f"the object {pack.object_key} is missing")
    return [body[span[0] : span[1]].decode() for span in spans if span is not None]
