"""Whether KMS denies the enclave its keys: such a host is not ready, and leaves messages to others."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass

from mintline.errors import Unavailable
from mintline.messages.parts import Message
from mintline.queue_port import QueuesPort, Received
from mintline.resource_types import Queue

PAUSE = 5.0
"""Seconds after which a host that is denied takes one message, to see whether it still is."""


class Denial:
    """Begins when KMS denies the enclave a key, and ends with the next signature, or another connection.

    Invariant: one key that is denied while others are signed with delays nothing for longer than `PAUSE`.
    """

    def __init__(self) -> None:
        self._over = asyncio.Event()
        self._over.set()

    def begin(self) -> None:
        """Note that KMS denied the enclave a key."""
        self._over.clear()

    def end(self) -> None:
        """Note a signature, or that an enclave was connected of which nothing is known yet."""
        self._over.set()

    async def check(self) -> None:
        """Raise Unavailable while it lasts: a readiness check."""
        if not self._over.is_set():
            raise Unavailable("kms_denied: nothing was signed since")

    async def ends_within(self, seconds: float) -> bool:
        """Wait for its end, and tell whether it came; at once if KMS denies nothing."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._over.wait()
        return self._over.is_set()


@dataclass(frozen=True, slots=True)
class HeldBack:
    """A QueuesPort that gives out one message every `pause` seconds while the denial lasts."""

    queues: QueuesPort
    denial: Denial
    pause: float = PAUSE

    async def receive(self, queue: Queue, *, limit: int = 10, wait: int = 20) -> list[Received]:
        """Return messages, after a pause one alone."""
        if not await self.denial.ends_within(self.pause):
            limit = 1
        return await self.queues.receive(queue, limit=limit, wait=wait)

    async def send(self, queue: Queue, message: Message, *, group: str, dedup: str) -> None:
        await self.queues.send(queue, message, group=group, dedup=dedup)

    async def delete(self, received: Received) -> None:
        await self.queues.delete(received)

    async def change_visibility(self, received: Received, seconds: int) -> None:
        await self.queues.change_visibility(received, seconds)

    async def dead_letter(self, received: Received, *, code: str, reason: str, digest: str | None) -> None:
        await self.queues.dead_letter(received, code=code, reason=reason, digest=digest)

    async def renew(self, received: Received) -> None:
        await self.queues.renew(received)
