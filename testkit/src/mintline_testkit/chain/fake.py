"""The one fake chain: accounts, calls by rule, a pool of transactions, and blocks that can be dropped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mintline.chain.answers import Receipt
from mintline_broadcaster.ports import Final
from mintline_testkit.chain.blocks import Blocks, Mined, Sent
from mintline_testkit.chain.calls import Calls
from mintline_testkit.chain.pool import Pool


@dataclass(kw_only=True)
class FakeChain(Calls, Pool, Blocks):
    """A chain of one node, under the test's control.

    Tests set its fields, or replace a method, to have it respond as they need. Without `clock`, a block is
    a second later than its parent.
    """

    async def block_number(self) -> int:
        await self._respond()
        return self.number

    async def time(self) -> int:
        """Return the latest block's timestamp in Unix seconds; before the first block, the clock's time."""
        await self._respond()
        return self.mined[-1].block.timestamp if self.number else self._seconds()

    async def timestamp(self, blocks_ago: int) -> int:
        await self._respond()
        number = self.number - blocks_ago
        return self.mined[number].block.timestamp if number > 0 else 0

    def mine(self, sent: Sequence[Sent] = (), *, pending: bool = True) -> Mined:
        """Put a block on top, with these transactions and what is executable in the pool.

        With `pending` False, the pool's transactions stay in it.
        """
        executed = self.take_executable() if pending else {}
        mined = self.add_block(
            [*(Sent(tx_hash, None) for tx_hash in executed), *sent],
            timestamp=None if self.clock is None else self._seconds(),
        )
        number, block_hash = mined.block.number, mined.block.hash
        for tx_hash, decoded in executed.items():
            self.receipts[tx_hash] = Receipt(tx_hash, True, number, block_hash, decoded.gas)  # noqa: FBT003
        return mined

    def finalize(self) -> Final:
        """Make everything mined so far final, and return the block that an index may know of then."""
        latest = self.mined[-1].block
        self.finalized = latest.number
        self.final_counts[latest.hash] = dict(self.counts)
        return Final(latest.number, latest.timestamp if self.number else 0, latest.hash)
