"""What is learned from changes that were refused: the effects are folded again without what cannot be."""

from __future__ import annotations

from collections.abc import Mapping

from mintline.records.operations import Operation
from mintline.records.transactions import Transaction, TransactionKey
from mintline_indexer.effects import UNREADABLE, Facts
from mintline_indexer.metrics import Metrics
from mintline_indexer.refused_outcomes import report_outcome, report_result
from mintline_indexer.store_port import BalanceKey, Outcome, Refused, Store, TokenKey


async def learn(refused: Refused, facts: Facts, *, store: Store, metrics: Metrics) -> None:
    """Read what a write assumed wrongly, and note what cannot be written, which is set aside then."""
    _note_unusable(refused, facts)
    tokens = [name for name in refused.assumed if isinstance(name, TokenKey)]
    if tokens:
        stored = await store.tokens(tokens)
        facts.tokens.update(stored)
        facts.assumed_new -= set(tokens)
        facts.unusable_tokens |= {key: UNREADABLE for key in tokens if key not in stored}
    mints = {name for name in refused.assumed if isinstance(name, str)}
    if mints:
        _drop_outcomes(mints, await store.operations(sorted(mints)), facts, metrics)
    places = {name for name in refused.assumed if isinstance(name, TransactionKey)}
    if places:
        _drop_results(places, await store.transactions(places), facts, metrics)


def _note_unusable(refused: Refused, facts: Facts) -> None:
    for name, reason in refused.unusable.items():
        if isinstance(name, TokenKey):
            facts.unusable_tokens[name] = reason
        elif isinstance(name, BalanceKey):
            facts.unusable_balances[name] = reason
        elif isinstance(name, TransactionKey):
            facts.unusable_transactions[name] = reason
        elif isinstance(name, str):
            facts.unusable_mints[name] = reason
        else:
            facts.unusable_transfers[name] = reason


def _drop_outcomes(
    mints: set[str], operations: Mapping[str, Operation], facts: Facts, metrics: Metrics
) -> None:
    for tx_hash, outcomes in facts.outcomes.items():
        kept = (outcome for outcome in outcomes if not _is_refused(outcome, mints, operations, metrics))
        facts.outcomes[tx_hash] = tuple(kept)
    for key, outcome in list(facts.redeemed.items()):
        if _is_refused(outcome, mints, operations, metrics):
            del facts.redeemed[key]


def _drop_results(
    places: set[TransactionKey],
    transactions: Mapping[TransactionKey, Transaction],
    facts: Facts,
    metrics: Metrics,
) -> None:
    for tx_hash, result in list(facts.results.items()):
        if result.key not in places:
            continue
        transaction = transactions.get(result.key)
        if transaction is None or transaction.state not in result.sources:
            del facts.results[tx_hash]
            report_result(result, transaction, metrics)


def _is_refused(
    outcome: Outcome, mints: set[str], operations: Mapping[str, Operation], metrics: Metrics
) -> bool:
    """Tell whether an outcome is not to be written, and report it if so."""
    if outcome.mint_id not in mints:
        return False
    mint = operations.get(outcome.mint_id)
    # Legal again if the mint moved while we read; otherwise the token is indexed all the same.
    if mint is not None and mint.status in outcome.sources:
        return False
    report_outcome(outcome, mint, metrics)
    return True
