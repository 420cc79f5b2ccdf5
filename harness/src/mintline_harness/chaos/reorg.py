"""Reorganises the emulated chain, and makes sure that it is still a chain.

`anvil_reorg` does not stop the miner: a block that is made meanwhile goes on top of a head that is being
taken away, and the numbers in between then permanently have no block. Services can do nothing with such a
chain but say so, so the miner rests for as long as a reorg takes.
"""

from __future__ import annotations

from mintline.chain.node import Node
from mintline.chain.rpc import Rpc
from mintline.errors import MintlineError


class ChainTorn(MintlineError):  # noqa: N818 - a fact about the run
    """The emulator lost blocks: whatever the services do from here on says nothing about them."""


async def reorganise(rpc: Rpc, depth: int, *, block_time: int = 1) -> None:
    """Replace the newest `depth` blocks by as many empty ones.

    After that the miner makes a block each `block_time` seconds. Not to be called twice at a time.
    Raises ChainTorn, and what `Rpc.call` raises.
    """
    await rpc.call("evm_setIntervalMining", [0])
    try:
        await rpc.call("anvil_reorg", [depth, []])
        await _check(Node(rpc), depth)
    finally:
        await rpc.call("evm_setIntervalMining", [block_time])


async def _check(node: Node, depth: int) -> None:
    """Raise ChainTorn unless the newest blocks hang together down to the one below the reorg."""
    newest = await node.block_number()
    parent: bytes | None = None
    for number in range(max(0, newest - depth), newest + 1):
        block = await node.block(number)
        if block is None or parent not in (None, block.parent_hash):
            raise ChainTorn(f"anvil is at block {newest}, but has lost what is below or at {number}")
        parent = block.hash
