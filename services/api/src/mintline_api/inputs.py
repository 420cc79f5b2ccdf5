"""What clients send: the models that validate it, and that the OpenAPI document is made from."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal
from unicodedata import category

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import PydanticCustomError

from mintline.fields import Address, HexBytes, TokenId
from mintline.states import MintStatus
from mintline_api.features.mints.urls import checked_image, checked_link, checked_media

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_CONTROL_IN_PARAGRAPHS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_LIMIT = re.compile(r"[0-9]{1,6}")


def _line(value: str) -> str:
    if match := _CONTROL.search(value):
        raise ValueError(f"control character U+{ord(match[0]):04X} in a line of text")
    if all(category(character)[0] in "CZ" for character in value):
        raise ValueError("expected at least one visible character")
    return value


def _paragraphs(value: str) -> str:
    if match := _CONTROL_IN_PARAGRAPHS.search(value):
        raise ValueError(f"control character U+{ord(match[0]):04X} in a text")
    return value


def _attribute_value(value: Any) -> Any:
    if isinstance(value, str):
        if len(value) > 1000:
            raise ValueError("expected at most 1000 characters")
        return _paragraphs(value)
    if isinstance(value, (bool, int, float)):
        return value
    raise PydanticCustomError("attribute_value", "expected a string, a number or a boolean")


def _number(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise PydanticCustomError("number", "expected a number")
    return value


Line = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_line)]
Paragraphs = Annotated[str, Field(max_length=4000), AfterValidator(_paragraphs)]
MediaUrl = Annotated[
    str,
    AfterValidator(checked_media),
    WithJsonSchema(
        {
            "type": "string",
            "format": "uri",
            "pattern": "^([hH][tT][tT][pP][sS]?|[iI][pP][fF][sS]|[aA][rR]|[dD][aA][tT][aA]):",
            "description": "An http(s), ipfs, ar or data URL; at most 2,048 characters if not data.",
        }
    ),
]
ImageUrl = Annotated[
    str,
    AfterValidator(checked_image),
    WithJsonSchema(
        {
            "type": "string",
            "format": "uri",
            "pattern": "^([hH][tT][tT][pP][sS]?|[iI][pP][fF][sS]|[aA][rR]|[dD][aA][tT][aA]):",
            "description": "An http(s), ipfs or ar URL of at most 2,048 characters, or an image's data URL.",
        }
    ),
]
Link = Annotated[
    str, AfterValidator(checked_link), WithJsonSchema({"type": "string", "format": "uri", "maxLength": 2048})
]


class Input(BaseModel):
    """A value from a client: nothing unknown, nothing coerced."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Attribute(Input):
    """One trait, as OpenSea's metadata standard has it."""

    trait_type: Line | None = None
    value: Annotated[
        str | int | float | bool,
        PlainValidator(_attribute_value),
        WithJsonSchema(
            {
                "anyOf": [
                    {"type": "string", "maxLength": 1000},
                    {"type": "number"},
                    {"type": "boolean"},
                ]
            }
        ),
    ]
    display_type: Literal["number", "boost_number", "boost_percentage", "date"] | None = Field(
        default=None, description="How to show a numeric value; `date` is in Unix seconds."
    )
    max_value: Annotated[int | float, PlainValidator(_number), WithJsonSchema({"type": "number"})] | None = (
        Field(default=None, description="The scale's end, for a numeric value.")
    )

    @model_validator(mode="after")
    def _numeric_where_shown_as_number(self) -> Attribute:
        numeric = isinstance(self.value, (int, float)) and not isinstance(self.value, bool)
        if self.display_type is not None and not numeric:
            raise ValueError(f"display_type {self.display_type} needs a number as value")
        if self.display_type == "date" and not isinstance(self.value, int):
            raise ValueError("display_type date needs whole Unix seconds as value")
        if self.max_value is not None and not numeric:
            raise ValueError("max_value needs a number as value")
        return self


