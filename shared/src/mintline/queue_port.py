"""The queue port: what consumers and senders need of a queue.

`mintline.aws.queues.Queues` implements it over SQS, `mintline_testkit.queues.MemoryQueues` in memory.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from mintline.messages.parts import Message
from mintline.resource_types import Queue


@dataclass(frozen=True, slots=True)
class Received:
    """One delivery of a message: `receipt` is good until its visibility timeout ends.

    `receive_count` counts deliveries, this one included; `sent_at` is in Unix seconds.
    """

    queue: Queue
    body: str
    receipt: str
    message_id: str
    group: str
    receive_count: int
    sent_at: float


class SendingPort(Protocol):
    """What a producer needs."""

    async def send(self, queue: Queue, message: Message, *, group: str, dedup: str) -> None:
        """Enqueue a message; one with a `dedup` id seen in the last five minutes is dropped."""


class QueuesPort(SendingPort, Protocol):
    """What a consumer needs. Conflict means that the receipt has expired: the message was delivered again."""

    async def receive(self, queue: Queue, *, limit: int = 10, wait: int = 20) -> list[Received]:
        """Return up to `limit` (≤ 10) messages, waiting up to `wait` seconds for the first."""

    async def delete(self, received: Received) -> None:
        """Remove a handled message."""

    async def change_visibility(self, received: Received, seconds: int) -> None:
        """Hide a message for `seconds` from now; 0 redelivers it at once."""

    async def dead_letter(self, received: Received, *, code: str, reason: str, digest: str | None) -> None:
        """Move a message to its dead-letter queue, with the reason."""

    async def renew(self, received: Received) -> None:
        """Replace a message by a copy whose receive count and age start afresh."""
