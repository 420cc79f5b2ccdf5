"""What clients send and get of tokens and transfers."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from mintline.fields import Address, Bytes32, TokenId, Uint256
from mintline.records.index import Checkpoint, Transfer
from mintline.states import MintStatus
from mintline_api.features.metadata.models import metadata_url
from mintline_api.features.operations.models import MintId
from mintline_api.features.tokens.ports import LAST_BLOCK, CountedToken
from mintline_api.http.models import Input, PageQuery, Time, View, rfc3339

_BLOCK = re.compile(r"[0-9]{1,12}")


class OwnerQuery(PageQuery):
    """Which of an owner's tokens."""

    contract: Address | None = Field(default=None, description="Only tokens of this contract.")

    include: Literal["metadata"] | None = Field(
        default=None, description="`metadata`: each token comes with its metadata."
    )


class CollectionQuery(PageQuery):
    """Which of a collection's tokens."""

    include: Literal["metadata"] | None = Field(
        default=None, description="`metadata`: each token comes with its metadata."
    )


class OwnerPath(Input):
    """Names an owner."""

    address: Address


class _OfCollection(Input):
    contract: Address = Field(description="The collection.")


class BalanceQuery(_OfCollection):
    """Of which collection, or of which token of it."""

    token_id: TokenId | None = Field(
        default=None, description="A certain token, decimal; all of the collection's if absent."
    )


class HoldsQuery(_OfCollection):
    """Which collection, or which token of it."""

    token_id: TokenId | None = Field(
        default=None, description="A certain token, decimal; any token of the collection if absent."
    )


def _block(value: Any) -> Any:
    if isinstance(value, str) and _BLOCK.fullmatch(value):
        return int(value)
    raise PydanticCustomError("block", "expected a block's number in decimal")


BlockNumber = Annotated[
    int,
    BeforeValidator(_block),
    Field(ge=0),
    WithJsonSchema({"type": "integer", "minimum": 0, "maximum": LAST_BLOCK}),
]


class ProofQuery(Input):
    """Of which mint."""

    mint: str | None = Field(
        default=None,
        max_length=64,
        description="In an ERC-1155 collection, a mint of yours of this item; absent otherwise.",
        examples=["mint_7H2KQ0S5V9XW3Z8R4T6Y1B2C3D"],
    )


class TransfersQuery(PageQuery):
    """Which of a token's transfers."""

    from_block: BlockNumber | None = Field(default=None, description="The first block, included.")
    to_block: BlockNumber | None = Field(default=None, description="The last block, included.")


Finality = Annotated[
    Literal["pending", "finalized"],
    Field(description="`finalized` once no reorg can undo it; `pending` until then."),
]


BEHIND_SECONDS = 60
"""Age of the head block from which the index counts as behind."""


class IndexView(View):
    """How fresh the answer is."""

    head_block: int | None = Field(description="The latest block in the index; null before its first.")
    head_timestamp: Time | None
    finalized_block: int | None
    lag_seconds: float | None = Field(description="Seconds since the head block's timestamp.")
    behind: bool = Field(
        description="Whether the head block is older than a minute, or there is none: newer blocks may be "
        "missing from the answer."
    )


def index_view(checkpoint: Checkpoint | None, *, now: int) -> IndexView:
    """Return the index's freshness; `now` is in Unix milliseconds."""
    if checkpoint is None:
        return IndexView(
            head_block=None, head_timestamp=None, finalized_block=None, lag_seconds=None, behind=True
        )
    lag = max(0, now - checkpoint.head_timestamp * 1000) / 1000
    return IndexView(
        head_block=checkpoint.head_number,
        head_timestamp=rfc3339(checkpoint.head_timestamp * 1000),
        finalized_block=checkpoint.finalized_number,
        lag_seconds=lag,
        behind=lag > BEHIND_SECONDS,
    )


def finality(block_number: int, checkpoint: Checkpoint | None) -> Literal["pending", "finalized"]:
    """Tell whether a block is beyond any reorg."""
    final = checkpoint is not None and block_number <= checkpoint.finalized_number
    return "finalized" if final else "pending"


class TokenMint(View):
    """The mint of ours that made a token."""

    mint_id: MintId | None = Field(description="Shown to the user who minted it; null to others.")
    status: MintStatus


class TokenSummary(View):
    """A token as the index knows it."""

    chain_id: int
    contract: Address
    token_id: TokenId
    standard: Literal["erc721", "erc1155"]
    owner: Address | None = Field(
        description="Null once the token is burned, and for an ERC-1155 token, which has holders."
    )
    burned: bool = Field(description="False for an ERC-1155 token: `supply` tells how many there are.")
    supply: Uint256 | None = Field(description="How many of an ERC-1155 token exist; null for ERC-721.")
    quantity: Uint256 | None = Field(
        description="In an owner's list: how many of an ERC-1155 token the owner has. Null otherwise."
    )
    metadata_digest: Bytes32 | None = Field(description="From the mint's event on chain.")
    metadata_url: str
    minted_block: int
    block_number: int = Field(
        description="The block of the token's latest transfer; of an ERC-1155 token, of its first."
    )
    tx_hash: Bytes32 = Field(description="The transaction of that transfer.")
    finality: Finality


