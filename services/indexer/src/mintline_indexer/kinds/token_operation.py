"""What transfers and burns have in common: a token moved from its wallet in this very transaction.

The wallet itself sent it, or a relayer by the wallet's signature.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from mintline.records.operations import RelayedTokenOperation, TokenOperation
from mintline.records.problems import Problem
from mintline_indexer.chain_port import ItemTransferEvent, TransactionOutcome, TransferEvent
from mintline_indexer.kinds.base import IndexedKind, TokenChanges

NOT_OWNER = Problem(code="not_owner", reason="The wallet did not hold the token any more, or it was burned.")
RECIPIENT_REFUSED = Problem(
    code="recipient_refused", reason="The recipient is a contract that does not accept this token."
)
SIGNATURE_USED = Problem(
    code="signature_used",
    reason="The wallet's signature was good no more: another one of it came first, or somebody else sent "
    "this one. Read who holds the token, and send the request again if it has not moved.",
)
SIGNATURE_EXPIRED = Problem(
    code="signature_expired",
    reason="The transaction was mined after the wallet's signature had expired. Send the request again, with "
    "another Idempotency-Key.",
)
REFUSALS: Mapping[str, Problem] = MappingProxyType(
    {
        "ERC721NonexistentToken": NOT_OWNER,
        "ERC721InsufficientApproval": NOT_OWNER,
        "ERC721IncorrectOwner": NOT_OWNER,
        "ERC721InvalidReceiver": RECIPIENT_REFUSED,
        "InsufficientBalance": NOT_OWNER,
        "TransferToNonERC1155ReceiverImplementer": RECIPIENT_REFUSED,
        "InvalidAccountNonce": SIGNATURE_USED,
        "SignatureExpired": SIGNATURE_EXPIRED,
    }
)
"""By the contract's error (ERC-6093, Solady's, clones' own); any other is `reverted`, with its own reason."""


class TokenOperationKind(IndexedKind):
    """Moves a token of the operation's wallet."""

    def problem(self, ended: TransactionOutcome) -> Problem | None:
        """Return why a transaction failed, in our words where the contract's error is known."""
        return ended.problem and REFUSALS.get(ended.revert, ended.problem)


def move_of(
    operation: TokenOperation, tx_hash: bytes, changes: TokenChanges
) -> TransferEvent | ItemTransferEvent | None:
    """Return the event by which a transaction moved an operation's token as was asked for, if it did."""
    expected = (operation.contract, operation.token_id, operation.holder.address, operation.recipient)
    if isinstance(operation, RelayedTokenOperation) and operation.quantity is not None:
        for item in changes.item_moves.get(tx_hash, ()):
            moved = (item.contract, item.token_id, item.sender, item.recipient)
            if (*moved, item.quantity) == (*expected, operation.quantity):
                return item
        return None
    moves = changes.moves.get(tx_hash, ())
    return next(
        (move for move in moves if (move.contract, move.token_id, move.sender, move.recipient) == expected),
        None,
    )
