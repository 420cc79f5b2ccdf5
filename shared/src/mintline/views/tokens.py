"""The public form of a token's transfer, as events have it."""

from __future__ import annotations

from pydantic import Field

from mintline.fields import Address, Bytes32, TokenId
from mintline.views.base import Time, View


class TokenTransferView(View):
    """One transfer of a token on chain, in the words of ERC-721's event."""

    chain_id: int
    contract: Address
    token_id: TokenId
    from_: Address | None = Field(serialization_alias="from", description="Null for a mint.")
    to: Address | None = Field(description="Null for a burn.")
    block_number: int
    block_hash: Bytes32
    log_index: int
    tx_hash: Bytes32
    timestamp: Time = Field(description="The block's.")
