"""What clients send and get of collections."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Any, Literal, Self, TypeAlias

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainSerializer,
    WithJsonSchema,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from mintline.fields import Address, Bytes32, Quantity, TokenId, Uint256
from mintline.reveals import MOST_TOKENS
from mintline.states import MintStatus
from mintline.views.collections import CollectionLinks, CollectionSummary
from mintline_api.features.metadata.models import ImageUrl, Link
from mintline_api.features.operations.models import ProblemView
from mintline_api.http.models import (
    Input,
    OneMember,
    PageQuery,
    Paragraphs,
    TextLine,
    Time,
    View,
    rfc3339,
)

__all__ = [
    "MOST_SUPPLY",
    "CollectionLinks",
    "CollectionList",
    "CollectionMetadata",
    "CollectionOperationView",
    "CollectionPatch",
    "CollectionRequest",
    "CollectionSummary",
    "CollectionView",
    "CollectionsQuery",
    "ImportRequest",
    "MintWindowRequest",
    "MintWindowView",
    "Moment",
    "RoyaltiesRequest",
    "RoyaltiesView",
]

MOST_SUPPLY = 2**53 - 1
"""The highest supply cap: every JSON reader has such a number exactly."""
_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(\.0{1,9})?([Zz]|[+-]\d{2}:\d{2})", re.ASCII)


def _fits(most: int, text: str) -> str:
    if len(text.encode()) > most:
        raise ValueError(f"expected at most {most} bytes in UTF-8")
    return text


def _moment(value: Any) -> Any:
    """Return Unix seconds for RFC 3339; what is validated again, as records are, is seconds already."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if not isinstance(value, str) or not _MOMENT.fullmatch(value):
        raise PydanticCustomError(
            "moment", "expected a time of RFC 3339 in whole seconds, such as 2026-12-24T18:00:00Z"
        )
    try:
        return int(datetime.fromisoformat(value.upper()).timestamp())
    except (ValueError, OverflowError):
        raise PydanticCustomError("moment", "expected a date and time that exist") from None


Moment = Annotated[
    int,
    BeforeValidator(_moment),
    Field(gt=0, lt=2**63),
    PlainSerializer(lambda seconds: rfc3339(seconds * 1000), return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "format": "date-time", "examples": ["2026-12-24T18:00:00Z"]}),
]
"""Unix seconds; RFC 3339 in JSON."""


class RoyaltiesRequest(Input):
    """What marketplaces are asked to pay at a sale (ERC-2981)."""

    receiver: Address = Field(description="Who receives them.")
    bps: int = Field(ge=0, le=10_000, description="Hundredths of a percent of the price: 500 are 5 %.")


class MintWindowRequest(Input):
    """When the contract mints; it never changes."""

    start: Moment | None = Field(default=None, description="From then on; at once if absent.")
    end: Moment | None = Field(default=None, description="Until then; without end if absent.")


class CollectionMetadata(Input):
    """What marketplaces show of a collection (ERC-7572), in addition to its name and symbol."""

    description: Paragraphs | None = None
    image: ImageUrl | None = None
    banner_image: ImageUrl | None = None
    featured_image: ImageUrl | None = None
    external_link: Link | None = Field(default=None, description="The collection's page; http(s).")
    collaborators: Annotated[list[Address], Field(max_length=50)] | None = Field(
        default=None, description="Addresses that marketplaces may let edit the collection's page."
    )


class RevealRequest(Input):
    """A commitment to metadata that is revealed later, for good."""

    commitment: Bytes32 = Field(
        description="`mintline collections commit` makes it.",
        json_schema_extra={"not": {"const": "0x" + "0" * 64}},
    )
    tokens: int = Field(
        ge=1, le=MOST_TOKENS, description="How many texts it is to, for the token ids from 1 on."
    )

    @field_validator("commitment")
    @classmethod
    def _is_one(cls, commitment: bytes) -> bytes:
        if not any(commitment):
            raise ValueError("expected a commitment, not zero")
        return commitment


class CollectionRequest(Input):
    """A collection to be deployed."""

    standard: Literal["erc721", "erc1155"] | None = Field(
        default=None,
        description="`erc721`, also if absent: each token is one of its kind, numbered by the platform. "
        "`erc1155`: items of your numbering, of which any quantity is minted. It never changes.",
    )
    name: Annotated[TextLine, AfterValidator(lambda text: _fits(64, text))] = Field(
        description="At most 64 bytes in UTF-8. It never changes, as symbol, cap, window and `soulbound`.",
        json_schema_extra={"maxLength": 64},
    )
    symbol: Annotated[TextLine, AfterValidator(lambda text: _fits(16, text))] = Field(
        description="At most 16 bytes in UTF-8.", json_schema_extra={"maxLength": 16}
    )
    owner: Address | None = Field(
        default=None,
        description="Who marketplaces let edit the collection's page (ERC-5313). The contract gives it no "
        "rights. The receiver of the royalties if absent.",
    )
    royalties: RoyaltiesRequest | None = Field(default=None, description="None if absent.")
    supply_cap: int | None = Field(
        default=None,
        ge=1,
        le=MOST_SUPPLY,
        description="How many tokens are ever minted, of all items together; no cap if absent.",
    )
    mint_window: MintWindowRequest | None = Field(default=None, description="No window if absent.")
    soulbound: bool = Field(
        default=False, description="Whether tokens stay with their first holder (ERC-5192)."
    )
    open_to_users: bool = Field(
        default=False,
        description="Whether any user of this API may mint in it too, at the platform's expense.",
    )
    metadata: CollectionMetadata = CollectionMetadata()
    reveal: RevealRequest | None = Field(
        default=None, description="To what the tokens' metadata will be once it is revealed; none if absent."
    )


