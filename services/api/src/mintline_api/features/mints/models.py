"""What clients send and get of mints."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from mintline.fields import Address, HexBytes, Quantity, TokenId
from mintline.states import MintStatus
from mintline.views.mints import MintLinks, MintView, RecipientView, Timeline, mint_view
from mintline_api.features.uploads.models import MetadataRequest
from mintline_api.features.users.models import EmailText, Sub
from mintline_api.http.models import Input, OneMember, PageQuery, TextLine, View

__all__ = [
    "ExternalId",
    "MintLinks",
    "MintList",
    "MintPath",
    "MintRequest",
    "MintView",
    "MintsQuery",
    "RecipientRequest",
    "RecipientView",
    "Tag",
    "Timeline",
    "TransactionRequest",
    "each_once",
    "mint_view",
]

ExternalId = Annotated[
    str, Field(min_length=1, max_length=128, pattern=r"^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$")
]
Tag = Annotated[TextLine, Field(max_length=64)]


def each_once(tags: list[str]) -> list[str]:
    """Return tags of which none is there twice; raises ValueError otherwise."""
    if len(set(tags)) < len(tags):
        raise ValueError("expected each tag once")
    return tags


Tags = Annotated[
    list[Tag], Field(max_length=10, json_schema_extra={"uniqueItems": True}), AfterValidator(each_once)
]


class RecipientRequest(OneMember):
    """Who is to have the token: exactly one of the members."""

    address: Address | None = Field(default=None, description="An address on the chain; the same as `to`.")
    user: Sub | None = Field(
        default=None, description="The `sub` of a user of the pool, whose wallet in custody it goes to."
    )
    email: EmailText | None = Field(
        default=None,
        description="An e-mail address. If nobody in the pool has it, a user and their wallet are made: "
        "their token is there at their first sign-in. The same address is always the same user. Takes the "
        "scope `users:write` too.",
    )


class MintRequest(Input):
    """What to mint, where, and to whom."""

    contract: Address | None = Field(
        default=None, description="The collection; this deployment's default if absent."
    )
    custody: Literal["custodial", "self", "sponsored"] | None = Field(
        default=None,
        description="Who sends the transaction: your wallet in custody (`custodial`, also if absent), a "
        "linked wallet of your own (`self`), which pays the gas and receives the token, or the platform "
        "(`sponsored`), if the collection is. A machine client's mints are sponsored.",
    )
    to: Address | None = Field(
        default=None,
        description="Who receives the token; your wallet in custody if absent. With self-custody a wallet "
        "that you have linked; the only one if absent.",
    )
    recipient: RecipientRequest | None = Field(
        default=None,
        description="Who receives the token, instead of `to`. A machine client names one; only it may name "
        "`user` or `email`.",
    )
    external_id: ExternalId | None = Field(
        default=None,
        description="What you call this mint: 1 to 128 printable ASCII characters, no other mint of yours.",
    )
    tags: Tags | None = Field(
        default=None, description="Up to 10 words by which you find the mint again, each once."
    )
    token_id: TokenId | None = Field(
        default=None,
        description="In an ERC-1155 collection, the item to mint: a number of your choice, decimal. Its "
        "first mint fixes its metadata. In an ERC-721 collection the platform numbers the tokens.",
    )
    quantity: Quantity | None = Field(
        default=None, description="In an ERC-1155 collection, how many tokens of the item; 1 if absent."
    )
    metadata: MetadataRequest

    @property
    def destination(self) -> str | None:
        """The address that the request names, None if it names none."""
        return self.to or (self.recipient.address if self.recipient else None)


class TransactionRequest(Input):
    """A transaction, signed by the user's own wallet."""

    raw: Annotated[HexBytes, Field(min_length=1, max_length=8192)] = Field(
        description="The signed transaction, as `eth_sendRawTransaction` takes it.",
        json_schema_extra={"minLength": 4, "maxLength": 2 + 2 * 8192},
    )


class MintsQuery(PageQuery):
    """Which of the caller's mints."""

    status: Annotated[MintStatus, Field(strict=False)] | None = Field(
        default=None, description="Only mints that are at this stage."
    )
    tag: Tag | None = Field(default=None, description="Only mints with this tag.")
    external_id: ExternalId | None = Field(
        default=None, description="Only the mint that you gave this `external_id`."
    )


class MintPath(Input):
    """Names a mint."""

    mint_id: str = Field(max_length=64, examples=["mint_7H2KQ0S5V9XW3Z8R4T6Y1B2C3D"])


class MintList(View):
    """Mints of the caller's, newest first."""

    items: list[MintView]
    next_cursor: str | None = Field(
        description="Continues the list; null at its end. A short or empty page may have one, too."
    )
