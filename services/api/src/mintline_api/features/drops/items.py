"""The ERC-1155 items that a drop's lines are of: whether each line fits its item's metadata and cap.

::

    lines of a part ─▶ what is known of their items ─▶ metadata ─▶ cap ─▶ recipients ─▶ first versions
                                   1                      2         3                         4

The first line of an item that has no metadata gives it its own; from 4 on that is on record, as after a first
mint. Until then a line says nothing to anybody but the lines of its part after it. Texts are held for one
part alone, digests for the whole drop.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from mintline.canonical_json import digest_of
from mintline.drop_records import Drop, ResolvedLine
from mintline.errors import Unavailable
from mintline.records.collections import RegisteredContract
from mintline.tasks import for_each
from mintline_api.features.drops.lines import LineFault, StoredLine
from mintline_api.features.items.problems import ITEM_METADATA_DIFFERS
from mintline_api.features.items.supplies import ItemSupplies
from mintline_api.features.items.use_cases import Items

AT_ONCE = 16
"""Items that are asked about at a time."""
ITEM_FULL = "item_full"
"""The code with which a mint ends for which its item's cap has no room."""


@dataclass(slots=True, kw_only=True)
class DropItems:
    """The items of one drop, as far as its lines were looked at; they are to be, in their order."""

    collection: RegisteredContract
    items: Items
    supplies: ItemSupplies
    once: bool = False
    """Whether the cap of an item is asked for once alone; else with each part, as the chain is then."""
    spent: Counter[int] = field(default_factory=Counter)
    """Tokens of the drop's earlier parts, by item."""
    _digests: dict[int, bytes | None] = field(default_factory=dict)
    """Of the metadata on record; None for an item that has none."""
    _texts: dict[int, str] = field(default_factory=dict)
    """What a line of the part says of an item that has none."""
    _left: dict[int, int] = field(default_factory=dict)
    """Tokens that the caps of items leave; an item without a cap is not in it."""
    _uncapped: set[int] = field(default_factory=set)

    async def learn(self, lines: Sequence[StoredLine]) -> None:
        """Learn what is to be known of the items of a part's lines; raises Unavailable if no node answers."""
        await for_each({_item_of(line) for line in lines}, self._learn, at_once=AT_ONCE)

    @property
    def learned(self) -> int:
        """Of how many items something is known."""
        return len(self._digests)

    async def _learn(self, item_id: int) -> None:
        if item_id not in self._digests:
            self._digests[item_id] = await self.items.digest(self.collection.contract, item_id)
        if item_id not in self._uncapped and not (self.once and item_id in self._left):
            await self._learn_cap(item_id)

    async def _learn_cap(self, item_id: int) -> None:
        if self.supplies.chain is None:
            return
        supply = await self.supplies.of(self.collection, item_id)
        if supply is None:
            raise Unavailable("no node says how many tokens of an item were minted")
        if supply.left is None:
            self._uncapped.add(item_id)
        else:
            self._left[item_id] = supply.left - self.spent[item_id]

    def misfit(self, line: StoredLine) -> LineFault | None:
        """Return what is wrong with a line's metadata, if anything; else later lines are held to it."""
        item_id = _item_of(line)
        digest = self._digests[item_id]
        if digest is None and line.metadata is None and item_id not in self._texts:
            detail = f"expected metadata: item {item_id} has none, and no line before this one has it"
            return LineFault(pointer="#/metadata", detail=detail)
        if digest is None:
            digest = digest_of(self._texts.setdefault(item_id, line.metadata or ""))
        if line.metadata is None or digest_of(line.metadata) == digest:
            return None
        detail = f"item {item_id} of {self.collection.contract} has other metadata"
        return LineFault(pointer="#/metadata", detail=detail, code=ITEM_METADATA_DIFFERS.slug)

    def spend(self, line: ResolvedLine) -> None:
        """Count a line of an earlier part."""
        if line.item_id is not None:
            self.spent[line.item_id] += line.quantity or 0

    def has_room(self, line: StoredLine) -> bool:
        """Tell whether an item's cap leaves a line's tokens."""
        left = self._left.get(_item_of(line))
        return left is None or line.tokens <= left

    def take(self, line: StoredLine, *, back: bool = False) -> None:
        """Count a line's tokens against its item's cap, or no more."""
        item_id = _item_of(line)
        if item_id in self._left:
            self._left[item_id] += line.tokens if back else -line.tokens

    def over_cap(self, line: StoredLine) -> LineFault:
        """Return the refusal of a line for which its item's cap has no room."""
        detail = f"the cap of item {_item_of(line)} leaves too few tokens for this line"
        return LineFault(pointer="#/quantity", detail=detail, code=ITEM_FULL)

    async def begin(self, drop: Drop, lines: Sequence[StoredLine], *, now: int) -> None:
        """Put the first metadata of these lines' items on record; another's that came before holds."""

        async def fix_item(item_id: int) -> None:
            self._digests[item_id] = await self.items.fix(
                self.collection.contract,
                item_id,
                self._texts[item_id],
                client_id=drop.client_id,
                operation_id=drop.drop_id,
                now=now,
            )

        await for_each(self._new(lines), fix_item, at_once=AT_ONCE)
        # What was said of an item of which no line is minted binds no later part.
        self._texts.clear()

    def suppose(self, lines: Sequence[StoredLine]) -> None:
        """Go on as though `begin` had put the metadata of these lines' items on record."""
        for item_id in self._new(lines):
            self._digests[item_id] = digest_of(self._texts[item_id])
        self._texts.clear()

    def _new(self, lines: Sequence[StoredLine]) -> set[int]:
        """Return the items of some lines that have no metadata on record."""
        return {item_id for line in lines if self._digests[item_id := _item_of(line)] is None}

    def digest(self, line: StoredLine) -> bytes:
        """Return the SHA-256 of the metadata of a line's item, which `begin` made sure of."""
        digest = self._digests[_item_of(line)]
        assert digest is not None
        return digest


def _item_of(line: StoredLine) -> int:
    assert line.item_id is not None
    return line.item_id
