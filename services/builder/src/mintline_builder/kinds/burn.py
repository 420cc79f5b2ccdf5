"""A token of a user's wallet in custody is burned."""

from __future__ import annotations

from mintline.records.operations import TokenBurn
from mintline_builder.kinds.token import TokenKind
from mintline_builder.token_simulation import TokenCall, burn_call


class BurnKind(TokenKind[TokenBurn]):
    """`burn`."""

    def call(self, operation: TokenBurn) -> TokenCall:
        """Return `burn` (ERC721Burnable)."""
        return burn_call(operation.contract, sender=operation.sender.address, token_id=operation.token_id)


KIND = BurnKind
