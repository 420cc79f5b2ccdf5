"""Accepting many mints at once, and saying how far they have come.

::

    validate all ─▶ budget ─▶ recipients ─▶ token ids ─▶ seal once ─▶ pack (S3)
                                                                        │
              message ◀─ request ◀─ mints, 100 a write ◀─ pack's row ◀─ chunk (the lock)

What is refused is refused before the first write. The chunk's record is the lock of the request's id, and has
all that its mints are made of: if one of its mints is found, as by the sweep, the others can be created. A
process may die anywhere: until the first mint is on record nothing happened, and from then on all of them are
minted, once each.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from mintline.lines import Line, LinesChunk, LinesRequest
from mintline.merkle import merkle_root
from mintline.messages.work import BuildLines
from mintline.operation_ids import ID_BYTES, keyed_operation_id, line_mint_id, operation_id_from
from mintline.packs import pack_of
from mintline.records.collections import RegisteredContract
from mintline.states import MintStatus
from mintline_api.features.bulk.drafts import BulkSubmission, Draft, check_external_ids, read_draft
from mintline_api.features.bulk.items import begin_items, check_items, line_items
from mintline_api.features.bulk.ports import LineStore
from mintline_api.features.bulk.problems import UNKNOWN_REQUEST
from mintline_api.features.bulk.recipients import LineRecipients
from mintline_api.features.bulk.records import BulkRecord, record_of
from mintline_api.features.items.use_cases import Item
from mintline_api.features.metadata.ports import PackStore
from mintline_api.features.mints.intake import MintIntake
from mintline_api.features.mints.problems import NOT_SPONSORED
from mintline_api.features.mints.recipients import Recipient
from mintline_api.features.operations.nudges import Nudges
from mintline_api.features.operations.ports import Outbox
from mintline_api.features.operations.problems import KEY_REUSED
from mintline_api.features.operations.use_cases import Permit
from mintline_api.http.problems import RequestRefused
from mintline_api.limits.client_budgets import budgeted

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class LinesIntake:
    """What it takes to accept lines whose recipients are known."""

    lines: LineStore
    packs: PackStore
    outbox: Outbox
    nudges: Nudges


async def accept_lines(
    chunk: LinesChunk, metadata: Sequence[str] | None, *, intake: LinesIntake
) -> LinesChunk:
    """Put a chunk of a request and its mints on record, and return the chunk that is on record.

    That is an earlier try's if there is one, whose token ids and recipients hold. `metadata` is the canonical
    JSON of each line, in order; None for lines of items, whose metadata is stored already. May be repeated
    after any failure, by any process: each line becomes one mint. Raises RequestRefused if the id is on
    record for another request. `send_lines` is still to follow.
    """
    if metadata is None:
        kept = await intake.lines.keep(chunk)
        if kept.request_digest != chunk.request_digest:
            raise key_reused(kept.request_id)
        await intake.lines.create_mints(kept.mints())
        return kept
    pack = pack_of(chunk.chain_id, chunk.contract, chunk.first_token_id, metadata)
    _, kept = await asyncio.gather(intake.packs.put(pack), intake.lines.keep(chunk))
    if kept.request_digest != chunk.request_digest:
        raise key_reused(kept.request_id)
    if kept.first_token_id != chunk.first_token_id:
        pack = pack_of(kept.chain_id, kept.contract, kept.first_token_id, metadata)
    # Before the mints: what is minted can be served, whichever process continues.
    await intake.packs.announce(pack.index)
    await intake.lines.create_mints(kept.mints())
    return kept


async def send_lines(request_id: str, chunk: int, *, trace: str, intake: LinesIntake) -> None:
    """Send a chunk that is on record to the builder; if the message is lost, the sweep sends one."""
    message = BuildLines(request_id=request_id, chunk=chunk, trace=trace)
    await intake.nudges.send(intake.outbox.build_lines(message), mint_id=request_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkIntake:
    """What it takes to accept many mints at once."""

    mints: MintIntake
    recipients: LineRecipients
    lines: LinesIntake

    def request_id(self, submission: BulkSubmission) -> str:
        """Return the id of a request: the idempotency key's own, or a new one without a key."""
        if submission.key is None:
            return operation_id_from("bulk", self.mints.entropy(ID_BYTES))
        return keyed_operation_id("bulk", self.mints.chain_id, submission.sub, submission.key)


