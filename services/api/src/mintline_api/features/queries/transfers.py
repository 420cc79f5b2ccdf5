"""Transfers of several partitions as one list, newest first."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import structlog

from mintline.errors import MintlineError
from mintline.query_keys import moment
from mintline.records.index import Transfer
from mintline_api.chain import ChainReader
from mintline_api.features.queries.ports import LAST_LOG, Partition, QueryIndex, Within
from mintline_api.features.tokens.ports import LAST_BLOCK, BlockRange

log = structlog.get_logger()

MOST_READ = 2000
"""Transfers that one request reads; those that its filters leave out count too."""


@dataclass(frozen=True, slots=True)
class TransferPage:
    """Some transfers, newest first; `after` is the moment that the list goes on before, None at its end."""

    transfers: tuple[Transfer, ...]
    after: str | None


@dataclass(slots=True)
class _Stream:
    """One partition, read in pieces as far as the merge needs it."""

    partition: Partition
    last: str
    """The moment from which the next piece is read."""
    before: str | None
    """The moment before which its transfers are: those of it are done."""
    ended: bool = False
    waiting: deque[tuple[str, Transfer]] = field(default_factory=deque)

    async def fill(self, index: QueryIndex, *, first: str, limit: int) -> int:
        """Read the next piece if nothing is waiting; return how many transfers were read."""
        read = 0
        while not self.waiting and not self.ended:
            part = await index.transfers_in(self.partition, first=first, last=self.last, limit=limit)
            self.waiting += [item for item in part.items if self.before is None or item[0] < self.before]
            read += max(1, len(part.items))
            self.ended = part.after is None
            # The next piece begins at its last moment, with what is in this one already.
            self.last = self.before = part.after or self.last
        return read


async def read_transfers(
    index: QueryIndex,
    partitions: Sequence[Partition],
    *,
    within: Within,
    contract: str | None,
    upper: str,
    after: str | None,
    limit: int,
) -> TransferPage:
    """Return the transfers of all partitions within a range, before the moment `after`.

    A transfer that is in two partitions, from a wallet to itself, comes once. A page may be short, as what it
    reads is bounded.
    """
    first = moment(within.first_time, 0, 0)
    transfers: list[Transfer] = []
    streams = [_Stream(partition, min(upper, after or upper), after) for partition in partitions]
    read, last = 0, after
    while True:
        if read >= MOST_READ and not all(stream.waiting or stream.ended for stream in streams):
            return TransferPage(tuple(transfers), last)
        read += sum(
            await asyncio.gather(*(stream.fill(index, first=first, limit=limit + 1) for stream in streams))
        )
        heads = [stream for stream in streams if stream.waiting]
        if not heads:
            return TransferPage(tuple(transfers), None)
        at, transfer = max((head.waiting[0] for head in heads), key=lambda head: head[0])
        for head in heads:
            if head.waiting[0][0] == at:
                head.waiting.popleft()
        if transfer.block_number < within.blocks.first:
            return TransferPage(tuple(transfers), None)
        last = at
        if transfer.block_number <= within.blocks.last and contract in (None, transfer.contract):
            transfers.append(transfer)
        if len(transfers) == limit:
            rest = any(stream.waiting or not stream.ended for stream in streams)
            return TransferPage(tuple(transfers), last if rest else None)


async def upper_moment(within: Within, *, head: int, chain: ChainReader | None) -> str:
    """Return a moment that no transfer of the range is after, so that reading may begin there.

    Of a range that ends at an earlier block it takes that block's time, which a node knows. Without one,
    reading begins at the newest transfer, and leaves out what is above the range.
    """
    number = within.blocks.last
    latest = moment(within.last_time, LAST_BLOCK, LAST_LOG)
    if number >= head or chain is None:
        return latest
    try:
        block = await chain.block(number, full=False)
    except MintlineError as error:
        log.warning("block_time_unknown", block_number=number, reason=str(error))
        return latest
    return latest if block is None else min(latest, moment(block.timestamp, number, LAST_LOG))


def block_range(first: int | None, last: int | None) -> BlockRange:
    """Return a range of blocks of which either end may be open."""
    return BlockRange(0 if first is None else first, LAST_BLOCK if last is None else last)
