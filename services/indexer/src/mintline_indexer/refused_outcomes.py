"""Logs and counts outcomes that the records do not take."""

from __future__ import annotations

import structlog

from mintline.records.operations import Operation
from mintline.records.transactions import Transaction
from mintline.states import MintStatus
from mintline_indexer.effects import Facts
from mintline_indexer.metrics import Metrics
from mintline_indexer.store_port import Outcome, TransactionResult

log = structlog.get_logger()


def report_foreign(facts: Facts, metrics: Metrics) -> None:
    """Report what led to a mint and is not its own."""
    for refused in facts.refused:
        metrics.outcomes_refused.inc()
        log.warning(
            "mint_outcome_refused",
            mint_id=refused.mint_id,
            status=refused.status and refused.status.value,
            tx_hash="0x" + refused.tx_hash.hex(),
            block=refused.block_number,
        )


def report_result(result: TransactionResult, transaction: Transaction | None, metrics: Metrics) -> None:
    """Report a result that its transaction's record does not take."""
    if transaction is not None and transaction.tx_hash == result.tx_hash:
        return  # a rebuilt index meets what it wrote before
    for mint_id in result.operations or (None,):
        metrics.outcomes_refused.inc()
        log.warning(
            "mint_outcome_refused",
            mint_id=mint_id,
            sender=result.key.sender_id,
            nonce=result.key.nonce,
            state=transaction.state.value if transaction else None,
            outcome=result.status.value,
            tx_hash="0x" + result.tx_hash.hex(),
            block=result.block_number,
        )


def report_outcome(outcome: Outcome, mint: Operation | None, metrics: Metrics) -> None:
    """Report an outcome that its mint's record does not take."""
    known = (MintStatus.MINED, MintStatus.FINALIZED, MintStatus.REVERTED)
    if mint is not None and mint.status in known and mint.tx_hash == outcome.tx_hash:
        return  # a rebuilt index meets what it wrote before
    if outcome.status is MintStatus.ISSUED:
        return  # a transaction of the user's failed, and another one had minted
    metrics.outcomes_refused.inc()
    log.warning(
        "mint_outcome_refused",
        mint_id=outcome.mint_id,
        status=mint.status.value if mint else None,
        outcome=outcome.status.value,
        tx_hash="0x" + outcome.tx_hash.hex(),
        block=outcome.block_number,
    )
