"""The URLs that metadata may hold."""

from __future__ import annotations

import base64
import binascii
import re
from urllib.parse import urlsplit

MAX_LENGTH = 2048

_FORBIDDEN = re.compile(r"[\s\x00-\x1f\x7f-\x9f\"<>\\^`{|}]")
_SCHEME = re.compile(r"([a-zA-Z][a-zA-Z0-9+.-]*):")
_DATA = re.compile(
    r"data:(?P<media>(?:image|video|audio|model|text|application)/[a-zA-Z0-9.+-]+)"
    r"(?:;[a-zA-Z0-9-]+=[^;,]*)*(?P<base64>;base64)?,(?P<data>.*)",
    re.IGNORECASE,
)
_CONTENT = re.compile(r"(ipfs|ar)://[a-zA-Z0-9_-]{20,}([/?#].*)?", re.IGNORECASE)


def checked_media(value: str) -> str:
    """Return `value` if it is an http(s), ipfs, ar or data URL; raises ValueError otherwise."""
    scheme = _scheme_of(value)
    if scheme == "data":
        return _checked_data(value)
    if scheme in ("ipfs", "ar"):
        _check_length(value)
        if not _CONTENT.fullmatch(value):
            raise ValueError(f"expected {scheme}:// and a content id, with a path or without")
        return value
    if scheme in ("http", "https"):
        return checked_link(value)
    raise ValueError("expected an http(s), ipfs, ar or data URL")


def checked_link(value: str) -> str:
    """Return `value` if it is an absolute http(s) URL without credentials; raises ValueError otherwise."""
    if _scheme_of(value) not in ("http", "https"):
        raise ValueError("expected an http(s) URL")
    _check_length(value)
    try:
        parts = urlsplit(value)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise ValueError("expected an http(s) URL with a valid host and port") from None
    if not host:
        raise ValueError("expected an http(s) URL with a host")
    if "@" in parts.netloc:
        raise ValueError("a URL that everyone can read must not hold credentials")
    return value


def _scheme_of(value: str) -> str:
    if _FORBIDDEN.search(value):
        raise ValueError(
            'a URL holds no spaces, control characters or any of "<>\\^`{|}; percent-encode them'
        )
    match = _SCHEME.match(value)
    return match[1].lower() if match else ""


def _check_length(value: str) -> None:
    if len(value) > MAX_LENGTH:
        raise ValueError(f"expected a URL of at most {MAX_LENGTH} characters")


def _checked_data(value: str) -> str:
    match = _DATA.fullmatch(value)
    if match is None:
        raise ValueError("expected a data URL with a media type: data:image/png;base64,…")
    if match["base64"]:
        try:
            decoded = base64.b64decode(match["data"], validate=True)
        except binascii.Error:
            raise ValueError("the data URL's base64 does not decode") from None
        if not decoded:
            raise ValueError("the data URL holds no data")
    elif not match["data"]:
        raise ValueError("the data URL holds no data")
    return value
