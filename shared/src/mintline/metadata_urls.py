"""The URLs that the metadata of tokens and collections may hold."""

from __future__ import annotations

import base64
import binascii
import re
from unicodedata import category
from urllib.parse import urlsplit

MAX_LENGTH = 2048

_FORBIDDEN = re.compile(r"[\s\"<>\\^`{|}]|%(?![0-9a-fA-F]{2})")
_SUSPECT = re.compile(r"[^\x20-\x7e]")
_UNESCAPED = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Categories of characters that no URL shows: control, bidirectional, zero-width, surrogates, separators."""
_IMAGE = frozenset({"image"})
_MEDIA = frozenset({"image", "video", "audio", "model", "text", "application"})
_SCHEME = re.compile(r"([a-zA-Z][a-zA-Z0-9+.-]*):")
_DATA = re.compile(
    r"data:(?P<media>[a-zA-Z0-9.+-]+/[a-zA-Z0-9.+-]+)"
    r"(?:;[a-zA-Z0-9-]+=[^;,]*|;utf-?8)*(?P<base64>;base64)?,(?P<data>.*)",
    re.IGNORECASE,
)
_CONTENT = re.compile(r"(ipfs://(ipfs/)?|ar://)[a-zA-Z0-9_-]{20,}([/?#].*)?", re.IGNORECASE)


def checked_image(value: str) -> str:
    """Return `value` if it may be an image: an http(s), ipfs or ar URL, or a data URL of an image."""
    return _checked(value, of=_IMAGE)


def checked_media(value: str) -> str:
    """Return `value` if it is an http(s), ipfs, ar or data URL; raises ValueError otherwise."""
    return _checked(value, of=_MEDIA)


def _checked(value: str, *, of: frozenset[str]) -> str:
    scheme = _scheme_of(value)
    if scheme == "data":
        return _checked_data(value, of=of)
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
    named = _SCHEME.match(value)
    scheme = named[1].lower() if named else ""
    if any(category(match[0]) in _UNESCAPED for match in _SUSPECT.finditer(value)):
        raise ValueError("a URL holds no control or format characters; percent-encode them")
    # What browsers take in a data URL is nearly everything, and SVG is written so.
    if scheme != "data" and _FORBIDDEN.search(value):
        raise ValueError(
            'a URL holds no spaces, none of "<>\\^`{|}, and % only before two hex digits; percent-encode them'
        )
    return scheme


def _check_length(value: str) -> None:
    if len(value) > MAX_LENGTH:
        raise ValueError(f"expected a URL of at most {MAX_LENGTH} characters")


def _checked_data(value: str, *, of: frozenset[str]) -> str:
    match = _DATA.fullmatch(value)
    if match is None:
        raise ValueError("expected a data URL with a media type: data:image/png;base64,…")
    if match["media"].partition("/")[0].lower() not in of:
        raise ValueError(f"expected a data URL of {' or '.join(sorted(of))}, such as data:image/png;base64,…")
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
