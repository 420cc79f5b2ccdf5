"""Headers of requests for operations, and of their answers."""

from __future__ import annotations

from mintline_api.http.operations import HeaderField

IDEMPOTENCY_KEY = HeaderField(
    "Idempotency-Key",
    "Names this request permanently: 1 to 255 printable ASCII characters, a UUID say. Send one always: then "
    "the request may be repeated after any failure and is carried out once. Keys of different users never "
    "meet.",
    {
        "type": "string",
        "minLength": 1,
        "maxLength": 255,
        "pattern": "^[\\x21-\\x7e]([\\x20-\\x7e]*[\\x21-\\x7e])?$",
    },
    "8e03978e-40d5-43e8-bc93-6894a57f9324",
)
IDEMPOTENT_REPLAYED = HeaderField(
    "Idempotent-Replayed",
    "`true` when the key had made this before.",
    {"type": "string", "enum": ["true"]},
    "true",
)
PREFER = HeaderField(
    "Prefer",
    "`wait=N` (RFC 7240) has the answer wait up to N seconds, at most 10, for the operation to reach the "
    "chain, its end, or a point where it needs you.",
    {"type": "string"},
    "wait=10",
)
PREFERENCE_APPLIED = HeaderField(
    "Preference-Applied", "`wait` if the answer waited.", {"type": "string", "enum": ["wait"]}, "wait"
)


def location(example: str) -> HeaderField:
    """Return the header that says where to follow what was accepted."""
    return HeaderField("Location", "Where to follow it.", {"type": "string"}, example)
