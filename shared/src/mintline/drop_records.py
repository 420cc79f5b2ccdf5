"""Drops: many lines that a machine client uploads, prepares and starts, and that are minted as one request.

::

    draft ──▶ preparing ──▶ prepared ──▶ running ──▶ completed
      │           │             │        │    ▲
      │           │             │        ▼    │
      └───────────┴─────────────┴──▶ cancelled ◀── paused

A drop's lines lie in parts of at most 250: an item a part in `drop-parts`, and the lines themselves in the
bucket of drops. Times are Unix milliseconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Literal

from pydantic import Field

from mintline.fields import Address, BoundedText, Bytes32, Quantity, TokenId, Uint256, Wei
from mintline.frozen import Frozen
from mintline.lines import MAX_CHUNK
from mintline.messages.parts import EnvelopeBytes
from mintline.records.problems import Problem
from mintline.states import MintStatus

PART_LINES = MAX_CHUNK
"""Lines of one part, at most: each part becomes a chunk of a request for many mints (`mintline.lines`)."""
PART_BYTES = 2 * 1024 * 1024
"""Bytes of one part's lines, at most; one line more may have gone in before that is seen."""
MAX_LINES = 100_000
"""Lines of one drop, at most."""
EXAMPLES = 50
"""Repetitions that a drop's summary names, at most, of each kind."""
KEPT_DAYS = 30
"""Days for which the lines of a drop are kept."""


class DropStatus(StrEnum):
    """The status of a drop."""

    DRAFT = "draft"
    """Takes lines."""
    PREPARING = "preparing"
    """Users, wallets and token ids are being made for its lines."""
    PREPARED = "prepared"
    """Everything is there but the client's authorization."""
    RUNNING = "running"
    """Its lines are being handed to the pipeline, or are on their way."""
    PAUSED = "paused"
    """No more lines are handed on; those that were are minted all the same."""
    COMPLETED = "completed"
    """Each line has ended: as a token in a final block, or for the reason on its mint."""
    CANCELLED = "cancelled"
    """No more lines are handed on, ever."""


ENDED = frozenset({DropStatus.COMPLETED, DropStatus.CANCELLED})
DONE = (MintStatus.MINED, MintStatus.FINALIZED, MintStatus.REJECTED, MintStatus.REVERTED)
"""Statuses of mints that wait for nothing but finality."""


class Repetition(Frozen):
    """A line that has something that an earlier line has; both are counted from 1."""

    line: int = Field(ge=1)
    first: int = Field(ge=1)


class Repetitions(Frozen):
    """How many lines repeat something, and the first of them."""

    count: int = Field(default=0, ge=0)
    examples: tuple[Repetition, ...] = ()

    def and_also(self, repetition: Repetition) -> Repetitions:
        """Return these with one more."""
        examples = self.examples if len(self.examples) >= EXAMPLES else (*self.examples, repetition)
        return Repetitions(count=self.count + 1, examples=examples)


class Upload(Frozen):
    """What was taken of the lines so far."""

    format: Literal["ndjson", "csv"] | None = None
    columns: tuple[str, ...] = ()
    """Of CSV: the names of the columns, in order, as the latest header row has them."""
    offset: int = Field(default=0, ge=0)
    """Bytes that were taken, whole lines alone."""
    lines: int = Field(default=0, ge=0)
    """Lines that were read, blank ones and header rows included: the number of the last one."""
    parts: int = Field(default=0, ge=0)
    accepted: int = Field(default=0, ge=0)
    item_tokens: Uint256 = 0
    """Of a drop of items: tokens of the accepted lines."""
    refused: int = Field(default=0, ge=0)
    addresses: int = Field(default=0, ge=0)
    """Distinct recipients that are addresses, among the accepted lines."""
    users: int = Field(default=0, ge=0)
    emails: int = Field(default=0, ge=0)
    repeated_lines: Repetitions = Repetitions()
    repeated_recipients: Repetitions = Repetitions()


