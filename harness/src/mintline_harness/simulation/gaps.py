"""What a node lacks below its own head: blocks, what came of them, or what its pool held.

All of it is seen: an emulator that lost a block to a reorganisation, a node that has headers before receipts
or whose index of logs is rebuilt, a node that starts again with an empty pool.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from mintline_harness.simulation.chain import Block, SimulatedChain

WIDEST = 3
"""Blocks that one hole takes at most."""

Lack: TypeAlias = Literal["hole", "hollow", "forgetful"]
Shape: TypeAlias = Literal["none", "empty", "bare", "whole"]
"""A block's receipts at a node that tells of no logs: null, an empty list, without logs, as they are."""


@dataclass(frozen=True, slots=True)
class Gaps:
    """A node's gaps; the default has none."""

    blocks: range = range(0)
    """The heights at which it has nothing, though it tells of its head, whatever the height of that."""
    receipts: Shape | None = None
    """What it has of receipts, while it has no logs of any block; None if it has those."""
    forgotten: set[bytes] = field(default_factory=set)
    """The hashes of pending transactions that others still know; sending one to it again ends that."""

    def lacks(self, block: Block) -> bool:
        """Tell whether there is nothing to be had of a block."""
        return block.number in self.blocks

    def receipts_of(self, receipts: list[dict[str, Any]]) -> list[dict[str, Any]] | None:
        """Return a block's receipts as this node has them."""
        match self.receipts:
            case "none":
                return None
            case "empty":
                return []
            case _:
                return [answered for receipt in receipts if (answered := self.receipt(receipt))]

    def receipt(self, receipt: dict[str, Any]) -> dict[str, Any] | None:
        """Return one transaction's receipt as this node has it."""
        match self.receipts:
            case "none" | "empty":
                return None
            case "bare":
                return {**receipt, "logs": []}
            case _:
                return receipt


WHOLE = Gaps()


def open_gaps(lack: Lack, chain: SimulatedChain, rng: random.Random) -> Gaps:
    """Return what a node lacks from now on; a hole is ahead, since what is behind is indexed already."""
    match lack:
        case "hole":
            first = chain.head.number + 1
            return Gaps(blocks=range(first, first + rng.randint(1, WIDEST)))
        case "hollow":
            shapes: tuple[Shape, ...] = ("none", "empty", "bare", "whole")
            return Gaps(receipts=rng.choice(shapes))
        case "forgetful":
            return Gaps(forgotten={sent.hash for sent in chain.pool.values() if rng.random() < 0.7})