class Metadata(Input):
    """A token's metadata by ERC-721 and OpenSea's standard. Stored as given, in canonical JSON."""

    name: Line
    description: Paragraphs | None = None
    image: ImageUrl
    external_url: Link | None = Field(default=None, description="A page about the token; http(s).")
    animation_url: MediaUrl | None = None
    background_color: Annotated[str, Field(pattern=r"^[0-9a-fA-F]{6}$")] | None = Field(
        default=None, description="Six hex digits, without `#`."
    )
    attributes: Annotated[list[Attribute], Field(max_length=100)] | None = None


class MintRequest(Input):
    """What to mint, where, and to whom."""

    contract: Address | None = Field(
        default=None, description="The collection; this deployment's default if absent."
    )
    custody: Literal["custodial", "self"] | None = Field(
        default=None,
        description="Who sends the transaction: your wallet in custody (`custodial`, also if absent), or a "
        "linked wallet of your own (`self`), which pays the gas and receives the token.",
    )
    to: Address | None = Field(
        default=None,
        description="Who receives the token; your wallet in custody if absent. With self-custody a wallet "
        "that you have linked; the only one if absent.",
    )
    metadata: Metadata


class BurnRequest(Input):
    """Which token of the wallet in custody to burn."""

    contract: Address | None = None
    """The collection; this deployment's default if absent."""
    token_id: TokenId


class TransferRequest(BurnRequest):
    """Which token of the wallet in custody to send, and where to."""

    to: Address


class ChallengeRequest(Input):
    """Which wallet to link, and where its user is asked to sign."""

    address: Address
    domain: Annotated[str, Field(max_length=255)] | None = Field(
        default=None, description="The site that asks, as the browser names it; this API's own if absent."
    )


class LinkRequest(Input):
    """A challenge, signed."""

    message: str = Field(max_length=4096, description="The text that was signed: EIP-4361.")
    signature: Annotated[HexBytes, Field(max_length=16_384)] = Field(
        description="By `personal_sign`: 65 bytes of an account, up to 16 KB of a contract wallet."
    )


class TransactionRequest(Input):
    """A transaction, signed by the user's own wallet."""

    raw: Annotated[HexBytes, Field(min_length=1, max_length=8192)] = Field(
        description="The signed transaction, as `eth_sendRawTransaction` takes it."
    )


def _limit(value: Any) -> Any:
    if isinstance(value, str) and _LIMIT.fullmatch(value):
        return int(value)
    raise PydanticCustomError("limit", "expected a whole number from 1 to 100")


Limit = Annotated[
    int,
    BeforeValidator(_limit),
    Field(ge=1, le=100),
    WithJsonSchema({"type": "integer", "minimum": 1, "maximum": 100, "default": 20}),
]
Cursor = Annotated[str, Field(max_length=1024)]


class PageQuery(Input):
    """Which part of a list."""

    cursor: Cursor | None = Field(
        default=None, description="`next_cursor` of the page before, for the same list and filters."
    )
    limit: Limit = Field(default=20, description="How many items at most.")


class MintsQuery(PageQuery):
    """Which of the caller's mints."""

    status: Annotated[MintStatus, Field(strict=False)] | None = Field(
        default=None, description="Only mints that are at this stage."
    )


class OwnerQuery(PageQuery):
    """Which of an owner's tokens."""

    contract: Address | None = Field(default=None, description="Only tokens of this contract.")


class NoQuery(Input):
    """An operation without query parameters."""


class MintPath(Input):
    """Names a mint."""

    mint_id: str = Field(max_length=64, examples=["mint_7H2KQ0S5V9XW3Z8R4T6Y1B2C3D"])


class ContractPath(Input):
    """Names a collection."""

    contract: Address


class TokenPath(ContractPath):
    """Names a token."""

    token_id: TokenId = Field(description="Decimal, without leading zeros.")


class WalletPath(Input):
    """Names a linked wallet."""

    address: Address = Field(description="The wallet's address.")


class OwnerPath(Input):
    """Names an owner."""

    address: Address
