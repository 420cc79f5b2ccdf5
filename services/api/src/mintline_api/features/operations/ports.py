"""What accepting an operation needs from storage and queues."""

from __future__ import annotations

from typing import Protocol, TypeVar

from mintline.messages import BuildMint, ReviewMint, SelfRedeem
from mintline.records import Operation

OperationT = TypeVar("OperationT", bound=Operation)


class Line(Protocol):
    """The way into the line of services."""

    async def build(self, message: BuildMint, *, group: str) -> None:
        """Ask for an operation to be built; those of a `group` keep their order."""
        ...

    async def review(self, message: ReviewMint) -> None:
        """Ask for a mint that was sent to be looked at."""
        ...

    async def redeem(self, message: SelfRedeem, *, at: int) -> None:
        """Have a user's own transaction sent; the same one again, some seconds later, is sent again."""
        ...
