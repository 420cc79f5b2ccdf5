"""A request for many mints, whose lines are checked before anything is asked of a wallet or a budget."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mintline.canonical_json import canonical_json, digest_of
from mintline.lines import MAX_LABEL_BYTES
from mintline.operation_ids import line_mint_id
from mintline.tasks import results_of
from mintline_api.features.bulk.models import BulkRequest, LineRequest
from mintline_api.features.bulk.ports import LineStore
from mintline_api.features.bulk.recipients import AT_ONCE, LineRecipients, NamedRecipient, refuse_lines
from mintline_api.features.metadata.models import Metadata
from mintline_api.features.mints.intake import MintIntake
from mintline_api.features.uploads.use_cases import Uploads, resolved
from mintline_api.http.problems import Fault, RequestRefused


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkSubmission:
    """A request for many mints; `key` is its idempotency key, `now` is in Unix milliseconds.

    `seal` makes the envelope of a request by its digest, the caller, and the time of acceptance.
    """

    request: BulkRequest
    sub: str
    """Of the user who asks; of a client, its id."""
    client_id: str | None
    key: str | None
    trace: str
    seal: Callable[[bytes, str, int], bytes]
    now: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A request whose lines were checked, as far as that goes without asking anybody."""

    submission: BulkSubmission
    request_id: str
    contract: str
    named: Sequence[NamedRecipient]
    metadata: Sequence[str]
    digests: Sequence[bytes]
    request_digest: str

    @property
    def count(self) -> int:
        """How many lines it has."""
        return len(self.named)


async def read_draft(
    submission: BulkSubmission, *, request_id: str, intake: MintIntake, recipients: LineRecipients
) -> Draft:
    """Check the lines by themselves; raises RequestRefused with each that is refused."""
    request = submission.request
    named = recipients.read(request.mints, client=submission.client_id is not None)
    refuse_lines([*_repeated(request), *_too_long(request)])
    contents = await _contents(request, submission.sub, intake.uploads)
    metadata = [canonical_json(content.model_dump(mode="json", exclude_none=True)) for content in contents]
    digests = [digest_of(text) for text in metadata]
    contract = request.contract or intake.default_collection
    requested = [
        # Without item as earlier releases digested it: a retry may meet another release.
        [recipient.name, digest.hex(), line.external_id, line.tags, *_item_of(line)]
        for recipient, digest, line in zip(named, digests, request.mints, strict=True)
    ]
    return Draft(
        submission=submission,
        request_id=request_id,
        contract=contract,
        named=named,
        metadata=metadata,
        digests=digests,
        request_digest=hashlib.sha256(canonical_json([contract, requested]).encode()).hexdigest(),
    )


def _item_of(line: LineRequest) -> list[str | None]:
    if line.token_id is None and line.quantity is None:
        return []
    return [None if number is None else str(number) for number in (line.token_id, line.quantity)]


async def _contents(request: BulkRequest, sub: str, uploads: Uploads) -> list[Metadata]:
    """Return each line's metadata, with the URLs of uploads that it names; raises RequestRefused."""

    async def resolve_metadata(line: LineRequest) -> Metadata | RequestRefused:
        try:
            return await resolved(line.metadata, asked_by=sub, uploads=uploads)
        except RequestRefused as refused:
            return refused

    outcomes = await results_of(request.mints, resolve_metadata, at_once=AT_ONCE)
    refuse_lines(
        [
            Fault(fault.detail, pointer=f"#/mints/{number}{(fault.pointer or '#')[1:]}")
            for number, each in enumerate(outcomes)
            if isinstance(each, RequestRefused)
            for fault in each.faults
        ]
    )
    return [each for each in outcomes if isinstance(each, Metadata)]


def _repeated(request: BulkRequest) -> list[Fault]:
    """Return a fault for each line whose external id an earlier line has."""
    first: dict[str, int] = {}
    faults: list[Fault] = []
    for number, line in enumerate(request.mints):
        if line.external_id is None:
            continue
        earlier = first.setdefault(line.external_id, number)
        if earlier != number:
            detail = f"expected one that no other line has: #/mints/{earlier} has it"
            faults.append(Fault(detail, pointer=f"#/mints/{number}/external_id"))
    return faults


def _too_long(request: BulkRequest) -> list[Fault]:
    """Return a fault if the lines' external ids and tags do not fit into the request's record."""
    labels = ((line.external_id or "", *(line.tags or ())) for line in request.mints)
    size = sum(len(label.encode()) for of_line in labels for label in of_line)
    if size <= MAX_LABEL_BYTES:
        return []
    detail = f"expected {MAX_LABEL_BYTES:,} bytes of external ids and tags at most, not {size:,}"
    return [Fault(detail, pointer="#/mints")]


async def check_external_ids(draft: Draft, store: LineStore) -> None:
    """Raise RequestRefused with each line whose external id another mint of the caller's has."""
    lines = draft.submission.request.mints
    wanted = {line.external_id: number for number, line in enumerate(lines) if line.external_id is not None}
    if not wanted:
        return
    taken = await store.external_ids(draft.submission.sub, list(wanted))
    refuse_lines(
        [
            Fault(
                f"expected one that no other mint of yours has: {mint_id} has it",
                pointer=f"#/mints/{wanted[name]}/external_id",
            )
            for name, mint_id in taken.items()
            # An earlier try of this request may have got as far as its mints.
            if mint_id != line_mint_id(draft.request_id, 0, wanted[name])
        ]
    )
