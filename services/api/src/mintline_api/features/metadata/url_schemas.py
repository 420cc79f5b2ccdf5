"""The JSON schemas of URLs in requests, which clients check before they send.

They describe ASCII (RFC 3986), to which every URL can be written; the API also takes characters beyond it.
"""

from __future__ import annotations

from typing import Any

_CHARACTER = r"([!$&-;=?-Z_a-z~#\[\]]|%[0-9a-fA-F]{2})"
_PORT = r"(:(6553[0-5]|655[0-2][0-9]|65[0-4][0-9]{2}|6[0-4][0-9]{3}|[1-5][0-9]{4}|[0-9]{1,4}))?"
LINK = rf"[hH][tT][tT][pP][sS]?://[a-zA-Z0-9]([a-zA-Z0-9.-]*[a-zA-Z0-9])?{_PORT}([/?#]{_CHARACTER}*)?"
_CONTENT = rf"([iI][pP][fF][sS]://([iI][pP][fF][sS]/)?|[aA][rR]://)[a-zA-Z0-9_-]{{20,}}([/?#]{_CHARACTER}*)?"
_BASE64 = r"([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{4}|[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{2}==)"


def _data(media: str) -> str:
    parameters = r"(;[a-zA-Z0-9-]+=[^;,\s]*|;[uU][tT][fF]-?8)*"
    return rf"[dD][aA][tT][aA]:{media}/[a-zA-Z0-9.+-]+{parameters}(;base64,{_BASE64}|,[ -~]+)"


IMAGE = f"{LINK}|{_CONTENT}|{_data('[iI][mM][aA][gG][eE]')}"
MEDIA = f"{LINK}|{_CONTENT}|{_data('(image|video|audio|model|text|application)')}"


def url_schema(*patterns: str, description: str) -> dict[str, Any]:
    """Return the schema of a URL of one of these forms."""
    return {
        "type": "string",
        "format": "uri",
        "pattern": f"^({'|'.join(patterns)})$",
        "description": description,
    }
