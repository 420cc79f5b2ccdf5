"""Follows the mints of the chunks that a drop handed on, until all have ended.

Before its mints are mined a chunk's are all read, every few seconds. Once they are, they wait for finality
alone: then one mint of each transaction is read, and all of them once more when those are final.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from mintline.drop_records import DONE, Drop, DropCost, DropPart
from mintline.records.operations import Mint
from mintline.states import MintStatus
from mintline_api.features.bulk.ports import LineStore
from mintline_api.features.drops.costs import DropCosts
from mintline_api.features.drops.leases import Leased
from mintline_api.features.drops.mints import mint_ids
from mintline_api.features.drops.use_cases import moved

NOTHING = DropCost()
_ENDED = frozenset({MintStatus.FINALIZED, MintStatus.REJECTED, MintStatus.REVERTED})


@dataclass(slots=True)
class _Followed:
    """A chunk that was handed on, and what was read of its mints."""

    part: DropPart
    counts: Counter[str]
    tokens_done: int = 0
    """Of items: those of the mints that were mined, or have ended."""
    cost: DropCost = NOTHING
    waiting_for: tuple[str, ...] = ()
    """Mints whose transactions are not final; empty while not all are mined."""

    def take(self, mints: Sequence[Mint], cost: DropCost) -> None:
        """Note the chunk's mints as they were read, and what they cost."""
        self.counts = Counter(mint.status.value for mint in mints)
        # What is unreadable is set aside for an operator, and counts as it did at first.
        if missing := self.part.lines - len(mints):
            self.counts[MintStatus.ACCEPTED.value] += missing
        self.tokens_done = sum(mint.quantity or 0 for mint in mints if mint.status in DONE)
        self.cost = cost
        self.waiting_for = _one_of_each_transaction(mints) if self.mined else ()

    @property
    def mined(self) -> bool:
        return sum(self.counts[status] for status in DONE) == self.part.lines

    @property
    def settled(self) -> bool:
        return sum(self.counts[status] for status in _ENDED) == self.part.lines


@dataclass(slots=True)
class Following:
    """The chunks of one drop whose mints have not all ended."""

    lines: LineStore
    costs: DropCosts
    _chunks: dict[int, _Followed] = field(default_factory=dict)
    _settled: Counter[str] = field(default_factory=Counter)
    """Mints of the chunks whose mints have all ended."""
    _settled_cost: DropCost = NOTHING
    _settled_tokens: int = 0

    def add(self, part: DropPart) -> None:
        """Follow a part that was handed on, or remember how it ended."""
        assert part.chunk is not None
        if part.counts is not None:
            self._settled.update(part.counts)
            self._settled_cost += part.cost
            self._settled_tokens += part.item_tokens
        else:
            accepted = Counter({MintStatus.ACCEPTED.value: part.lines})
            self._chunks[part.chunk] = _Followed(part, accepted)

    @property
    def parts(self) -> list[DropPart]:
        """The parts whose mints have not all ended."""
        return [followed.part for followed in self._chunks.values()]

    @property
    def in_flight(self) -> int:
        """How many chunks have mints that are neither mined nor ended."""
        return sum(not followed.mined for followed in self._chunks.values())

    async def poll(self, held: Leased, *, final: bool) -> None:
        """Read the mints that are on their way, and put on record what changed.

        `final`: also look whether those that are mined are final by now.
        """
        due = [
            followed
            for followed in list(self._chunks.values())
            if not followed.mined or (final and await self._all_final(followed))
        ]
        read = [await self.lines.mints(mint_ids(followed.part)) for followed in due]
        # Together: a node that hangs holds the drop up once, and not for each chunk.
        costs = await asyncio.gather(*(self.costs.of(mints.values()) for mints in read))
        for followed, mints, cost in zip(due, read, costs, strict=True):
            followed.take(list(mints.values()), cost)
        await self._commit(held)

    async def _all_final(self, followed: _Followed) -> bool:
        if not followed.waiting_for:
            return True
        mints = await self.lines.mints(followed.waiting_for)
        return any(mint.status is not MintStatus.MINED for mint in mints.values())

    async def _commit(self, held: Leased) -> None:
        """Put the counts on record, and of chunks whose mints have all ended that they have."""
        for number, followed in list(self._chunks.items()):
            if followed.settled:
                await self._settle(held, number, followed)
        counts, cost, tokens, now = self.counts(), self.cost(), self.tokens_done(), held.now()

        def change(drop: Drop) -> Drop | None:
            if (dict(drop.counts), drop.cost, drop.done_item_tokens) == (counts, cost, tokens):
                return None
            return moved(drop, now=now, counts=counts, cost=cost, done_item_tokens=tokens)

        await held.update(change)

    async def _settle(self, held: Leased, number: int, followed: _Followed) -> None:
        now = held.now()
        settled = followed.part.evolve(counts=dict(followed.counts), cost=followed.cost)
        await held.update(lambda drop: moved(drop, now=now, settled_chunks=drop.settled_chunks + 1), settled)
        del self._chunks[number]
        self._settled.update(followed.counts)
        self._settled_cost += followed.cost
        self._settled_tokens += followed.part.item_tokens

    def tokens_done(self) -> int:
        """Return how many tokens of items were mined, or have ended otherwise."""
        return sum((followed.tokens_done for followed in self._chunks.values()), self._settled_tokens)

    def cost(self) -> DropCost:
        """Return what the mints that are mined cost, as far as that is known."""
        return sum((followed.cost for followed in self._chunks.values()), self._settled_cost)

    def counts(self) -> dict[str, int]:
        """Return how many mints have which status."""
        total = Counter(self._settled)
        for followed in self._chunks.values():
            total.update(followed.counts)
        return {status: count for status, count in sorted(total.items()) if count}


def first_mint_id(part: DropPart) -> str:
    """Return the id of the mint of a part's first line."""
    return mint_ids(part)[0]


def _one_of_each_transaction(mints: Iterable[Mint]) -> tuple[str, ...]:
    """Return one mint for each transaction that is mined and not final."""
    by_transaction = {
        (None if mint.sender is None else mint.sender.address, mint.nonce): mint.mint_id
        for mint in mints
        if mint.status is MintStatus.MINED
    }
    return tuple(by_transaction.values())
