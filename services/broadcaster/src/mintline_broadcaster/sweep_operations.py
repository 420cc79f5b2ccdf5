"""The operations of one pass of the sweep, a portion at a time: of any number, a pass holds few records."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

from mintline.records.operations import Mint, Operation
from mintline.records.problems import TOKEN_ON_CHAIN
from mintline.states import MintStatus
from mintline_broadcaster.ports import TransactionStore
from mintline_broadcaster.vouchers import WAITING as VOUCHERS

PORTION = 1_000
"""Records that a pass holds at once."""
RESTING_SECONDS = 300
"""How long what needs nothing from here is not read again: of a reorg the indexer tells by itself."""
LONGEST_REST_SECONDS = 3600
"""The longest rest of a voucher: it lengthens with the time for which nobody redeemed it."""
REST_SHARE = 4
"""A voucher rests for so many parts of that time, but not past its deadline."""

UNSENT = frozenset({MintStatus.ACCEPTED, MintStatus.BUILT})
WAITING = UNSENT | {MintStatus.SUBMITTED}


class PassReader:
    """Reads operations for one pass, which asks for some of them twice.

    The records are kept until the end of a pass that needs no more than a portion of them; otherwise they are
    read once more.
    """

    def __init__(self, store: TransactionStore) -> None:
        self._store = store
        self._kept: dict[str, Operation] = {}

    async def portions(self, ids: Sequence[str]) -> AsyncIterator[list[Operation]]:
        """Yield the operations that are on record, in the order of their ids."""
        for start in range(0, len(ids), PORTION):
            names = ids[start : start + PORTION]
            missing = [name for name in names if name not in self._kept]
            read = await self._store.operations(missing) if missing else {}
            if len(ids) <= PORTION:
                self._kept |= read
            readable = self._kept | read
            yield [readable[name] for name in names if name in readable]


@dataclass(frozen=True, slots=True)
class LeftBehind:
    """A mint that may have been left behind, by what is needed of many at once."""

    mint_id: str
    contract: str
    token_id: int | None


@dataclass(slots=True)
class SweptOperations:
    """What a pass of the sweep collects from the operations that it reads."""

    left: list[LeftBehind] = field(default_factory=list)
    """Mints to settle, if the index has their ends."""
    oldest: int | None = None
    """When the oldest was created that waits for the pipeline, in Unix milliseconds."""
    _lines: dict[tuple[str, int], tuple[int, str]] = field(default_factory=dict)

    def note(self, operation: Operation, *, now: int) -> bool:
        """Note an operation; tell whether it is one to be sent on by itself, once that is due."""
        if operation.status in WAITING:
            self.oldest = min(operation.created_at, self.oldest or operation.created_at)
        if not isinstance(operation, Mint):
            return operation.status in UNSENT
        if may_be_left(operation, now=now):
            self.left.append(LeftBehind(operation.mint_id, operation.contract, operation.token_id))
        if operation.status not in UNSENT:
            return False
        if (line := operation.request) is None:
            return True
        chunk, own = (line.request_id, line.chunk), (line.line, operation.mint_id)
        self._lines[chunk] = min(own, self._lines.get(chunk, own))
        return False

    @property
    def first_lines(self) -> list[str]:
        """The first line of each chunk of a request for many mints, of those that are to be sent on.

        It stands for the others, which the builder finds by their chunk: so it is marked, and they are not.
        """
        return [mint_id for _, mint_id in self._lines.values()]


def rest(operation: Operation, *, now: int) -> int:
    """Return for how many milliseconds an operation that needs nothing from here is not read again.

    So a voucher that nobody redeems is looked for once an hour, and not twelve times. One that is redeemed
    through this copy is woken. Of one that its user redeemed without us the indexer tells, and ends it;
    should it miss that, the sweep does so once the rest is over.
    """
    shortest = RESTING_SECONDS * 1000
    if not isinstance(operation, Mint) or operation.status is not MintStatus.ISSUED:
        return shortest
    longer = min((now - operation.updated_at) // REST_SHARE, LONGEST_REST_SECONDS * 1000)
    if operation.deadline is not None:
        longer = min(longer, operation.deadline * 1000 - now)
    return max(shortest, longer)


def may_be_left(mint: Mint, *, now: int) -> bool:
    """Tell whether a mint has stood so long where only the chain moves it that the index is worth asking."""
    waits = mint.status is MintStatus.MINED or (mint.custody == "self" and mint.status in VOUCHERS)
    if mint.status is MintStatus.ACCEPTED:
        return mint.waiting is not None and mint.waiting.code == TOKEN_ON_CHAIN.code
    late = mint.deadline is not None and mint.deadline * 1000 < now
    return waits and (late or now - mint.updated_at >= RESTING_SECONDS * 1000)
