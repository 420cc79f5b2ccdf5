"""What requests and resources of all features are made of."""

from __future__ import annotations

import re
from typing import Annotated, Any
from unicodedata import category

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    WithJsonSchema,
    field_validator,
)
from pydantic_core import PydanticCustomError

from mintline.views.base import Time, View, rfc3339, rfc3339_or_none

__all__ = [
    "PARAGRAPHS",
    "Cursor",
    "Input",
    "Limit",
    "NoQuery",
    "OneMember",
    "PageQuery",
    "Paragraphs",
    "TextLine",
    "Time",
    "View",
    "checked_paragraphs",
    "rfc3339",
    "rfc3339_or_none",
]


_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_CONTROL_IN_PARAGRAPHS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_LIMIT = re.compile(r"[0-9]{1,6}")


def _line(value: str) -> str:
    if match := _CONTROL.search(value):
        raise ValueError(f"control character U+{ord(match[0]):04X} in a line of text")
    if all(category(character)[0] in "CZ" for character in value):
        raise ValueError("expected at least one visible character")
    return value


def checked_paragraphs(value: str) -> str:
    """Return a text of several lines; raises ValueError for a control character."""
    if match := _CONTROL_IN_PARAGRAPHS.search(value):
        raise ValueError(f"control character U+{ord(match[0]):04X} in a text")
    return value


_LINE = r"[^\x00-\x1f\x7f-\x9f\u2028\u2029]"
_VISIBLE = r"[^\x00-\x20\x7f-\xa0\u2028\u2029]"
TextLine = Annotated[
    str,
    Field(min_length=1, max_length=200, json_schema_extra={"pattern": f"^{_LINE}*{_VISIBLE}{_LINE}*$"}),
    AfterValidator(_line),
]
PARAGRAPHS = r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]*$"
Paragraphs = Annotated[
    str,
    Field(max_length=4000, json_schema_extra={"pattern": PARAGRAPHS}),
    AfterValidator(checked_paragraphs),
]


def one_of_its_members(schema: dict[str, Any]) -> None:
    """Say in a model's schema that exactly one of its members is given, and not as null."""
    schema |= {"minProperties": 1, "maxProperties": 1}
    for name, described in schema["properties"].items():
        (given,) = (option for option in described["anyOf"] if option != {"type": "null"})
        kept = {key: value for key, value in described.items() if key not in ("anyOf", "default")}
        schema["properties"][name] = {**given, **kept}


class Input(BaseModel):
    """A value from a client: nothing unknown, nothing coerced."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


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


class OneMember(Input):
    """A value that is exactly one of its members; the model says how that is refused."""

    model_config = ConfigDict(json_schema_extra=one_of_its_members)

    @field_validator("*", mode="before")
    @classmethod
    def _given(cls, value: Any) -> Any:
        if value is None:
            raise PydanticCustomError("null", "expected a value; leave out a member that is not the one")
        return value


class PageQuery(Input):
    """Which part of a list."""

    cursor: Cursor | None = Field(
        default=None, description="`next_cursor` of the page before, for the same list and filters."
    )
    limit: Limit = Field(default=20, description="How many items at most.")


class NoQuery(Input):
    """An operation without query parameters."""
