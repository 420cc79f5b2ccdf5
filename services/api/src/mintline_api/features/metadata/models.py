"""The metadata that users send, and where it is served."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, PlainValidator, WithJsonSchema, model_validator
from pydantic_core import PydanticCustomError

from mintline.metadata_urls import checked_image, checked_link, checked_media
from mintline.views.metadata import metadata_url
from mintline_api.features.metadata.url_schemas import IMAGE, LINK, MEDIA, url_schema
from mintline_api.http.models import PARAGRAPHS, Input, Paragraphs, TextLine, checked_paragraphs

__all__ = [
    "Attribute",
    "ImageUrl",
    "Link",
    "MediaUrl",
    "Metadata",
    "metadata_url",
]


def _attribute_value(value: Any) -> Any:
    if isinstance(value, str):
        if len(value) > 1000:
            raise ValueError("expected at most 1000 characters")
        return checked_paragraphs(value)
    if isinstance(value, (bool, int, float)):
        return value
    raise PydanticCustomError("attribute_value", "expected a string, a number or a boolean")


def _number(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise PydanticCustomError("number", "expected a number")
    return value


MediaUrl = Annotated[
    str,
    AfterValidator(checked_media),
    WithJsonSchema(
        url_schema(
            MEDIA, description="An http(s), ipfs, ar or data URL; at most 2,048 characters if not data."
        )
    ),
]
ImageUrl = Annotated[
    str,
    AfterValidator(checked_image),
    WithJsonSchema(
        url_schema(
            IMAGE,
            description="An http(s), ipfs or ar URL of at most 2,048 characters, or an image's data URL.",
        )
    ),
]
Link = Annotated[
    str,
    AfterValidator(checked_link),
    WithJsonSchema({**url_schema(LINK, description="An http(s) URL."), "maxLength": 2048}),
]


_NUMBER = {"type": "number", "minimum": -(2**53 - 1), "maximum": 2**53 - 1}


class Attribute(Input):
    """One trait, as OpenSea's metadata standard has it."""

    trait_type: TextLine | None = None
    value: Annotated[
        str | int | float | bool,
        PlainValidator(_attribute_value),
        WithJsonSchema(
            {
                "anyOf": [
                    {"type": "string", "maxLength": 1000, "pattern": PARAGRAPHS},
                    _NUMBER,
                    {"type": "boolean"},
                ]
            }
        ),
    ]
    display_type: Literal["number", "boost_number", "boost_percentage", "date"] | None = Field(
        default=None, description="How to show a numeric value; `date` is in Unix seconds."
    )
    max_value: Annotated[int | float, PlainValidator(_number), WithJsonSchema(_NUMBER)] | None = Field(
        default=None, description="The scale's end, for a numeric value."
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

    name: TextLine
    description: Paragraphs | None = None
    image: ImageUrl
    external_url: Link | None = Field(default=None, description="A page about the token; http(s).")
    animation_url: MediaUrl | None = None
    background_color: Annotated[str, Field(pattern=r"^[0-9a-fA-F]{6}$")] | None = Field(
        default=None, description="Six hex digits, without `#`."
    )
    attributes: Annotated[list[Attribute], Field(max_length=100)] | None = None
