"""Sponsored mints: many tokens in one transaction, all or none, by a relayer that the contract trusts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mintline.eth import mint_batch_calldata
from mintline.item_calls import ItemMint, mint_items_calldata
from mintline.kinds.base import CallFields, TransactionKind, asked_mint, carried, first_attempt
from mintline.messages.intents import BatchMint, SignBatch
from mintline.records.operations import Mint, Operation
from mintline.records.transactions import Transaction
from mintline.request_digests import sponsored_digest


class BatchKind(TransactionKind[SignBatch]):
    """`sign_batch`."""

    def meaning(self, request: SignBatch) -> list[Any]:
        """Return nonce, contract and lines."""
        return [request.nonce, request.contract, [_meaning_of(line) for line in request.mints]]

    def dedup_id(self, request: SignBatch) -> str:
        """Return an id for each attempt and number of lines: a batch loses those that are refused."""
        return f"batch:{request.signer.address}:{request.nonce}:{request.attempt}:{len(request.mints)}"

    def operation_ids(self, request: SignBatch) -> tuple[str, ...]:
        """Return the mints' ids."""
        return tuple(line.mint_id for line in request.mints)

    def authorized_digest(self, operation: Operation) -> bytes:
        """Return the digest of one line's mint, whichever relayer sends it."""
        assert isinstance(operation, Mint)
        return sponsored_digest(
            **asked_mint(operation), item_id=operation.item_id, quantity=operation.quantity
        )

    def call(self, intent: SignBatch, issued: bytes) -> CallFields:  # noqa: ARG002 - it redeems no voucher
        """Return `mintBatch` of all lines."""
        return CallFields(intent.contract, data=batch_calldata(intent.mints))

    def intent(
        self,
        transaction: Transaction,
        operations: Sequence[Operation],
        authorization: bytes,  # noqa: ARG002 - the signer's host reads those of the lines
    ) -> SignBatch:
        """Return the intent; all mints are of one collection."""
        mints = carried(Mint, transaction, operations)
        return SignBatch(
            **first_attempt(transaction),
            contract=mints[0].contract,
            mints=lines_of(mints),
            clone=transaction.clone,
        )


def batch_calldata(mints: Sequence[Mint] | Sequence[BatchMint]) -> bytes:
    """Return the calldata of `mintBatch` for mints of one collection, whichever its standard."""
    items, tokens = [], []
    for mint in mints:
        assert mint.token_id is not None
        if mint.item_id is None or mint.quantity is None:
            tokens.append((mint.token_id, mint.to, mint.metadata_digest))
        else:
            items.append(ItemMint(mint.token_id, mint.item_id, mint.quantity, mint.to, mint.metadata_digest))
    if items and tokens:
        raise ValueError("a batch is of one collection: all lines have an item, or none has")
    return mint_items_calldata(items) if items else mint_batch_calldata(tokens)


def _meaning_of(line: BatchMint) -> list[Any]:
    item = [] if line.item_id is None else [str(line.item_id), str(line.quantity)]
    return [line.mint_id, str(line.token_id), line.to, line.metadata_digest.hex(), *item]


def lines_of(mints: Sequence[Mint]) -> tuple[BatchMint, ...]:
    """Return the lines of a batch."""
    return tuple(
        BatchMint(
            mint_id=mint.mint_id,
            token_id=mint.token_id,
            to=mint.to,
            metadata_digest=mint.metadata_digest,
            subject=mint.asked_by,
            request=mint.request,
            item_id=mint.item_id,
            quantity=mint.quantity,
        )
        for mint in mints
        if mint.token_id is not None
    )


def line_digest(batch: SignBatch, line: BatchMint) -> bytes:
    """Return what the user of a line authorized: its authorization is sealed and stored under this."""
    return sponsored_digest(
        mint_id=line.mint_id,
        sub=line.subject,
        chain_id=batch.chain_id,
        contract=batch.contract,
        to=line.to,
        metadata_digest=line.metadata_digest,
        token_id=line.token_id,
        item_id=line.item_id,
        quantity=line.quantity,
    )


KIND = BatchKind()
