"""What queries need from the index."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

from mintline.query_keys import moment
from mintline.records.index import Checkpoint, Token, Transfer
from mintline_api.features.tokens.ports import EVERY_BLOCK, LAST_BLOCK, BlockRange

LAST_LOG = 999_999
LAST_TIME = 10**11 - 1
"""The latest Unix second that a moment has room for."""
LAST_MOMENT = moment(LAST_TIME, LAST_BLOCK, LAST_LOG)

TransferIndex: TypeAlias = Literal["by_contract", "by_sender", "by_recipient"]


@dataclass(frozen=True, slots=True)
class Partition:
    """One partition of an index of transfers, which is sorted by moment (`mintline.query_keys`)."""

    index: TransferIndex
    key: str


@dataclass(frozen=True, slots=True)
class TransfersPart:
    """Some of a partition's transfers with their moments, newest first.

    `after` is the moment that the rest is before, None at the partition's end.
    """

    items: tuple[tuple[str, Transfer], ...]
    after: str | None


@dataclass(frozen=True, slots=True)
class OwnersPart:
    """The owners of some of a collection's tokens, one for each token, in the order of their keys.

    `after` is the key that the rest is after, None at the partition's end.
    """

    owners: tuple[str, ...]
    after: str | None


@dataclass(frozen=True, slots=True)
class HoldersPart:
    """Some holders of an item with how much each has, by address.

    `after` is the one that the rest is after, None at the partition's end.
    """

    holders: tuple[tuple[str, int], ...]
    after: str | None


@dataclass(frozen=True, slots=True)
class Within:
    """A range of blocks, and of their times in Unix seconds; both ends are included."""

    blocks: BlockRange = EVERY_BLOCK
    first_time: int = 0
    last_time: int = LAST_TIME


class Checkpoints(Protocol):
    """How fresh the index is, and its tokens."""

    async def checkpoint(self) -> Checkpoint | None:
        """Return how far the index has come; None before its first block."""
        ...

    async def token(self, contract: str, token_id: int) -> Token | None:
        """Return a token that was ever minted."""
        ...


class QueryIndex(Checkpoints, Protocol):
    """The index's lists of holders and transfers."""

    async def owners_in(
        self, contract: str, shard: int, *, items: bool, after: str, limit: int
    ) -> OwnersPart:
        """Return the owners of a collection's tokens, or `items`, in one shard, from the key `after` on."""
        ...

    async def holders_in(
        self, contract: str, token_id: int, shard: int, *, after: str | None, limit: int
    ) -> HoldersPart:
        """Return the holders of an item in one shard, after one of them."""
        ...

    async def transfers_in(self, partition: Partition, *, first: str, last: str, limit: int) -> TransfersPart:
        """Return a partition's transfers from the moment `last` back to `first`, both included."""
        ...
