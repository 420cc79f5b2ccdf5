"""A mint whose voucher its user's own wallet redeems: no transaction of ours carries it."""

from __future__ import annotations

from typing import TypeGuard

from mintline.records.operations import Mint, Operation
from mintline.states import MintStatus
from mintline_indexer.kinds.mint import MintKind


class VoucherKind(MintKind):
    """A transaction of the user's own wallet: when it fails, the voucher is as good as it was."""

    when_failed = MintStatus.ISSUED


def has_voucher(operation: Operation | None) -> TypeGuard[Mint]:
    """Tell whether an operation is a mint whose voucher its user has, to redeem it with any wallet."""
    return isinstance(operation, Mint) and operation.custody == "self"


def undone(mint: Mint) -> MintStatus:
    """Return where such a mint goes back to with its block: one that no node took is only issued."""
    return MintStatus.ISSUED if mint.submitted_at is None else MintStatus.SUBMITTED
