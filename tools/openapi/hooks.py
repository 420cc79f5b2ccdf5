"""What schemathesis needs to know of the API beside its document: see `schemathesis.toml`."""

from __future__ import annotations

import os
import re
from typing import Any

import schemathesis

TOKENS = {"accessToken": os.environ["USER_TOKEN"], "clientToken": os.environ["CLIENT_TOKEN"]}


ADDRESS = re.compile("0x[0-9a-fA-F]{40}$")
BEGINS = {"to_block": "from_block", "to_time": "from_time"}
DISPLAY_TYPES = ("number", "boost_number", "boost_percentage", "date")


@schemathesis.hook
def before_call(_context: Any, case: Any, _kwargs: Any) -> None:
    """Send a token that the operation takes, and what no schema can say of the values."""
    schemes = [name for each in case.operation.definition.raw.get("security", ()) for name in each]
    if schemes:
        case.headers = {**(case.headers or {}), "Authorization": f"Bearer {TOKENS[schemes[0]]}"}
    case.path_parameters = plain(case.path_parameters)
    query = plain(case.query)
    # A range may not end before it begins.
    case.query = (
        {name: value for name, value in query.items() if BEGINS.get(name) not in query} if query else query
    )
    case.body = plain(case.body)


def plain(value: Any) -> Any:
    """Return a value whose addresses claim no EIP-55 checksum, and whose whole numbers are integers."""
    if isinstance(value, dict):
        return as_attribute({name: plain(member) for name, member in value.items()})
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, str) and ADDRESS.match(value):
        return value.lower()
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < 2**53 else value


def as_attribute(value: dict[str, Any]) -> dict[str, Any]:
    """Return an attribute without the ways to show numbers that do not fit its value; all else as it is."""
    shown, way, most = value.get("value"), value.get("display_type"), value.get("max_value")
    left_out: set[str] = set()
    if isinstance(shown, (str, bool)):
        left_out |= {"display_type"} if way in DISPLAY_TYPES else set()
        left_out |= {"max_value"} if isinstance(most, (int, float)) else set()
    elif isinstance(shown, float) and way == "date":
        left_out = {"display_type"}
    return {name: member for name, member in value.items() if name not in left_out}


@schemathesis.serializer("application/x-ndjson", "text/csv")
def lines(_context: Any, value: Any) -> bytes:
    """Send lines as they are."""
    return value if isinstance(value, bytes) else str(value).encode()


@schemathesis.hook
def filter_case(_context: Any, case: Any) -> bool:
    """Leave out parameters that are empty: those are as good as absent, which no schema can say."""
    return "" not in (case.query or {}).values()
