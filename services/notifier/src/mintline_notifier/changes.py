"""Changes of records as the tables' streams have them, and the port that reads them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from mintline.aws.items import Item
from mintline.errors import MintlineError
from mintline.resource_types import Table
from mintline.resources import (
    DROPS,
    LINKS,
    METADATA_VERSIONS,
    MINTS,
    NOTICES,
    TRANSACTIONS,
    TRANSFERS,
    WALLETS,
)

SOURCES = (MINTS, DROPS, WALLETS, LINKS, TRANSFERS, METADATA_VERSIONS, NOTICES, TRANSACTIONS)
"""Tables whose changes become events."""


SECOND_MS = 1_000
"""A stream tells the time of a change to the second."""


class Trimmed(MintlineError):  # noqa: N818 - named for what happened
    """What follows a position is not in the stream any more: it was read too late, or the stream is new."""


@dataclass(frozen=True, slots=True)
class Shard:
    """A part of a table's stream: changes of one item are in one shard, or in its children later."""

    table: Table
    shard_id: str
    parent: str | None = None

    @property
    def name(self) -> str:
        """What cursors and marks call it."""
        return f"{self.table.name}#{self.shard_id}"


class Change(NamedTuple):
    """One write of one item: as it was (None: not there), and as it is (None: deleted)."""

    table: Table
    number: str
    """Its sequence number, in decimal: rising within a shard, and from a shard to its children."""
    at: int
    """Unix milliseconds, to the second: the change was within the second that follows."""
    old: Item | None
    """Of an operation between whose two states no step is, it may have only what tells that (`STEPPING`)."""
    new: Item | None


class Read(NamedTuple):
    """What followed a position of a shard; one that has `ended` will never have more."""

    changes: Sequence[Change]
    ended: bool
    more: bool = False
    """Whether it pays to read on at once."""


class ChangeStreams(Protocol):
    """The change streams of one deployment."""

    async def shards(self) -> Sequence[Shard]:
        """Return all shards of all streams, parents before their children."""

    async def read(self, shard: Shard, after: str | None) -> Read:
        """Return some of the changes after a sequence number; None: from the oldest that there is.

        Raises Trimmed if there may have been changes after it that are there no more.
        """
