"""What the indexer writes of the chain: tokens, balances, transfers, and how far it has come."""

from __future__ import annotations

from typing import Literal

from mintline.fields import Address, Bytes32, TokenId, Uint256
from mintline.frozen import Frozen

LAYOUT = 3
"""The form of the index's tables: `mintline_ops.migrations` brings them from one to the next."""


class Token(Frozen):
    """A token as the index knows it; `owner` is None once it is burned.

    An item of ERC-1155 has no one owner, and no one mint: its holders are in `Balance`. Its row is written
    when the item is first seen, and with the digest of its first mint.
    """

    chain_id: int
    contract: Address
    token_id: TokenId
    owner: Address | None
    metadata_digest: Bytes32 | None
    mint_id: str | None
    """The mint of ours that made it, if one did."""
    minted_block: int
    block_number: int
    """The block of its latest transfer; of an item, of its first."""
    tx_hash: Bytes32
    standard: Literal["erc1155"] | None = None
    """Set on an item of ERC-1155; None for ERC-721."""

    @property
    def is_burned(self) -> bool:
        """Whether no one owns it any more; for an item see its supply."""
        return self.standard is None and self.owner is None


class Balance(Frozen):
    """How much of an item of ERC-1155 an address holds; `holder` None: of how much is in circulation.

    Blocks up to `block_number` are in it, and no event of theirs changes it again.
    """

    chain_id: int
    contract: Address
    token_id: TokenId
    holder: Address | None
    quantity: Uint256
    block_number: int
    """The block of its latest change."""
    tx_hash: Bytes32


class Transfer(Frozen):
    """One transfer of a token on chain; `sender` is None for a mint, `recipient` None for a burn.

    An ERC-721 Transfer event, or what an event of ERC-1155 says of one item.
    """

    chain_id: int
    contract: Address
    token_id: TokenId
    sender: Address | None
    recipient: Address | None
    block_number: int
    block_hash: Bytes32
    log_index: int
    tx_hash: Bytes32
    timestamp: int
    """The block's, in Unix seconds."""
    quantity: Uint256 | None = None
    """How much of an item; None for ERC-721."""


class Checkpoint(Frozen):
    """How far the index has come on one chain."""

    chain: str
    head_number: int
    head_hash: Bytes32
    head_timestamp: int
    finalized_number: int
    updated_at: int
