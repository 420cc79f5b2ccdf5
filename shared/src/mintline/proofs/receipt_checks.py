"""What a mint's receipt proves by itself, and what a node of its chain is asked."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from mintline.chain.answers import Log
from mintline.chain.collection import TransferEvent, decode_minted, decode_transfer
from mintline.chain.multi_token import ItemMintedEvent, decode_item_minted
from mintline.chain.multi_token_transfers import ItemTransfers, decode_item_transfers
from mintline.chain.node import Node
from mintline.eth import keccak256
from mintline.proofs.encodings import NUMBER, RECEIPTS_ROOT, TRANSACTIONS_ROOT
from mintline.proofs.mint_receipt import (
    Included,
    MintReceipt,
    ReceiptRefused,
    header_fields,
    logs_of,
    receipt_fields,
)
from mintline.proofs.trie import NotProven, value_at
from mintline.rlp import to_big_endian


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that a receipt has to prove; `run` returns a line for people, or raises ReceiptRefused."""

    name: str
    run: Callable[[MintReceipt], str]


def _check_metadata(receipt: MintReceipt) -> str:
    if hashlib.sha256(receipt.metadata.encode()).digest() != receipt.metadata_digest:
        raise ReceiptRefused("metadata", "The metadata's SHA-256 is not metadata_digest.")
    return f"its SHA-256 is 0x{receipt.metadata_digest.hex()}"


def _check_header(receipt: MintReceipt) -> str:
    if keccak256(receipt.header) != receipt.block_hash:
        raise ReceiptRefused("header", "The header's Keccak-256 is not block_hash.")
    if header_fields(receipt.header)[NUMBER] != to_big_endian(receipt.block_number):
        raise ReceiptRefused("header", "The header is of another block_number.")
    return f"block {receipt.block_number} is 0x{receipt.block_hash.hex()}"


def _check_transaction(receipt: MintReceipt) -> str:
    if keccak256(receipt.transaction.raw) != receipt.transaction_hash:
        raise ReceiptRefused("transaction", "The transaction's Keccak-256 is not transaction_hash.")
    _check_included(receipt, receipt.transaction, TRANSACTIONS_ROOT, "transaction")
    return f"0x{receipt.transaction_hash.hex()} is number {receipt.transaction_index} of the block"


def _check_receipt(receipt: MintReceipt) -> str:
    _check_included(receipt, receipt.receipt, RECEIPTS_ROOT, "receipt")
    if receipt_fields(receipt.receipt.raw)[0] != b"\1":
        raise ReceiptRefused("receipt", "The transaction failed.")
    return "it is that transaction's, which succeeded"


def _check_event(receipt: MintReceipt) -> str:
    logs = logs_of(receipt.receipt.raw)
    if receipt.serial is not None:
        return _check_item_event(receipt, logs)
    log = logs[receipt.log_index] if receipt.log_index < len(logs) else None
    event = decode_minted(log) if log is not None and log.address == receipt.contract else None
    expected = (receipt.token_id, receipt.to, receipt.metadata_digest)
    if event is None or (event.token_id, event.to, event.metadata_digest) != expected:
        raise ReceiptRefused("event", "The receipt has no such Minted event of the contract.")
    mint_event = TransferEvent(sender=None, recipient=receipt.to, token_id=receipt.token_id)
    before = (log for log in logs[: receipt.log_index] if log.address == receipt.contract)
    if mint_event not in map(decode_transfer, before):
        raise ReceiptRefused("event", "No Transfer from nobody to the recipient precedes the Minted event.")
    return f"{receipt.contract} minted token {receipt.token_id} to {receipt.to} with that digest"


def _check_item_event(receipt: MintReceipt, logs: Sequence[Log]) -> str:
    """Check that ItemMinted says what the receipt does, and that the very next log moved that much."""
    own = [log if log.address == receipt.contract else None for log in logs[receipt.log_index :][:2]]
    log, after = (*own, None, None)[:2]
    expected = ItemMintedEvent(
        serial=receipt.serial or 0,
        item_id=receipt.token_id,
        to=receipt.to,
        quantity=receipt.quantity or 0,
        metadata_digest=receipt.metadata_digest,
    )
    if log is None or decode_item_minted(log) != expected:
        raise ReceiptRefused("event", "The receipt has no such ItemMinted event of the contract.")
    mint_events = ItemTransfers(None, receipt.to, {receipt.token_id: receipt.quantity or 0})
    if after is None or decode_item_transfers(after) != mint_events:
        raise ReceiptRefused("event", "No transfer of as many tokens to the recipient follows ItemMinted.")
    what = f"{receipt.quantity} of item {receipt.token_id}"
    return f"{receipt.contract} minted {what} to {receipt.to} with that digest, under serial {receipt.serial}"


CHECKS: tuple[Check, ...] = (
    Check("metadata", _check_metadata),
    Check("header", _check_header),
    Check("transaction", _check_transaction),
    Check("receipt", _check_receipt),
    Check("event", _check_event),
)
"""What a receipt proves by itself, in order. Whether its block is the chain's, a node says."""


def _check_included(receipt: MintReceipt, included: Included, root: int, check: str) -> None:
    try:
        expected = header_fields(receipt.header)[root]
        proven = value_at(expected, receipt.transaction_index, included.proof)
    except NotProven as error:
        raise ReceiptRefused(check, str(error)) from None
    if proven != included.raw:
        raise ReceiptRefused(check, f"The block has another {check} at that index.")


@dataclass(frozen=True, slots=True)
class ChainCheck:
    """One thing that a node is asked; `run` is as a Check's, and raises Unavailable if it does not answer."""

    name: str
    run: Callable[[MintReceipt, Node], Awaitable[str]]


async def _check_chain(receipt: MintReceipt, node: Node) -> str:
    chain_id = await node.chain_id()
    if chain_id != receipt.chain_id:
        raise ReceiptRefused("chain", f"The node serves chain {chain_id}, not {receipt.chain_id}.")
    return f"the node serves chain {chain_id}"


async def _check_canonical(receipt: MintReceipt, node: Node) -> str:
    block = await node.block(receipt.block_number)
    if block is None or block.hash != receipt.block_hash:
        has = "no block" if block is None else f"0x{block.hash.hex()}"
        raise ReceiptRefused("canonical", f"The node has {has} at {receipt.block_number}: not this chain.")
    return f"the node has that block at {receipt.block_number}"


async def _check_final(receipt: MintReceipt, node: Node) -> str:
    final = await node.block("finalized")
    if final is None or final.number < receipt.block_number:
        upto = "nothing" if final is None else f"block {final.number}"
        raise ReceiptRefused("final", f"To the node {upto} is final: a reorg could still undo the block.")
    return f"blocks up to {final.number} are final"


CHAIN_CHECKS: tuple[ChainCheck, ...] = (
    ChainCheck("chain", _check_chain),
    ChainCheck("canonical", _check_canonical),
    ChainCheck("final", _check_final),
)
"""What only a node knows, in order."""