class DropCost(Frozen):
    """What mints of a drop cost on chain: each its share of the transaction that made it."""

    lines: int = Field(default=0, ge=0)
    """Mints whose transactions' receipts were read; others are on their way, or no node had the receipt."""
    gas: int = Field(default=0, ge=0)
    wei: Wei = 0

    def __add__(self, other: DropCost) -> DropCost:
        """Return the cost of both."""
        return DropCost(lines=self.lines + other.lines, gas=self.gas + other.gas, wei=self.wei + other.wei)


class Lease(Frozen):
    """Which process works on a drop, and until when unless it says so again."""

    owner: str
    until: int


class Drop(Frozen):
    """One drop. `version` counts its changes, each of which is conditional on it."""

    drop_id: str
    version: int = Field(ge=0)
    client_id: str
    chain_id: int
    contract: Address
    items: bool = False
    """Whether its collection is of ERC-1155: a line is any number of tokens of an item then, else one."""
    name: BoundedText
    status: DropStatus
    request_digest: str
    """SHA-256 (hex) of the request that created it."""
    trace: BoundedText = ""
    created_at: int
    updated_at: int
    upload: Upload = Upload()
    prepared_parts: int = Field(default=0, ge=0)
    users_made: int = Field(default=0, ge=0)
    """Users who were made for its e-mail addresses."""
    unresolved: int = Field(default=0, ge=0)
    """Lines that the preparation refused: their recipient could not be found, has no wallet that may receive,
    a cap leaves no token for them, or their item has no metadata, or other metadata."""
    over_cap: int = Field(default=0, ge=0)
    """How many of those are refused for the supply cap, or their item's cap."""
    chunks: int = Field(default=0, ge=0)
    """Prepared parts that have lines to be minted."""
    lines: int = Field(default=0, ge=0)
    """Lines to be minted, once it is prepared."""
    item_tokens: Uint256 = 0
    """Of a drop of items: tokens of those lines."""
    most_item_tokens: Uint256 = 0
    """Of a drop of items: tokens of the chunk that has most."""
    root: Bytes32 | None = None
    """The Merkle root over the roots of its chunks (`mintline.lines`)."""
    envelope: EnvelopeBytes = Field(default=b"", repr=False)
    """The authorization of its client under the root: of the latest `start` or `resume`."""
    authorized_until: int | None = None
    """When the token in it expires, in Unix milliseconds."""
    fed_chunks: int = Field(default=0, ge=0)
    """Chunks that were handed to the pipeline: the first so many."""
    fed: int = Field(default=0, ge=0)
    """Lines in them."""
    fed_item_tokens: Uint256 = 0
    """Of a drop of items: tokens of those lines."""
    settled_chunks: int = Field(default=0, ge=0)
    """Chunks of them whose mints have all ended."""
    counts: Mapping[str, int] = Field(default_factory=dict)
    """The mints of the lines that were handed on, by their public status."""
    done_item_tokens: Uint256 = 0
    """Of a drop of items: tokens of the mints that were mined, or have ended."""
    cost: DropCost = DropCost()
    """Of those of them that were mined."""
    running_since: int | None = None
    """When it was started, or resumed last."""
    done_before: int = Field(default=0, ge=0)
    """Lines that were mined, or had ended, by then."""
    started_at: int | None = None
    ended_at: int | None = None
    paused: Problem | None = None
    """Why it is paused, or why its preparation cannot go on."""
    resumes_at: int | None = None
    """When it goes on by itself; None if it waits for its client."""
    cancelled_at: int | None = None
    lease: Lease | None = None

    @property
    def open(self) -> bool:
        """Whether a runner has something to do by itself, now or at `resumes_at`."""
        if self.status is DropStatus.CANCELLED:
            return self.ended_at is None
        if self.status is DropStatus.PAUSED:
            return self.resumes_at is not None or self.settled_chunks < self.fed_chunks
        return self.status in (DropStatus.PREPARING, DropStatus.RUNNING)

    @property
    def done(self) -> int:
        """Lines that were mined, or have ended."""
        return sum(self.counts.get(status, 0) for status in DONE)

    @property
    def tokens(self) -> int:
        """Tokens to be minted, once it is prepared."""
        return self.item_tokens if self.items else self.lines

    @property
    def tokens_handed_on(self) -> int:
        """Tokens of the lines that were handed on."""
        return self.fed_item_tokens if self.items else self.fed

    @property
    def tokens_done(self) -> int:
        """Tokens of the lines that were mined, or have ended."""
        return self.done_item_tokens if self.items else self.done

    def tokens_of(self, part: DropPart) -> int:
        """Return how many tokens a part's lines are."""
        return part.item_tokens if self.items else part.lines

    @property
    def may_hand_on(self) -> int:
        """How many tokens it has handed on or may still hand on, unless it is started again."""
        if self.status is not DropStatus.CANCELLED:
            return self.tokens
        # A process that has it may be in the middle of a chunk.
        chunk = self.most_item_tokens if self.items else PART_LINES
        return min(self.tokens, self.tokens_handed_on + (chunk if self.lease is not None else 0))

    def lines_per_second(self, now: int) -> float | None:
        """Return how many lines were mined a second since it was started or resumed; None before any was."""
        if self.running_since is None or now <= self.running_since or self.done <= self.done_before:
            return None
        return (self.done - self.done_before) * 1000 / (now - self.running_since)


