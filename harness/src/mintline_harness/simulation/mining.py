"""The chain's own pace, and its whims: blocks, reorganisations, what its pool forgets, and fees."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence

from mintline.eth import GWEI
from mintline_harness.simulation.calls import called, item_call
from mintline_harness.simulation.chain import SimulatedChain
from mintline_harness.simulation.contract import Redemption, TransferCall
from mintline_harness.simulation.endpoints import Endpoints
from mintline_harness.simulation.process import Faults
from mintline_harness.simulation.signed_calls import SignedCall

TURNING = "0x" + "7" * 40
"""A recipient that takes tokens, and now and then does not."""
SEEN_WITHIN = 8.0
"""Seconds within which an index that nothing keeps from it has read a block."""
FINALITY = 3
"""Blocks by which what is final is behind."""


class Mining:
    """Makes blocks; `true_time` is in Unix seconds."""

    def __init__(
        self,
        chain: SimulatedChain,
        endpoints: Endpoints,
        *,
        faults: Faults,
        rng: random.Random,
        note: Callable[[str, str], None],
        true_time: Callable[[], float],
    ) -> None:
        self._chain = chain
        self._endpoints = endpoints
        self._faults = faults
        self._rng = rng
        self._note = note
        self._true_time = true_time
        self._block_time = rng.choice([1.0, 2.0, 4.0])
        self._turning = False

    async def run(self, kinds: Sequence[str]) -> None:
        """Mine until cancelled; `kinds` are what may go wrong in the schedule."""
        chain, rng = self._chain, self._rng
        self._turning = "recipient" in kinds
        while True:
            await asyncio.sleep(self._block_time)
            calm = self._faults.over
            eagerness = 1.0 if calm else rng.choice([0.0, 0.5, 1.0, 1.0])
            block = chain.mine(self._true_time(), eagerness=1.0 if self._turned() else eagerness)
            self._endpoints.mined(self._true_time())
            if block.outcomes:
                self._note("chain", f"mines {len(block.outcomes)} transactions in block {block.number}")
                refused = "recipient" in kinds and any(outcome.revert for outcome in block.outcomes)
                if not calm and (refused or ("reorg" in kinds and rng.random() < 0.3)):
                    # Reorganisations that undo something are the ones that matter.
                    longest = SEEN_WITHIN if refused else 2 * self._block_time
                    await asyncio.sleep(rng.uniform(0, longest))
                    self._reorganise(1 + chain.head.number - block.number)

    def reorganise(self) -> None:
        """Replace some of what is not final yet by another branch."""
        self._reorganise(self._rng.randint(1, FINALITY))

    def leave(self, number: int) -> None:
        """Replace the block of that number and those above it, unless it is final."""
        if number > self._chain.finalized:
            self._reorganise(1 + self._chain.head.number - number)

    def _reorganise(self, depth: int) -> None:
        gone = self._chain.reorganise(depth, self._true_time(), kept=self._rng.choice([0.0, 0.5, 1.0, 1.0]))
        if gone:
            self._faults.count("reorgs")
            self._note("chain", f"reorganises {gone} blocks")

    def drop_pool(self) -> None:
        """Forget pending transactions."""
        gone = self._chain.drop_pool(self._rng.choice([0.3, 1.0]))
        if gone:
            self._faults.count("pool drops")
            self._note("chain", f"forgets {gone} pending transactions")

    def move_fees(self) -> None:
        """Ask another base fee from the next block on."""
        self._chain.base_fee = int(GWEI * self._rng.choice([0.1, 1, 3, 20]))

    def turn_recipient(self) -> None:
        """Have a recipient take tokens until the next one is on its way to it, and then refuse that."""
        self._chain.collection.refusing.discard(TURNING)
        self._turning = True

    def administer(self, chance: random.Random) -> None:
        """Pause the collection, take the issuer's role away, or undo that."""
        collection = self._chain.collection
        if chance.random() < 0.5:
            collection.paused = not collection.paused
            if self._chain.items is not None:
                self._chain.items.paused = collection.paused
            self._faults.count("pauses of the collection" if collection.paused else "ends of a pause")
        else:
            collection.issuing = not collection.issuing
            self._faults.count("roles granted" if collection.issuing else "roles revoked")

    def _turned(self) -> bool:
        """Tell whether the recipient turns now."""
        calls = [called(sent.body.data) for sent in self._chain.pool.values()]
        asking = (call for call in calls if isinstance(call, Redemption | TransferCall | SignedCall))
        if not self._turning or not (any(call.to == TURNING for call in asking) or self._items_go_there()):
            return False
        self._turning = False
        self._chain.collection.refusing.add(TURNING)
        self._faults.count("recipients turned")
        return True

    def _items_go_there(self) -> bool:
        calls = [item_call(sent.body.data) for sent in self._chain.pool.values()]
        return any(TURNING in call.recipients() for call in calls if call is not None)

    def end_faults(self) -> None:
        """Ask the usual base fee, and let every recipient be as it was."""
        self._turning = False
        self._chain.collection.refusing.discard(TURNING)
        self._chain.collection.paused, self._chain.collection.issuing = False, True
        if self._chain.items is not None:
            self._chain.items.paused = False
        self._chain.base_fee = GWEI
