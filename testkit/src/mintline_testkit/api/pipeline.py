"""What operators see of the pipeline, in memory."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from mintline.aws.dead_letters import DeadLetter
from mintline.records.keys import scoped
from mintline.records.operations import Operation
from mintline.records.transactions import Transaction, carried_by
from mintline.resource_types import Queue
from mintline.states import TransactionState
from mintline_api.features.pipeline.store import OURS
from mintline_testkit.api.operations import MemoryMints
from mintline_testkit.constants import CHAIN_ID
from mintline_testkit.queues import DeadLetter as KeptLetter
from mintline_testkit.queues import MemoryQueues


class MemoryPipeline:
    """The operations and transactions of `mints`."""

    def __init__(self, mints: MemoryMints) -> None:
        self._mints = mints
        self.reads = 0
        """How often the oldest operations were asked for."""

    async def oldest_operations(self, limit: int) -> list[Operation]:
        self.reads += 1
        mints = self._mints
        kept: list[Operation] = [
            *mints.items.values(),
            *mints.token_operations.values(),
            *mints.collection_operations.values(),
        ]
        waiting = [
            operation
            for operation in kept
            if operation.status in OURS and carried_by(operation) not in mints.transactions
        ]
        return sorted(waiting, key=lambda operation: operation.created_at)[:limit]

    async def oldest_transactions(self, limit: int) -> list[Transaction]:
        kept = self._mints.transactions.values()
        waiting = [transaction for transaction in kept if transaction.state is not TransactionState.FINAL]
        return sorted(waiting, key=lambda transaction: transaction.reserved_at)[:limit]

    async def newest_transactions(self, address: str, limit: int) -> list[Transaction]:
        return self._of(address)[::-1][:limit]

    async def transaction_from(self, address: str, nonce: int) -> Transaction | None:
        return next((transaction for transaction in self._of(address) if transaction.nonce >= nonce), None)

    def _of(self, address: str) -> list[Transaction]:
        sender = scoped(CHAIN_ID, address)
        mine = [
            transaction
            for transaction in self._mints.transactions.values()
            if transaction.sender_id == sender
        ]
        return sorted(mine, key=lambda transaction: transaction.nonce)


class MemoryDeadLetters:
    """The dead letters of `queues`."""

    def __init__(self, queues: MemoryQueues) -> None:
        self._queues = queues
        self.looks = 0
        """How often a queue's dead letters were looked at."""

    async def peek(self, queue: Queue, *, limit: int) -> list[DeadLetter]:
        self.looks += 1
        return [_letter(queue, kept) for kept in self._queues.dead_letters(queue)[:limit]]

    async def redrive(
        self,
        queue: Queue,
        ids: Collection[str] | None = None,
        *,
        limit: int,
        sent: Callable[[Sequence[DeadLetter]], None],
    ) -> list[DeadLetter]:
        kept = self._queues.dead_letters(queue)
        chosen = [message for message in kept if ids is None or message.message_id in ids][:limit]
        for message in chosen:
            self._queues.redrive(queue, message)
        redriven = [_letter(queue, message) for message in chosen]
        sent(redriven)
        return redriven


def _letter(queue: Queue, kept: KeptLetter) -> DeadLetter:
    return DeadLetter(
        message_id=kept.message_id,
        origin=queue.name,
        group=kept.group,
        body=kept.body,
        code=kept.code,
        reason=kept.reason,
        digest=kept.digest or "",
        trace="",
        sent_at=kept.sent_at,
        receipt="",
    )
