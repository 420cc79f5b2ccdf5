"""What is final: the broadcaster goes by the index, which takes no block for final on one node's word."""

from __future__ import annotations

import structlog

from mintline_broadcaster.ports import ChainClient, Final

log = structlog.get_logger(__name__)


async def final_count(address: str, final: Final, *, chain: ChainClient) -> int:
    """Return how many of an account's transactions are mined for good; too few while no node can tell.

    The question names the block by its hash, so a node on another branch cannot answer it. `final` was read
    before, hence every block up to it is in the index.
    """
    if not final.hash:
        return 0
    count = await chain.transaction_count_at(address, final.hash)
    if count is None:
        log.warning("final_block_not_at_the_nodes", block=final.number, sender=address)
        return 0
    return count
