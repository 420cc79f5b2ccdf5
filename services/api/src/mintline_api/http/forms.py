"""The forms that texts in requests must have, in words: clients never see a regular expression."""

from __future__ import annotations

FORMS = {
    r"^[0-9a-fA-F]{6}$": "six hexadecimal digits, without #",
    r"^[0-9a-f]{64}$": "64 hexadecimal digits in lower case",
    r"^[0-9]{13}$": "a position of an event log, 13 digits: `next` of an earlier answer",
    r"^[A-Za-z0-9._|@+-]{1,128}$": "1 to 128 letters, digits and characters of . _ | @ + -",
    r"^[A-Za-z0-9_+-]{1,128}$": "1 to 128 letters, digits and characters of _ + -",
    r"^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$": "printable ASCII without spaces at its ends",
    r"^wh_[0-9a-f]{32}$": "an id of a webhook: wh_ and 32 hexadecimal digits in lower case",
}
"""By the patterns of pydantic's fields."""
OTHER = "text of the form that the API reference gives"


def form_of(pattern: str) -> str:
    """Return what a pattern asks for, in words."""
    return FORMS.get(pattern, OTHER)