@dataclass(frozen=True, slots=True)
class BulkState:
    """A request, and how many of its mints have which status; `replayed` when its key had made it before."""

    record: BulkRecord
    statuses: dict[MintStatus, int]
    replayed: bool = False


async def accept_bulk(submission: BulkSubmission, *, intake: BulkIntake) -> BulkState:
    """Create all mints of a request and send them, or none; a key's second request gets the first one's.

    Raises RequestRefused with each line that is refused (`LINES_REFUSED`), for an unknown contract or one
    that sponsors none of a user's mints, for a budget that has no room for all of them, or when the key named
    another body.
    """
    draft = await read_draft(
        submission,
        request_id=intake.request_id(submission),
        intake=intake.mints,
        recipients=intake.recipients,
    )
    if submission.key is not None:
        record = await intake.lines.lines.request(draft.request_id)
        if record is not None:
            return await _replay(record, draft, intake)
    sub, count = submission.sub, draft.count
    permit: Permit | None = None
    try:
        collection = await _open_collection(draft, intake)
        items = line_items(submission.request.mints, collection)
        await check_items(items, draft.contract, draft.metadata, items_of=intake.mints.items)
        permit = await _admit(draft, collection, intake)
    except RequestRefused:
        if not await _is_begun(draft, intake.lines.lines):
            raise
        # An earlier try was admitted: its mints go on, so this one is not refused.
        items = line_items(submission.request.mints, await intake.mints.collections.known(draft.contract))
    try:
        recipients = await intake.recipients.resolve(draft.named, sub=sub)
        first = await intake.mints.token_ids.take_run(draft.contract, count)
        lines = _lines(draft, recipients, items)
        await begin_items(
            items,
            draft.contract,
            draft.metadata,
            items_of=intake.mints.items,
            client_id=sub,
            request_id=draft.request_id,
            now=submission.now,
        )
        chunk = _sealed(draft, lines, first, intake)
    except BaseException:
        intake.mints.give_back(permit, sub, count)
        raise
    try:
        metadata = draft.metadata if items[0] is None else None
        kept = await accept_lines(chunk, metadata, intake=intake.lines)
    except RequestRefused:
        intake.mints.give_back(permit, sub, count)
        raise
    if kept.envelope != chunk.envelope:
        await _renew(kept, submission, intake.lines.lines)
    record = record_of(kept)
    await intake.lines.lines.record(record)
    await send_lines(kept.request_id, kept.chunk, trace=kept.trace, intake=intake.lines)
    replayed = kept.first_token_id != first
    if replayed:
        intake.mints.give_back(permit, sub, count)
    log.info("bulk_accepted", request_id=record.request_id, mints=count, first_token_id=str(first))
    return BulkState(record, {MintStatus.ACCEPTED: count}, replayed=replayed)


def _lines(draft: Draft, recipients: Sequence[Recipient], items: Sequence[Item | None]) -> list[Line]:
    return [
        Line(
            to.sub,
            to.to,
            digest,
            requested.external_id,
            tuple(requested.tags) if requested.tags else None,
            None if item is None else item.item_id,
            None if item is None else item.quantity,
        )
        for to, digest, requested, item in zip(
            recipients, draft.digests, draft.submission.request.mints, items, strict=True
        )
    ]


async def _open_collection(draft: Draft, intake: BulkIntake) -> RegisteredContract:
    """Return a request's collection if that takes its mints now; raises RequestRefused."""
    submission = draft.submission
    tokens = sum(line.quantity or 1 for line in submission.request.mints)
    collection = await intake.mints.gate.pass_(
        draft.contract, client_id=submission.client_id, now=submission.now, count=tokens
    )
    if submission.client_id is None and not collection.sponsored:
        raise RequestRefused(NOT_SPONSORED, f"The platform does not pay for mints of {draft.contract}.")
    return collection


