"""What clients send and get of holders and of lists of transfers."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from mintline.fields import Address, TokenId, Uint256
from mintline_api.features.tokens.models import BlockNumber, IndexView, TransferView
from mintline_api.http.models import PageQuery, View

_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(?P<part>\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)", re.ASCII)


def _time(value: Any) -> Any:
    if isinstance(value, str) and _TIME.fullmatch(value):
        try:
            return datetime.fromisoformat(value.upper()).astimezone(UTC)
        except (ValueError, OverflowError):
            pass
    raise PydanticCustomError(
        "time", "expected a time by RFC 3339, such as 2026-11-23T01:50:54Z (a `+` is sent as %2B)"
    )


TimeBound = Annotated[
    datetime, BeforeValidator(_time), WithJsonSchema({"type": "string", "format": "date-time"})
]


class RangeQuery(PageQuery):
    """Which transfers, by their blocks and by the times of these."""

    from_block: BlockNumber | None = Field(default=None, description="The first block, included.")
    to_block: BlockNumber | None = Field(default=None, description="The last block, included.")
    from_time: TimeBound | None = Field(
        default=None, description="The earliest time of a block, included (RFC 3339)."
    )
    to_time: TimeBound | None = Field(
        default=None, description="The latest time of a block, included (RFC 3339)."
    )


class WalletTransfersQuery(RangeQuery):
    """Which of a wallet's transfers."""

    contract: Address | None = Field(default=None, description="Only those of this collection.")
    direction: Literal["in", "out"] | None = Field(
        default=None, description="Only those that the wallet got (`in`) or gave (`out`); both if absent."
    )


class HolderView(View):
    """An owner of a collection's tokens."""

    owner: Address
    balance: int = Field(
        description="The number of tokens, in an ERC-1155 collection of different ones; if `more`, at least "
        "this many."
    )
    more: bool = Field(description="Counting ends at 10,000 tokens: true if there may be more.")


class HolderList(View):
    """A collection's holders, in a fixed order of their addresses."""

    chain_id: int
    contract: Address
    items: list[HolderView]
    next_cursor: str | None = Field(
        description="Continues the list; null at its end. A short page may have one, too."
    )
    index: IndexView


class ItemHolderView(View):
    """A holder of a token."""

    owner: Address
    quantity: Uint256 = Field(description="How many it has; 1 of an ERC-721 token.")


class ItemHolderList(View):
    """A token's holders, by their addresses."""

    chain_id: int
    contract: Address
    token_id: TokenId
    items: list[ItemHolderView]
    next_cursor: str | None = Field(description="Continues the list; null at its end.")
    index: IndexView


class ListedTransfer(TransferView):
    """A transfer, and the token that it is of."""

    chain_id: int
    contract: Address
    token_id: TokenId


class ListedTransferList(View):
    """Transfers, mints and burns, newest first."""

    items: list[ListedTransfer]
    next_cursor: str | None = Field(
        description="Continues the list; null at its end. A short or empty page may have one, too."
    )
    index: IndexView
