"""Blocks with all that their hash stands for, as nodes answer them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from mintline.chain.node import Calls
from mintline.chain.rpc import RpcError
from mintline.errors import Unavailable
from mintline.proofs.encodings import Json


class WholeBlock(NamedTuple):
    """A block with its transactions, and their receipts, as a node answers them: not checked yet."""

    block: Json
    receipts: Sequence[Any]


class BlockReader:
    """Reads whole blocks: `eth_getBlockByHash` and `eth_getBlockReceipts`.

    One node's word is enough, since what it answers has to add up to the block's hash.
    """

    def __init__(self, rpc: Calls) -> None:
        self._rpc = rpc

    async def whole_block(self, block_hash: bytes) -> WholeBlock:
        """Return a block that is on the chain; raises Unavailable or Throttled if no node gives it."""
        try:
            block = await self._rpc.call(
                "eth_getBlockByHash", ["0x" + block_hash.hex(), True], suspect=_is_no_object
            )
            if not isinstance(block, dict):
                raise Unavailable("no node has the block")
            # By number, which all providers take; the receipts have to fit the block in any case.
            receipts = await self._rpc.call(
                "eth_getBlockReceipts", [block.get("number")], suspect=_is_no_list
            )
        except RpcError as error:
            raise Unavailable(f"no node gives the block and its receipts: {error}") from error
        if not isinstance(receipts, list):
            raise Unavailable("no node has the block's receipts")
        return WholeBlock(block, receipts)


def _is_no_object(result: Any) -> bool:
    return not isinstance(result, dict)


def _is_no_list(result: Any) -> bool:
    return not isinstance(result, list)
