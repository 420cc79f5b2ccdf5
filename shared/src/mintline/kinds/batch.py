"""Sponsored mints: many tokens in one transaction, all or none, by a relayer that the contract trusts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mintline.eth import mint_batch_calldata
from mintline.kinds.base import CallFields, TransactionKind, asked_mint, carried, first_attempt
from mintline.messages import BatchMint, SignBatch
from mintline.records import Mint, Operation
from mintline.request_digests import sponsored_digest
from mintline.transaction_records import Transaction


class BatchKind(TransactionKind[SignBatch]):
    """`sign_batch`."""

    def meaning(self, request: SignBatch) -> list[Any]:
        """Return nonce, contract and lines."""
        lines = [
            [line.mint_id, str(line.token_id), line.to, line.metadata_digest.hex()] for line in request.mints
        ]
        return [request.nonce, request.contract, lines]

    def dedup_id(self, request: SignBatch) -> str:
        """Return an id for each attempt and number of lines: a batch loses those that are refused."""
        return f"batch:{request.signer.address}:{request.nonce}:{request.attempt}:{len(request.mints)}"

    def operation_ids(self, request: SignBatch) -> tuple[str, ...]:
        """Return the mints' ids."""
        return tuple(line.mint_id for line in request.mints)

    def authorized_digest(self, operation: Operation) -> bytes:
        """Return the digest of one line's mint, whichever relayer sends it."""
        return sponsored_digest(**asked_mint(operation))

    def call(self, intent: SignBatch, issued: bytes) -> CallFields:  # noqa: ARG002 - it redeems no voucher
        """Return `mintBatch` of all lines."""
        lines = [(line.token_id, line.to, line.metadata_digest) for line in intent.mints]
        return CallFields(intent.contract, data=mint_batch_calldata(lines))

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
    )


KIND = BatchKind()
