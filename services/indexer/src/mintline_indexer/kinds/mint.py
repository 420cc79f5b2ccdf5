"""A mint that its user's wallet in custody pays for: its own token was made."""

from __future__ import annotations

from mintline.records.operations import Mint, Operation
from mintline_indexer.kinds.base import IndexedKind, TokenChanges
from mintline_indexer.own_tokens import own_token


class MintKind(IndexedKind):
    """`mint`."""

    makes_tokens = True

    def did(self, operation: Operation, tx_hash: bytes, changes: TokenChanges) -> bool:
        """Tell whether the transaction made the mint's very token."""
        token = own_token(operation, changes.minted) if isinstance(operation, Mint) else None
        return token is not None and token.event.tx_hash == tx_hash


KIND = MintKind()