class DropPart(Frozen):
    """Up to 250 lines of a drop that are handed on together."""

    drop_id: str
    number: int = Field(ge=0)
    accepted: int = Field(ge=0)
    """Lines in the object `lines_key`."""
    refused: int = Field(ge=0)
    """Lines in the object `refused_key`."""
    size: int = Field(ge=0)
    """Bytes of both objects."""
    lines_key: str | None = None
    refused_key: str | None = None
    chunk: int | None = None
    """Its number among the drop's chunks, once it is prepared and has lines to be minted."""
    lines: int = Field(default=0, ge=0)
    """Lines in the object `prepared_key`."""
    item_tokens: Uint256 = 0
    """Of a drop of items: tokens of those lines."""
    prepared_key: str | None = None
    unresolved: int = Field(default=0, ge=0)
    unresolved_key: str | None = None
    first_token_id: TokenId | None = None
    root: Bytes32 | None = None
    """The Merkle root over the part's lines."""
    counted: int = Field(default=0, ge=0)
    """How many of its lines were counted against the client's budget."""
    fed_at: int | None = None
    counts: Mapping[str, int] | None = None
    """Its mints by their status, once all have ended."""
    cost: DropCost = DropCost()
    """What they cost, once all have ended."""


class SupplyReservations(Frozen):
    """What the drops of one collection with a supply cap are to mint; `version` counts its changes.

    A drop's number holds what it has handed on too: how much of that is still to come is on its own record.
    """

    chain_id: int
    contract: Address
    version: int = Field(default=0, ge=0)
    drops: Mapping[str, int] = Field(default_factory=dict)
    """Tokens for each drop, by its id."""


class ResolvedLine(Frozen):
    """One line as it is handed on: its number, who receives the token, and what the token is."""

    line: int = Field(ge=1)
    sub: str
    """The user whose mint it is; the client of a bare address."""
    to: Address
    metadata: str | None = None
    """Canonical JSON; None for a line of an item, whose metadata is stored already."""
    metadata_digest: Bytes32 | None = None
    """SHA-256 of an item's metadata; None in an ERC-721 collection."""
    external_id: str | None = None
    tags: tuple[str, ...] | None = None
    item_id: TokenId | None = None
    quantity: Quantity | None = None


def part_key(number: int) -> str:
    """Return the sort key of a part."""
    return f"part#{number:06d}"


def reservations_id(chain_id: int, contract: str) -> str:
    """Return the partition key of a collection's reservations among the parts of drops."""
    return f"{chain_id}#{contract}"


def marks_key(number: int) -> str:
    """Return the sort key of what a part's repetitions are known by."""
    return f"marks#{number:06d}"
