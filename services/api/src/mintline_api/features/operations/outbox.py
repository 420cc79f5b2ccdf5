"""The queues that the builder and the broadcaster read."""

from __future__ import annotations

from mintline.messages.signed import SelfRedeem
from mintline.messages.work import BuildLines, BuildMint, ReviewMint
from mintline.queue_port import SendingPort
from mintline.resources import BROADCAST, BUILD

_REPEAT = 5_000
"""Milliseconds within which a repeated transaction is a retry of the request, not the user's second try."""


class SqsOutbox:
    """The queues that the builder and the broadcaster read."""

    def __init__(self, queues: SendingPort) -> None:
        self._queues = queues

    async def build(self, message: BuildMint, *, group: str) -> None:
        """Ask for an operation to be built; the group's messages keep their order."""
        await self._queues.send(BUILD, message, group=group, dedup=f"build:{message.mint_id}")

    async def build_lines(self, message: BuildLines) -> None:
        """Ask for a chunk to be built; no order matters to that."""
        name = f"{message.request_id}:{message.chunk}"
        await self._queues.send(BUILD, message, group=name, dedup=f"lines:{name}")

    async def review(self, message: ReviewMint) -> None:
        """Ask for a mint to be looked at; nobody's order matters to that."""
        mint_id = message.mint_id
        await self._queues.send(BROADCAST, message, group=mint_id, dedup=f"cancel:{mint_id}")

    async def redeem(self, message: SelfRedeem, *, at: int) -> None:
        """Have a user's own transaction sent; repeated within seconds it is sent once."""
        dedup = f"redeem:0x{message.tx_hash.hex()}:{at // _REPEAT}"
        await self._queues.send(BROADCAST, message, group=message.mint_id, dedup=dedup)
