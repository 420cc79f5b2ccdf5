"""The chain through a JSON-RPC node."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

import structlog

from mintline.chain import answers
from mintline.chain.answers import Log, Receipt
from mintline.chain.calls import Call, CallReverted
from mintline.chain.collection import decode_minted, decode_transfer
from mintline.chain.multi_token import decode_item_minted
from mintline.chain.multi_token_transfers import (
    balance_of_batch,
    decode_balances,
    decode_item_transfers,
)
from mintline.chain.node import Node
from mintline.chain.quorum import Disagreement
from mintline.chain.responses import METHOD_NOT_FOUND
from mintline.chain.rpc import Rpc, RpcError
from mintline.errors import Rejected, Retryable, Unavailable
from mintline.records.problems import Problem
from mintline_indexer.bloom import bloom_of, is_blank
from mintline_indexer.chain_port import (
    TOPICS,
    Block,
    BlockTransaction,
    Event,
    ItemMintedEvent,
    ItemTransferEvent,
    MintedEvent,
    RangeTooWide,
    Ref,
    Tips,
    TransactionOutcome,
    TransferEvent,
)

log = structlog.get_logger(__name__)


class NodeChain:
    """Reads one chain through `node`, and through `rpc` what `node` has no question for."""

    def __init__(self, node: Node, rpc: Rpc) -> None:
        self._node = node
        self._rpc = rpc

    @property
    def several(self) -> bool:
        return self._rpc.several

    async def confirmed(self, block: Ref) -> bool:
        """Tell whether more than half of the nodes that can be asked have this block at its height.

        Of three or more at least two must be able to tell.
        """
        try:
            return await self._node.majority_hash(block.number, final=True) == block.hash
        except Disagreement as error:
            log.error("endpoints_disagree", block=block.number, reason=str(error))  # noqa: TRY400 - no fault of the code
            return False

    async def tips(self) -> Tips:
        """Return the newest and the newest final block; the latter is the genesis until there is another."""
        latest, finalized = await asyncio.gather(self._node.block("latest"), self._node.block("finalized"))
        finalized = finalized or await self._node.block(0)
        if latest is None or finalized is None:
            raise Unavailable("the node has no latest block, or no genesis")
        return Tips(_block(latest, full=False), _block(finalized, full=False))

    async def block(self, ref: int | bytes, *, full: bool) -> Block | None:
        block = await self._node.block(ref, full=full)
        return None if block is None else _block(block, full=full)

    async def events(self, block_hash: bytes, contracts: Sequence[str]) -> Sequence[Event]:
        return _events(await self._node.logs(block_hash=block_hash, addresses=contracts, topics=TOPICS))

    async def events_from_receipts(self, block: Block, contracts: Sequence[str]) -> Sequence[Event]:
        """Return the same from the receipts of the whole block, which must add up to the header's bloom.

        A node without `eth_getBlockReceipts` is asked for those of the transactions sent to the contracts.
        """
        name = "0x" + block.hash.hex()
        suspect = partial(_is_incomplete, block)
        try:
            receipts = await self._rpc.call("eth_getBlockReceipts", [name], suspect=suspect)
        except RpcError as error:
            if error.code != METHOD_NOT_FOUND:
                raise
            hashes = [
                transaction.hash for transaction in block.transactions or () if transaction.to in contracts
            ]
            receipts = await asyncio.gather(
                *(self._rpc.call("eth_getTransactionReceipt", ["0x" + tx_hash.hex()]) for tx_hash in hashes)
            )
            if None in receipts:
                raise Unavailable(f"the node has block {block.number}, but not its receipts") from None
        else:
            if _is_incomplete(block, receipts):
                raise Unavailable(f"the node has block {block.number}, but not its receipts")
        return _events(log for log in _logs(receipts) if log.address in contracts)

    async def events_between(self, first: int, last: int, contracts: Sequence[str]) -> Sequence[Event]:
        """Return the events of a range of blocks.

        Providers word their limits in many ways and some just time out, so any failure is worth a smaller
        range.
        """
        try:
            return _events(await self._node.logs_range(first, last, contracts, TOPICS))
        except (RpcError, Retryable) as error:
            raise RangeTooWide(str(error)) from error

    async def item_balances(
        self, contract: str, held: Sequence[tuple[str, int]], *, block: int
    ) -> Sequence[int] | None:
        call = Call(sender=contract, to=contract, data=balance_of_batch(held))
        try:
            balances = decode_balances(await self._node.call(call, at=block), len(held))
        except (Rejected, Unavailable) as error:
            log.warning("item_balances_not_read", contract=contract, block=block, reason=str(error))
            return None
        if balances is None:
            log.warning("item_balances_not_read", contract=contract, block=block, reason="not valid")
        return balances

    async def outcome(self, tx_hash: bytes) -> TransactionOutcome | None:
        """Return how a mined transaction ended, with the contract's reason if it failed."""
        receipt = await self._node.receipt(tx_hash)
        if receipt is None:
            return None
        if receipt.status:
            return TransactionOutcome(receipt.block_hash, None)
        problem, revert = await self._problem(receipt)
        return TransactionOutcome(receipt.block_hash, problem, revert)

    async def _problem(self, receipt: Receipt) -> tuple[Problem, str]:
        """Call the failed transaction again, on the state of its block, to hear the contract's reason.

        Returns that, and the name of the contract's error, if it is known.
        """
        transaction = await self._rpc.call("eth_getTransactionByHash", ["0x" + receipt.tx_hash.hex()])
        if isinstance(transaction, dict):
            gas = answers.quantity(transaction.get("gas"), "gas")
            if receipt.gas_used >= gas:
                return Problem(code="out_of_gas", reason=f"The transaction used up its {gas} gas."), ""
            call = Call(
                sender=answers.address(transaction.get("from"), "from"),
                to=answers.address(transaction.get("to"), "to"),
                data=answers.octets(transaction.get("input"), "input"),
                gas=gas,
            )
            try:
                await self._node.call(call, at=receipt.block_number)
            except CallReverted as reverted:
                name = reverted.revert.name if reverted.revert else ""
                return Problem(code="reverted", reason=reverted.reason), name
            except (Rejected, Unavailable):
                pass  # the reason is a courtesy: the receipt has decided
        reason = "The transaction was mined, but the contract refused it."
        return Problem(code="reverted", reason=reason), ""


