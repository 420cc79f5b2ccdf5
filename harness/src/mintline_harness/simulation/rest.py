"""What still has to happen in a schedule before it is at rest."""

from __future__ import annotations

from collections.abc import Iterator

from mintline.records.operations import Operation
from mintline.records.transactions import address_of
from mintline.resources import BROADCAST, BUILD, SIGN
from mintline.states import MintStatus, TransactionState
from mintline_harness.simulation.chain import SimulatedChain
from mintline_harness.simulation.queues import SimulatedQueues
from mintline_harness.simulation.tables import Tables

ENDS = frozenset({MintStatus.FINALIZED, MintStatus.REJECTED, MintStatus.REVERTED})


def unfinished(tables: Tables, chain: SimulatedChain, queues: SimulatedQueues) -> list[str]:
    """Return what still has to happen: empty when the pipeline has come to rest."""
    waiting = [
        f"{operation.operation_id} is {operation.status}"
        for operation in tables.standing()
        if not _ended(operation, chain)
    ]
    waiting += [
        f"nonce {place} is {transaction.state}"
        for place, transaction in tables.transactions.items()
        if transaction.state is not TransactionState.FINAL
    ]
    waiting += [
        f"{queue.name} holds {queues.waiting(queue)}"
        for queue in (BUILD, SIGN, BROADCAST)
        if queues.waiting(queue)
    ]
    # A stranger's, or a user's own, may wait permanently behind one that a reorg took.
    sent = (tables.signed.get(sent.hash) for sent in chain.pool.values())
    ours = sum(record is not None and record.kind != "self_redeem" for record in sent)
    waiting += [f"{ours} transactions are pending"] if ours else []
    waiting += list(_gaps(tables, chain))
    progress = tables.store.progress
    if progress is None or progress.head.number < chain.finalized:
        waiting.append("the index lags behind the final block")
    elif chain.by_hash.get(progress.head.hash) not in chain.blocks[progress.head.number :][:1]:
        waiting.append(f"the index stands on block {progress.head.number} of an abandoned branch")
    return waiting


def indexed(tables: Tables, number: int) -> bool:
    """Tell whether the index has come as far as the block of that number, or its successor's there."""
    progress = tables.store.progress
    return progress is not None and progress.head.number >= number


def _gaps(tables: Tables, chain: SimulatedChain) -> Iterator[str]:
    nonces = chain.head.state.nonces
    reserved: dict[str, int] = {}
    for sender_id, nonce in tables.transactions:
        address = address_of(sender_id)
        reserved[address] = max(reserved.get(address, 0), nonce + 1)
    for address, following in reserved.items():
        used = nonces.get(address, 0)
        if used < following:
            yield f"{address} has used {used} of {following} nonces"


def _ended(operation: Operation, chain: SimulatedChain) -> bool:
    if operation.status is MintStatus.REVERTED:
        return operation.block_number is not None and operation.block_number <= chain.finalized
    return operation.status in ENDS
