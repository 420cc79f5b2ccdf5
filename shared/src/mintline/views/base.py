"""What all public forms are made of."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, WithJsonSchema

Time = Annotated[
    str,
    WithJsonSchema({"type": "string", "format": "date-time", "examples": ["2026-11-23T01:50:54.123Z"]}),
]


class View(BaseModel):
    """A public resource."""

    model_config = ConfigDict(frozen=True, extra="forbid", json_schema_serialization_defaults_required=True)


def rfc3339(milliseconds: int) -> str:
    """Return Unix milliseconds as RFC 3339, UTC."""
    at = datetime.fromtimestamp(milliseconds / 1000, UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def rfc3339_or_none(milliseconds: int | None) -> str | None:
    """Return Unix milliseconds as RFC 3339, None for a time that is not known."""
    return None if milliseconds is None else rfc3339(milliseconds)
