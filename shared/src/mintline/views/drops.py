"""The public form of drops."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from mintline.drop_records import Drop, DropStatus, Repetitions
from mintline.fields import Address, Bytes32, Uint256, Wei
from mintline.views.base import Time, View, rfc3339, rfc3339_or_none
from mintline.views.operations import ProblemView


class RepetitionView(View):
    """A line that repeats something, and the first line that has it."""

    line: int
    first: int


class RepetitionsView(View):
    """Lines that repeat something of an earlier line; they are minted all the same."""

    count: int
    examples: list[RepetitionView] = Field(description="The first 50.")


class RecipientsView(View):
    """Distinct recipients of the accepted lines."""

    addresses: int
    users: int
    emails: int


class LinesView(View):
    """What was taken of the lines so far."""

    format: Literal["ndjson", "csv"] | None = Field(description="Null before the first upload.")
    offset: int = Field(description="Bytes taken: where the upload goes on.")
    lines: int = Field(description="The number of the last line, blank lines and CSV header rows included.")
    accepted: int
    tokens: Uint256 = Field(
        description="Tokens of the accepted lines: in an ERC-1155 collection a line has any number of them."
    )
    refused: int
    recipients: RecipientsView
    repeated_lines: RepetitionsView = Field(description="The same recipient and the same metadata again.")
    repeated_recipients: RepetitionsView = Field(
        description="The same recipient again; in an ERC-1155 collection the same one for the same item."
    )


class PreparationView(View):
    """How far the drop's preparation has come."""

    parts: int = Field(description="The drop's lines are prepared and minted in parts of at most 250.")
    prepared: int
    users_made: int = Field(description="Users who were made for e-mail addresses, each with a wallet.")
    unresolved: int = Field(
        description="Lines that the preparation refused: their recipient is no user of the pool, or has no "
        "usable wallet, they are over a cap, or their ERC-1155 item has no metadata, or other metadata. "
        "`…/refused` returns them too."
    )
    over_cap: int = Field(
        description="How many of those are beyond the collection's supply cap (`collection-full`), or the "
        "cap of their item (`item_full`)."
    )


class MintingView(View):
    """How far the minting has come."""

    lines: int = Field(description="Lines to be minted.")
    tokens: Uint256 = Field(description="Tokens that those are.")
    handed_on: int = Field(description="Lines whose mints were accepted.")
    tokens_handed_on: Uint256 = Field(description="Tokens that those are.")
    by_status: dict[str, int] = Field(description="Mints of the drop by their status, a few seconds old.")
    per_second: float | None = Field(description="Lines mined a second since it was started or resumed.")
    seconds_left: int | None = Field(description="At that rate, until the last line is mined.")


class DropCostView(View):
    """What the drop's mints cost on chain so far: each its share of the transaction that made it."""

    lines: int = Field(
        description="Mined lines that this covers; fewer than those that are mined while receipts are read."
    )
    gas: int
    wei: Wei


class DropView(View):
    """A drop."""

    drop_id: str
    name: str
    contract: Address
    status: DropStatus = Field(
        description="`draft` → `preparing` → `prepared` → `running` → `completed`; `paused` and `cancelled`."
    )
    lines: LinesView
    preparation: PreparationView
    minting: MintingView
    cost: DropCostView
    root: Bytes32 | None = Field(description="The Merkle root over the lines that you authorize by `start`.")
    authorized_until: Time | None = Field(description="When the token of `start` or `resume` expires.")
    paused: ProblemView | None = Field(description="Why it is paused.")
    resumes_at: Time | None = Field(description="When it goes on by itself.")
    created_at: Time
    started_at: Time | None
    ended_at: Time | None


def _repetitions(repetitions: Repetitions) -> RepetitionsView:
    return RepetitionsView(
        count=repetitions.count,
        examples=[RepetitionView(line=each.line, first=each.first) for each in repetitions.examples],
    )


def lines_view(drop: Drop) -> LinesView:
    """Return the public form of what was taken of a drop's lines."""
    upload = drop.upload
    return LinesView(
        format=upload.format,
        offset=upload.offset,
        lines=upload.lines,
        accepted=upload.accepted,
        tokens=upload.item_tokens if drop.items else upload.accepted,
        refused=upload.refused,
        recipients=RecipientsView(addresses=upload.addresses, users=upload.users, emails=upload.emails),
        repeated_lines=_repetitions(upload.repeated_lines),
        repeated_recipients=_repetitions(upload.repeated_recipients),
    )


def minting_view(drop: Drop, *, now: int) -> MintingView:
    """Return the public form of how far the minting has come; `now` is in Unix milliseconds."""
    rate = drop.lines_per_second(now)
    left = max(0, drop.lines - drop.done)
    return MintingView(
        lines=drop.lines,
        tokens=drop.tokens,
        handed_on=drop.fed,
        tokens_handed_on=drop.tokens_handed_on,
        by_status=dict(drop.counts),
        per_second=None if rate is None else round(rate, 2),
        seconds_left=None if not rate else round(left / rate),
    )


def drop_view(drop: Drop, *, now: int) -> DropView:
    """Return the public form of a drop; `now` is in Unix milliseconds."""
    return DropView(
        drop_id=drop.drop_id,
        name=drop.name,
        contract=drop.contract,
        status=drop.status,
        lines=lines_view(drop),
        preparation=PreparationView(
            parts=drop.upload.parts,
            prepared=drop.prepared_parts,
            users_made=drop.users_made,
            unresolved=drop.unresolved,
            over_cap=drop.over_cap,
        ),
        minting=minting_view(drop, now=now),
        cost=DropCostView(lines=drop.cost.lines, gas=drop.cost.gas, wei=drop.cost.wei),
        root=drop.root,
        authorized_until=rfc3339_or_none(drop.authorized_until),
        paused=None if drop.paused is None else ProblemView(code=drop.paused.code, reason=drop.paused.reason),
        resumes_at=rfc3339_or_none(drop.resumes_at),
        created_at=rfc3339(drop.created_at),
        started_at=rfc3339_or_none(drop.started_at),
        ended_at=rfc3339_or_none(drop.ended_at),
    )
