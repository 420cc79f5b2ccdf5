"""What accepting an operation needs from storage and queues."""

from __future__ import annotations

from typing import Protocol, TypeVar

from mintline.authorizations import Authorization
from mintline.errors import Conflict
from mintline.messages.signed import SelfRedeem
from mintline.messages.work import BuildLines, BuildMint, ReviewMint
from mintline.records.operations import Operation
from mintline.records.problems import Problem

OperationT = TypeVar("OperationT", bound=Operation)


class ExternalIdTaken(Conflict):
    """Another operation of who asks has the external id: `mint_id`."""

    def __init__(self, mint_id: str) -> None:
        super().__init__(f"{mint_id} has the external id")
        self.mint_id = mint_id


class OperationStore(Protocol):
    """The operations: mints, transfers and burns."""

    async def create(self, operation: OperationT, authorization: Authorization) -> OperationT | None:
        """Create an operation unless its id exists; return None if created, else the one that was there.

        Its authorization is on record before it is. Raises ExternalIdTaken if another one has its external
        id: an id is taken together with the operation, or not at all.
        """
        ...

    async def operation(self, operation_id: str) -> Operation | None:
        """Return an operation of any kind as it is now."""
        ...

    async def cancel(self, operation: OperationT, problem: Problem, *, at: int) -> OperationT:
        """Reject an operation that was not sent, note on a submitted one that it is to be stopped.

        Only if its status is still `operation`'s. Returns it as it is then, changed or not; `at` is in Unix
        milliseconds.
        """
        ...


class Outbox(Protocol):
    """Sends messages to the pipeline."""

    async def build(self, message: BuildMint, *, group: str) -> None:
        """Ask for an operation to be built; those of a `group` keep their order."""
        ...

    async def build_lines(self, message: BuildLines) -> None:
        """Ask for a chunk of a request for many mints to be built."""
        ...

    async def review(self, message: ReviewMint) -> None:
        """Ask for a mint that was sent to be looked at."""
        ...

    async def redeem(self, message: SelfRedeem, *, at: int) -> None:
        """Have a user's own transaction sent; the same one again, some seconds later, is sent again."""
        ...