def _block(block: answers.Block, *, full: bool) -> Block:
    return Block(
        number=block.number,
        hash=block.hash,
        parent_hash=block.parent_hash,
        timestamp=block.timestamp,
        logs_bloom=block.logs_bloom,
        transactions=tuple(BlockTransaction(tx.hash, tx.to) for tx in block.transactions) if full else None,
    )


def _logs(receipts: Any) -> list[Log]:
    return [log for receipt in receipts for log in answers.logs(receipt.get("logs"))]


def _is_incomplete(block: Block, receipts: Any) -> bool:
    """Tell whether receipts are not all of a block's: too few, or short of logs that its bloom holds."""
    if not isinstance(receipts, list) or not all(isinstance(receipt, dict) for receipt in receipts):
        return True
    if len(receipts) != len(block.transactions or ()):
        return True
    try:
        logs = _logs(receipts)
    except Unavailable:
        return True
    return not is_blank(block.logs_bloom) and bloom_of(logs) != block.logs_bloom


def _events(logs: Iterable[Log]) -> list[Event]:
    events: list[Event] = []
    for log in logs:
        if log.removed:
            raise Unavailable("the node gave events of a block that it has undone")
        place = (log.block_number, log.block_hash, log.tx_hash, log.log_index, log.address)
        if (moved := decode_transfer(log)) is not None:
            events.append(TransferEvent(*place, moved.token_id, moved.sender, moved.recipient))
        elif (minted := decode_minted(log)) is not None:
            events.append(MintedEvent(*place, minted.token_id, minted.metadata_digest))
        else:
            events += _item_events(log)
    return events


def _item_events(log: Log) -> Iterable[Event]:
    """Yield what a log says of items of ERC-1155: nothing if it is another event."""
    place = (log.block_number, log.block_hash, log.tx_hash, log.log_index, log.address)
    if (event := decode_item_minted(log)) is not None:
        named = (event.serial, event.item_id, event.to)
        yield ItemMintedEvent(*place, *named, event.quantity, event.metadata_digest)
    elif (moved := decode_item_transfers(log)) is not None:
        for token_id, quantity in moved.quantities.items():
            yield ItemTransferEvent(*place, token_id, moved.sender, moved.recipient, quantity)
