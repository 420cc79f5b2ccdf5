"""Compares records of operations with what the chain did: whether they ended, and as they say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mintline.clock import UnixSeconds
from mintline.records.index import Transfer
from mintline.records.operations import Mint, Operation, RelayedTokenOperation, TokenOperation
from mintline.records.problems import TOKEN_ON_CHAIN
from mintline.states import MintStatus
from mintline_indexer.chain_port import (
    ItemTransferEvent,
    TransferEvent,
)
from mintline_indexer.kinds import TokenChanges
from mintline_indexer.kinds.token_operation import move_of
from mintline_indexer.reconciler.books import ENDED_BADLY, SETTLED, Books
from mintline_indexer.reconciler.findings import Finding, Kind


def findings_of_token_operations(books: Books) -> Iterator[Finding]:
    """Compare transfers and burns with the chain's events and the index's transfers."""
    changes = TokenChanges.of(books.events)
    indexed = {_move_key(transfer) for transfer in books.transfers}
    for operation in books.token_operations:
        about: dict[str, Any] = {
            "mint_id": operation.operation_id,
            "contract": operation.contract,
            "token_id": operation.token_id,
        }
        move = done_by(operation, changes)
        if operation.status in SETTLED:
            block = operation.block_number
            if block is None or not books.covers(block):
                continue
            if move is None or (move.tx_hash, move.block_hash) != (operation.tx_hash, operation.block_hash):
                detail = f"{operation.status.value} in block {block}, and not on chain"
                yield Finding(Kind.TRANSFER_MISSING, detail, block=block, **about)
            elif _move_key(move) not in indexed:
                detail = f"in transaction 0x{move.tx_hash.hex()}, and not in the index"
                yield Finding(Kind.TRANSFER_MISSING, detail, block=block, **about)
        elif move is not None:
            if books.covers(move.block_number):
                kind = Kind.MISJUDGED if operation.status in ENDED_BADLY else Kind.UNSETTLED
                yield Finding(kind, how_it_ended(operation), block=move.block_number, **about)
        elif operation.status not in ENDED_BADLY:
            yield on_its_way(operation, books, about)


def done_by(operation: TokenOperation, changes: TokenChanges) -> TransferEvent | ItemTransferEvent | None:
    """Return the event by which a transaction of its own did what an operation asked for, if one did."""
    own = (operation.tx_hash, *(attempt.tx_hash for attempt in operation.attempts))
    moves = (move_of(operation, tx_hash, changes) for tx_hash in own if tx_hash is not None)
    return next((move for move in moves if move is not None), None)


def _move_key(move: TransferEvent | ItemTransferEvent | Transfer) -> tuple[object, ...]:
    place = (move.tx_hash, move.block_hash, move.log_index)
    quantity = None if isinstance(move, TransferEvent) else move.quantity
    return (*place, move.contract, move.token_id, move.sender, move.recipient, quantity)


def on_its_way(operation: Operation, books: Books, about: Mapping[str, Any]) -> Finding:
    """Return the finding of an operation that has not ended; `about` names it."""
    still = books.now - operation.updated_at / 1000
    detail = f"{operation.status.value} for {still:.0f} s"
    if operation.status is MintStatus.ISSUED and _may_be_redeemed(operation, books.now):
        return Finding(Kind.AWAITS_WALLET, detail, **about)
    if operation.waiting == TOKEN_ON_CHAIN and still > books.patience:
        return Finding(Kind.UNDECIDED, f"{detail}: {TOKEN_ON_CHAIN.code}", **about)
    if operation.waiting is not None:
        return Finding(Kind.WAITING, f"{detail}: {operation.waiting.code}", **about)
    patient = still <= books.patience or _is_awaiting_its_deadline(operation, books)
    return Finding(Kind.IN_FLIGHT if patient else Kind.STUCK, detail, **about)


def _is_awaiting_its_deadline(operation: Operation, books: Books) -> bool:
    """Tell whether a holder's signature keeps it from its end: until it expires, anyone may send that."""
    if not isinstance(operation, RelayedTokenOperation):
        return False
    return (operation.deadline or 0) > books.now - books.patience


def _may_be_redeemed(operation: Operation, now: UnixSeconds) -> bool:
    return isinstance(operation, Mint) and operation.deadline is not None and operation.deadline > now


def how_it_ended(operation: Operation) -> str:
    """Return its status, and the code of what went wrong."""
    code = operation.problem.code if operation.problem else ""
    return f"{operation.status.value} {code}".strip()
