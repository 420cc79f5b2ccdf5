"""Which operations wait for one another on the way to the builder."""

from __future__ import annotations

from mintline.records.operations import Mint, Operation, RelayedTokenOperation

LANES = 8
"""Message groups of one wallet's mints: a stage handles up to ten messages of each at a time."""
LANE_MILLISECONDS = 100
"""Mints accepted within this time share a group, so that what was sent together is received together."""


def group_of(operation: Operation) -> str:
    """Return the message group of an operation that is to be built: the same for each of its messages.

    A wallet's transfers and burns keep their order. What it signs in one collection does too, apart from what
    it does elsewhere, as each waits for the one before to be mined. A wallet's mints have no order to keep,
    and those that share a relayer have none either.
    """
    if isinstance(operation, RelayedTokenOperation):
        return f"{operation.wallet.address}#{operation.contract}"
    if isinstance(operation, Mint) and operation.custody == "sponsored":
        return operation.mint_id
    if isinstance(operation, Mint):
        return f"{operation.wallet}/{operation.created_at // LANE_MILLISECONDS % LANES}"
    if operation.sender is None:
        return operation.operation_id
    return operation.sender.address
