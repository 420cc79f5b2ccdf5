"""What the state of the pipeline is read from."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Literal, Protocol, TypeAlias

from mintline.aws.dead_letters import DeadLetter
from mintline.aws.queues import Depth
from mintline.chain.answers import FeeMarket
from mintline.records.index import Checkpoint
from mintline.records.operations import Operation
from mintline.records.transactions import Transaction
from mintline.resource_types import Queue

Part: TypeAlias = Literal["queues", "dead_letters", "chain", "index", "operations", "transactions", "senders"]
"""What is read by itself: one that does not respond leaves the others readable."""
Role: TypeAlias = Literal["treasury", "relayer"]


class PipelineRecords(Protocol):
    """What is under way, by its records. Those that are unreadable are set aside, and left out."""

    async def oldest_operations(self, limit: int) -> list[Operation]:
        """Return operations that no transaction carries yet, the oldest first.

        Mints whose voucher waits for their user's own wallet are left out.
        """
        ...

    async def oldest_transactions(self, limit: int) -> list[Transaction]:
        """Return transactions whose nonce is not used for good, the oldest first."""
        ...

    async def newest_transactions(self, address: str, limit: int) -> list[Transaction]:
        """Return a sender's transactions, the highest nonce first."""
        ...

    async def transaction_from(self, address: str, nonce: int) -> Transaction | None:
        """Return a sender's transaction with this nonce, or the next that is there."""
        ...


class QueueDepths(Protocol):
    """SQS, as far as it counts; `mintline.aws.queues.Queues` is one."""

    async def depth(self, queue: Queue, *, dead_letters: bool = False) -> Depth:
        """Return about how many messages there are."""
        ...


class DeadLetterQueues(Protocol):
    """The dead-letter queues; `mintline.aws.dead_letters.DeadLetters` is one."""

    async def peek(self, queue: Queue, *, limit: int) -> list[DeadLetter]:
        """Return the first dead letters of a queue, at most ten of a group, and leave them there."""
        ...

    async def redrive(
        self,
        queue: Queue,
        ids: Collection[str] | None = None,
        *,
        limit: int,
        sent: Callable[[Sequence[DeadLetter]], None],
    ) -> list[DeadLetter]:
        """Send dead letters back to their queue, in order, and return them. `ids` of None means all.

        `sent` hears of each batch as soon as it is in its queue.
        """
        ...


class IndexProgress(Protocol):
    """The index, as far as it has come."""

    async def checkpoint(self) -> Checkpoint | None:
        """Return it; None before its first block."""
        ...


class SenderChain(Protocol):
    """The chain, at its latest block; `mintline.chain.node.Node` is one."""

    async def block_number(self) -> int:
        """Return the latest block's number."""
        ...

    async def balance(self, address: str) -> int:
        """Return a balance in wei."""
        ...

    async def fees(self) -> FeeMarket:
        """Return what the next block asks."""
        ...