async def _admit(draft: Draft, collection: RegisteredContract, intake: BulkIntake) -> Permit:
    """Return the permit for all lines of a request that may be made; raises RequestRefused."""
    submission = draft.submission
    permit = await intake.mints.permit(
        submission.sub,
        paying=None,
        client_id=submission.client_id,
        contract=budgeted(collection),
        count=draft.count,
    )
    try:
        await check_external_ids(draft, intake.lines.lines)
    except BaseException:
        intake.mints.give_back(permit, submission.sub, draft.count)
        raise
    return permit


async def _is_begun(draft: Draft, store: LineStore) -> bool:
    """Tell whether an earlier try of a request has put mints of it on record."""
    if draft.submission.key is None:
        return False
    ids = [line_mint_id(draft.request_id, 0, number) for number in range(draft.count)]
    return bool(await store.mints(ids))


async def _renew(kept: LinesChunk, submission: BulkSubmission, store: LineStore) -> None:
    """Give an earlier try's chunk the token of this one: its own may expire before its mints are signed.

    Both are of the same caller, for the same lines.
    """
    envelope = submission.seal(kept.digest(), submission.sub, submission.now)
    await store.renew(kept.request_id, kept.chunk, envelope)


def _sealed(draft: Draft, lines: Sequence[Line], first_token_id: int, intake: BulkIntake) -> LinesChunk:
    submission = draft.submission
    request = LinesRequest(
        request_id=draft.request_id,
        asked_by=submission.sub,
        client_id=submission.client_id,
        chain_id=intake.mints.chain_id,
        contract=draft.contract,
        request_digest=draft.request_digest,
        trace=submission.trace,
    )
    leaves = request.leaves(lines, chunk=0, first_token_id=first_token_id)
    digest = request.digest(merkle_root([merkle_root(leaves)]), len(lines))
    return request.chunk(
        lines,
        leaves=leaves,
        first_token_id=first_token_id,
        count=len(lines),
        envelope=submission.seal(digest, submission.sub, submission.now),
        created_at=submission.now,
    )


async def _replay(record: BulkRecord, draft: Draft, intake: BulkIntake) -> BulkState:
    """Return what a key made before; its message is sent again while one of its mints is accepted.

    Mints that nothing was signed for yet get the authorization of this try.
    """
    if record.request_digest != draft.request_digest:
        raise key_reused(record.request_id)
    state = await _state(record, intake.lines.lines, replayed=True)
    unsigned = state.statuses.keys() & {MintStatus.ACCEPTED, MintStatus.BUILT}
    if unsigned and (kept := await intake.lines.lines.chunk(record.request_id, 0)) is not None:
        await _renew(kept, draft.submission, intake.lines.lines)
    if state.statuses.get(MintStatus.ACCEPTED):
        await send_lines(record.request_id, 0, trace=draft.submission.trace, intake=intake.lines)
    log.info("bulk_replayed", request_id=record.request_id)
    return state


async def get_bulk(request_id: str, *, sub: str, lines: LineStore) -> BulkState:
    """Return a request of the caller's; any other is as unknown as none."""
    record = await lines.request(request_id)
    if record is None or record.asked_by != sub:
        raise RequestRefused(UNKNOWN_REQUEST, "Request not found.")
    return await _state(record, lines)


async def _state(record: BulkRecord, lines: LineStore, *, replayed: bool = False) -> BulkState:
    return BulkState(record, await lines.statuses(record.mint_ids), replayed)


def key_reused(request_id: str) -> RequestRefused:
    """Return the refusal of a key that made a request with another body."""
    return RequestRefused(
        KEY_REUSED, f"This Idempotency-Key made {request_id} with another body: send a new key."
    )
