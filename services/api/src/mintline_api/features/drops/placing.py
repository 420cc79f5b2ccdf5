"""Which lines of a part the caps allow: the collection's, beside what drops have reserved, and the items'."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from mintline_api.features.collections.minting import Left
from mintline_api.features.drops.items import DropItems
from mintline_api.features.drops.lines import StoredLine


@dataclass(slots=True)
class Placing:
    """Places lines in their order; one for which there is no room leaves it to smaller ones after it."""

    left: Left | None
    """What the collection's supply cap leaves; None without one."""
    items: DropItems | None
    """In an ERC-1155 collection."""
    refused: list[StoredLine] = field(default_factory=list)
    """Of the latest call, those for which there is no room."""

    def place(self, lines: Sequence[StoredLine]) -> list[StoredLine]:
        """Return the lines for which there is room, which they take."""
        placed: list[StoredLine] = []
        self.refused = []
        for line in lines:
            if self._within_supply(line) and (self.items is None or self.items.has_room(line)):
                self._take(line.tokens)
                if self.items is not None:
                    self.items.take(line)
                placed.append(line)
            else:
                self.refused.append(line)
        return placed

    def give_back(self, line: StoredLine) -> None:
        """Leave the room of a line to others: it is not minted."""
        self._take(-line.tokens)
        if self.items is not None:
            self.items.take(line, back=True)

    def may_find_room(self) -> bool:
        """Tell whether a line found none for tokens alone that may be counted twice, and so for a moment."""
        return any(
            self.left is not None
            and self.left.tokens < line.tokens <= self.left.at_most
            and (self.items is None or self.items.has_room(line))
            for line in self.refused
        )

    def _within_supply(self, line: StoredLine) -> bool:
        return self.left is None or line.tokens <= self.left.tokens

    def _take(self, tokens: int) -> None:
        if self.left is not None:
            self.left = Left(self.left.tokens - tokens, self.left.at_most - tokens)
