"""A token is sent out of its user's wallet in custody."""

from __future__ import annotations

from mintline.records.operations import TokenTransfer
from mintline_builder.kinds.token import TokenKind
from mintline_builder.token_simulation import TokenCall, transfer_call


class TransferKind(TokenKind[TokenTransfer]):
    """`transfer`."""

    def call(self, operation: TokenTransfer) -> TokenCall:
        """Return `safeTransferFrom` (ERC-721)."""
        sender = operation.sender.address
        return transfer_call(operation.contract, sender=sender, to=operation.to, token_id=operation.token_id)


KIND = TransferKind