class TokenView(TokenSummary):
    """A token with its metadata, the mint that made it, and the index's freshness."""

    metadata: dict[str, Any] | None
    metadata_verified: bool | None = Field(
        description="Whether the stored metadata has the digest that the chain vouches for; "
        "null if either is unknown, and for a version after the minted one."
    )
    metadata_version: int | None = Field(
        description="1 as minted; higher once its collection's client has replaced it. Null without metadata."
    )
    minted: Uint256 | None = Field(
        description="How many of an ERC-1155 token were ever minted, burned ones included, by its contract "
        "now. Null for ERC-721, for an imported contract, and if no node answers."
    )
    item_cap: Uint256 | None = Field(
        description="How many of it may ever be minted. Null without a cap, and where `minted` is null."
    )
    mint: TokenMint | None
    index: IndexView


def token_summary(counted: CountedToken, checkpoint: Checkpoint | None, *, public_url: str) -> dict[str, Any]:
    """Return the members of a token's summary."""
    token = counted.token
    return {
        "chain_id": token.chain_id,
        "contract": token.contract,
        "token_id": token.token_id,
        "standard": token.standard or "erc721",
        "owner": token.owner,
        "burned": token.is_burned,
        "supply": counted.supply,
        "quantity": counted.quantity,
        "metadata_digest": token.metadata_digest,
        "metadata_url": metadata_url(public_url, token.contract, token.token_id),
        "minted_block": token.minted_block,
        "block_number": token.block_number,
        "tx_hash": token.tx_hash,
        "finality": finality(token.block_number, checkpoint),
    }


class TokenWithMetadata(TokenSummary):
    """A token of a list, with its metadata."""

    metadata: dict[str, Any] | None
    metadata_verified: bool | None = Field(
        description="Whether the stored metadata has the digest that the chain vouches for; "
        "null if either is unknown, and for a version after the minted one."
    )
    metadata_version: int | None = Field(
        description="1 as minted; higher once its collection's client has replaced it. Null without metadata."
    )


class BalanceView(View):
    """How many tokens of a collection an address owns."""

    chain_id: int
    address: Address
    contract: Address
    token_id: TokenId | None
    balance: int = Field(
        description="The number of tokens, in an ERC-1155 collection of different ones; if `more`, at least "
        "this many."
    )
    more: bool = Field(description="Counting ends at 10,000 tokens: true if there may be more.")
    quantity: Uint256 | None = Field(
        description="How many the address has of `token_id`; of an ERC-721 token 0 or 1. Null without it."
    )
    index: IndexView


class HoldsView(View):
    """Whether an address owns a token."""

    chain_id: int
    address: Address
    contract: Address
    token_id: TokenId | None
    holds: bool
    index: IndexView


class CollectionTokenList(View):
    """A collection's tokens, by token id."""

    items: list[TokenSummary | TokenWithMetadata] = Field(
        description="With `include=metadata` each has `metadata` and `metadata_verified` as well."
    )
    next_cursor: str | None = Field(
        description="Continues the list; null at its end. A short or empty page may have one, too."
    )
    index: IndexView


class TokenList(View):
    """An owner's tokens, by contract and token id."""

    items: list[TokenSummary | TokenWithMetadata] = Field(
        description="With `include=metadata` each has `metadata` and `metadata_verified` as well."
    )
    next_cursor: str | None
    index: IndexView


class TransferView(View):
    """One transfer on chain, in the words of ERC-721's event, or of ERC-1155's for one token id."""

    from_: Address | None = Field(serialization_alias="from", description="Null for a mint.")
    to: Address | None = Field(description="Null for a burn.")
    quantity: Uint256 | None = Field(description="How many of an ERC-1155 token; null for ERC-721.")
    block_number: int
    block_hash: Bytes32
    log_index: int
    tx_hash: Bytes32
    timestamp: Time = Field(description="The block's.")
    finality: Finality


def transfer_view(transfer: Transfer, checkpoint: Checkpoint | None) -> TransferView:
    """Return the public form of a transfer."""
    return TransferView(
        from_=transfer.sender,
        to=transfer.recipient,
        quantity=transfer.quantity,
        block_number=transfer.block_number,
        block_hash=transfer.block_hash,
        log_index=transfer.log_index,
        tx_hash=transfer.tx_hash,
        timestamp=rfc3339(transfer.timestamp * 1000),
        finality=finality(transfer.block_number, checkpoint),
    )


class TransferList(View):
    """A token's transfers, newest first."""

    items: list[TransferView]
    next_cursor: str | None
    index: IndexView
