"""What clients send and get of requests for many mints."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, WithJsonSchema

from mintline.fields import Address, Quantity, TokenId
from mintline.lines import MAX_CHUNK
from mintline.states import MintStatus
from mintline_api.features.bulk.records import BulkRecord
from mintline_api.features.mints.models import ExternalId, RecipientRequest, Tags
from mintline_api.features.operations.models import MintId
from mintline_api.features.uploads.models import MetadataRequest
from mintline_api.http.models import Input, Time, View, rfc3339

BulkId = Annotated[
    str,
    WithJsonSchema(
        {
            "type": "string",
            "pattern": "^bulk_[0-9A-HJKMNP-TV-Z]{26}$",
            "examples": ["bulk_7H2KQ0S5V9XW3Z8R4T6Y1B2C3D"],
        }
    ),
]


class LineTerms(Input):
    """Who receives the tokens of a line, of which item, and what the client calls it."""

    recipient: RecipientRequest = Field(description="Who receives the token.")
    token_id: TokenId | None = Field(
        default=None, description="In an ERC-1155 collection, the item to mint, as in `POST /v1/mints`."
    )
    quantity: Quantity | None = Field(
        default=None, description="In an ERC-1155 collection, how many tokens of the item; 1 if absent."
    )
    external_id: ExternalId | None = Field(
        default=None,
        description="What you call this mint: 1 to 128 printable ASCII characters, no other mint of yours.",
    )
    tags: Tags | None = Field(
        default=None, description="Up to 10 words by which you find the mint again, each once."
    )


class LineRequest(LineTerms):
    """One of the mints."""

    metadata: MetadataRequest


class BulkRequest(Input):
    """What to mint, and to whom; all in one collection."""

    contract: Address | None = Field(
        default=None, description="The collection; this deployment's default if absent."
    )
    mints: Annotated[list[LineRequest], Field(min_length=1, max_length=MAX_CHUNK)]


class BulkPath(Input):
    """Names a request for many mints."""

    request_id: str = Field(
        max_length=64,
        description="The request's id, as `POST /v1/mints/bulk` gave it.",
        examples=["bulk_7H2KQ0S5V9XW3Z8R4T6Y1B2C3D"],
    )


class BulkLinks(View):
    """Where to look next."""

    self: str


class BulkView(View):
    """A request for many mints."""

    request_id: BulkId
    contract: Address
    count: int = Field(description="How many mints it is for.")
    accepted_at: Time
    statuses: dict[MintStatus, int] = Field(
        description="How many of its mints have which status; a status that none has is left out."
    )
    mint_ids: list[MintId] = Field(description="The mints' ids, in the order of the request.")
    links: BulkLinks


def bulk_view(record: BulkRecord, statuses: dict[MintStatus, int]) -> BulkView:
    """Return the public form of a request."""
    return BulkView(
        request_id=record.request_id,
        contract=record.contract,
        count=record.count,
        accepted_at=rfc3339(record.created_at),
        statuses=statuses,
        mint_ids=list(record.mint_ids),
        links=BulkLinks(self=f"/v1/mints/bulk/{record.request_id}"),
    )