class ItemCapRequest(Input):
    """How many tokens of an item may ever be minted."""

    token_id: TokenId = Field(description="The item.")
    cap: Quantity = Field(
        description="Burned tokens count. Not below what was minted, and an item's cap is only ever lowered."
    )


class CollectionPatch(OneMember):
    """What is to change of a collection: one of the members."""

    paused: bool | None = Field(default=None, description="Whether the contract refuses mints.")
    royalties: RoyaltiesRequest | None = Field(default=None, description="For all tokens of the collection.")
    metadata: CollectionMetadata | None = Field(default=None, description="Replaces all of it.")
    item_cap: ItemCapRequest | None = Field(
        default=None, description="Bounds the tokens of an item, in an ERC-1155 collection."
    )

    @model_validator(mode="after")
    def _names_one(self) -> Self:
        members = (self.paused, self.royalties, self.metadata, self.item_cap)
        if sum(part is not None for part in members) != 1:
            raise ValueError("expected one of the members paused, royalties, metadata and item_cap")
        return self


class ImportRequest(Input):
    """A contract that others deployed."""

    contract: Address
    from_block: int = Field(
        ge=0,
        le=10**12 - 1,
        description="Where the index begins to read it: the block that deployed it. Balances of ERC-1155 "
        "tokens are summed up from there.",
    )


class CollectionsQuery(PageQuery):
    """Which of the caller's collections."""


class RoyaltiesView(View):
    """What marketplaces are asked to pay at a sale (ERC-2981)."""

    receiver: Address
    bps: int


class MintWindowView(View):
    """When the contract mints; null: without a bound."""

    start: Time | None
    end: Time | None


OperationKind: TypeAlias = Literal[
    "deploy",
    "pause",
    "unpause",
    "set_royalty",
    "refresh_contract_uri",
    "refresh_metadata",
    "freeze",
    "cap_item",
]


class CollectionOperationView(View):
    """A deployment or a change, which a relayer of the platform sends."""

    operation_id: str
    kind: OperationKind
    status: MintStatus | None = Field(description="As a mint's; null if its record cannot be read now.")
    tx_hash: Bytes32 | None
    waiting: ProblemView | None
    problem: ProblemView | None = Field(description="Why it ended badly.")


class RevealView(View):
    """Metadata that was committed to, and is revealed later."""

    commitment: Bytes32 = Field(description="What the contract's `metadataCommitment` gives.")
    tokens: int = Field(description="How many texts it is to, for the token ids from 1 on.")
    salt: Bytes32 | None = Field(description="Null until it is revealed, like `revealed_at`.")
    revealed_at: Time | None


class CollectionView(View):
    """A collection: an ERC-721 or ERC-1155 contract."""

    contract: Address
    chain_id: int
    standard: Literal["erc721", "erc1155"]
    name: str
    symbol: str
    status: Literal["deploying", "ready", "failed"] = Field(
        description="`deploying` → `ready`; `failed` if its deployment came to nothing, and nothing can be "
        "minted in it. The address is the same from the first answer on."
    )
    client_id: str | None = Field(
        description="The machine client that made it; null for one that operators registered or imported."
    )
    mintable: bool = Field(description="False for an imported contract, which is indexed alone.")
    open_to_users: bool = Field(description="Whether users may mint in it at the platform's expense.")
    supply_cap: int | None
    minted: Uint256 | None = Field(
        description="How many tokens were ever minted in it, burned ones included, by the chain within the "
        "last two seconds. Null before it is deployed, for a contract that no client made, and if no node "
        "responds."
    )
    mint_window: MintWindowView | None
    soulbound: bool
    owner: Address | None
    royalties: RoyaltiesView | None = Field(
        description="Null for none; also of a contract that this API did not deploy."
    )
    paused: bool
    frozen: bool = Field(description="Whether its metadata is permanent.")
    metadata_url: str = Field(description="What `contractURI` gives.")
    metadata_digest: Bytes32 | None = Field(description="SHA-256 of what `metadata_url` serves.")
    reveal: RevealView | None = Field(description="Null without a commitment.")
    deployed_block: int | None
    deployment: CollectionOperationView | None = Field(description="Null for other readers than its client.")
    change: CollectionOperationView | None = Field(
        description="The latest change of `paused`, `royalties`, `metadata`, `frozen` or a token's metadata, "
        "until it is final."
    )
    links: CollectionLinks


class CollectionList(View):
    """A page of collections, newest first."""

    items: list[CollectionSummary]
    next_cursor: str | None
