"""What all public forms are made of."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, WithJsonSchema

Time = Annotated[
    str,
    WithJsonSchema({"type": "string", "format": "date-time", "examples": ["2026-11-23T01:50:54.123Z"]}),
]


class View(BaseModel):
    """A public resource."""

    model_config = ConfigDict(frozen=True, extra="forbid", json_schema_serialization_defaults_required=True)


@lru_cache(maxsize=4_096)
def rfc3339(milliseconds: int) -> str:
    """Return Unix milliseconds as RFC 3339, UTC. Remembered: what is done together has the same times."""
    at = datetime.fromtimestamp(milliseconds / 1000, UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def rfc3339_or_none(milliseconds: int | None) -> str | None:
    """Return Unix milliseconds as RFC 3339, None for a time that is not known."""
    return None if milliseconds is None else rfc3339(milliseconds)


def decimal_or_none(number: int | None) -> str | None:
    """Return a large integer as JSON has it, None for none."""
    return None if number is None else str(number)


def hex_or_none(octets: bytes | None) -> str | None:
    """Return bytes as JSON has them, None for none."""
    return None if octets is None else "0x" + octets.hex()


def view_json(view: View | None) -> dict[str, Any] | None:
    """Return a public form as JSON, None for none."""
    return None if view is None else view.model_dump(mode="json", by_alias=True)
