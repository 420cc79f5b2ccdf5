"""What clients send and get of drops."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from mintline.fields import Address, Uint256, Wei
from mintline.states import MintStatus
from mintline.views.drops import (
    DropView,
    LinesView,
    MintingView,
    PreparationView,
    RecipientsView,
    RepetitionsView,
    RepetitionView,
    drop_view,
    lines_view,
    minting_view,
)
from mintline_api.features.bulk.models import LineTerms
from mintline_api.features.mints.models import MintView
from mintline_api.features.uploads.models import MetadataRequest
from mintline_api.http.models import Input, PageQuery, TextLine, View

__all__ = [
    "CostEstimate",
    "DropLine",
    "DropList",
    "DropMintList",
    "DropMintsQuery",
    "DropPath",
    "DropRequest",
    "DropView",
    "DryRunView",
    "GasSource",
    "LinesView",
    "MintingView",
    "PreparationView",
    "RecipientsView",
    "RepetitionView",
    "RepetitionsView",
    "TimeEstimate",
    "WalletsEstimate",
    "drop_view",
    "lines_view",
    "minting_view",
]


class DropRequest(Input):
    """A drop to be made."""

    contract: Address | None = Field(
        default=None, description="The collection; this deployment's default if absent."
    )
    name: Annotated[TextLine, Field(max_length=100)] = Field(description="What people call the drop.")


class DropLine(LineTerms):
    """One line: who receives a token, and what it is."""

    metadata: MetadataRequest | None = Field(
        default=None,
        description="Required in an ERC-721 collection. In one of ERC-1155 it may be left out once the item "
        "has it: by an earlier mint, or an earlier line.",
    )
    refused: Any = Field(
        default=None,
        description="Ignored: a line that `GET …/refused` returned has it, and can be sent again corrected.",
    )


class DropPath(Input):
    """Names a drop."""

    drop_id: str = Field(
        max_length=64, description="The drop's id.", examples=["drop_7H2KQ0S5V9XW3Z8R4T6Y1B2C3D"]
    )


class DropMintsQuery(PageQuery):
    """Which of a drop's mints."""

    status: Annotated[MintStatus, Field(strict=False)] | None = Field(
        default=None, description="Only mints that are at this stage."
    )


class DropMintList(View):
    """Mints of a drop, in the order of its lines."""

    items: list[MintView]
    next_cursor: str | None = Field(
        description="Continues the list; null at its end. A short or empty page may have one, too."
    )


class DropList(View):
    """Drops of the caller's, newest first."""

    items: list[DropView]
    next_cursor: str | None = Field(description="Continues the list; null at its end.")


class WalletsEstimate(View):
    """How many wallets `prepare` will make."""

    to_make: int = Field(description="Estimated from the recipients that were looked up.")
    at_most: int
    looked_up: int = Field(description="Recipients that were looked up; all of them if the number is exact.")
    exact: bool


class CostEstimate(View):
    """What the gas costs at one price."""

    level: Literal["low", "expected", "high"] = Field(
        description="At the next block's base fee; at one and a half times it; at twice it."
    )
    wei_per_gas: Wei
    wei: Wei


GasSource = Literal["collection", "chain", "setting"]


class TimeEstimate(View):
    """How long it takes at least."""

    preparation: int = Field(description="Seconds to make the wallets, at the pace that is set.")
    minting: int | None = Field(
        description="Seconds of the chain's blocks, if the drop had half of each block; null if no node says."
    )


class DryRunView(View):
    """What a drop would do, before anything is made or spent."""

    lines: int = Field(description="Lines that would be minted.")
    tokens: Uint256 = Field(
        description="Tokens of those lines: in an ERC-1155 collection a line has any number of them."
    )
    refused: int
    over_cap: int | None = Field(
        description="Accepted lines for which the collection's supply cap, or the cap of their item, leaves "
        "too few tokens now: `prepare` refuses them. Null if no node says, and for lines of more than 1,000 "
        "ERC-1155 items: `lines` and `tokens` are those of all accepted lines then."
    )
    items_refused: int | None = Field(
        description="Accepted lines whose ERC-1155 item has no metadata, or other metadata: `prepare` "
        "refuses them. Null for lines of more than 1,000 items."
    )
    wallets: WalletsEstimate
    gas: int
    gas_per_line: int
    gas_from: GasSource = Field(
        description="`collection`: measured on your newest mints in it; `chain`: on those in another one; "
        "`setting`: this deployment's own figure, since none of yours is mined."
    )
    costs: list[CostEstimate] = Field(description="Empty if no node says what gas costs.")
    seconds_at_least: TimeEstimate
