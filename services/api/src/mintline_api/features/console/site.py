"""The files of the console, made once at start: one page, its style sheet, its modules and one library.

The page loads nothing from other hosts. Its Content-Security-Policy names the few origins that it talks to:
this API, the sign-in page's token endpoint, and the storage that takes uploads.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from urllib.parse import urlsplit

from aiohttp import web

from mintline.aws.partitions import domain
from mintline.events import EVENT_TYPES
from mintline.media_types import MEDIA_TYPES
from mintline.scopes import OPERATOR_SCOPES, SIGN_IN_SCOPES
from mintline_api.http.context import Document
from mintline_api.http.responses import document_of
from mintline_api.settings import Settings

_TYPES = {".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8"}
_REVALIDATED = "public, no-cache"
"""A browser asks whether its copy is current: the files of two releases never mix for longer than a load."""


@dataclass(frozen=True, slots=True)
class Asset:
    """A file as it is, and compressed."""

    plain: Document
    packed: Document


@dataclass(frozen=True, slots=True)
class Console:
    """The page, and the files beside it by their paths under /console/."""

    page: Asset
    files: Mapping[str, Asset]


CONSOLE = web.AppKey("console", Console)


def console(settings: Settings) -> Console:
    """Return the console of a deployment."""
    files = _files()
    page = _root().joinpath("index.html").read_text("utf-8")
    names = [name for name in files if name.endswith(".js") and "/" not in name]
    preloads = "\n".join(f'<link rel="modulepreload" href="{name}">' for name in names)
    config = json.dumps(_config(settings), ensure_ascii=True).replace("<", "\\u003c")
    page = page.replace("<!-- modules -->", preloads).replace("{{config}}", config)
    headers = {"Content-Security-Policy": content_security_policy(settings)}
    return Console(page=_asset(page.encode(), "text/html; charset=utf-8", headers), files=files)


def _root() -> Traversable:
    return files("mintline_api.features.console").joinpath("static")


@cache
def _files() -> Mapping[str, Asset]:
    return dict(sorted(_assets(_root(), "")))


def content_security_policy(settings: Settings) -> str:
    """Return what the page may load and talk to.

    Pictures come from this API, from where it serves uploads, and from `data:` and `blob:` URLs; a stranger's
    picture on another host is not loaded, because that would tell its owner who looks.
    """
    own = "'self'"
    media = _origin(settings.media_address())
    sources = {
        "script-src": own,
        "style-src": own,
        "img-src": f"{own} data: blob: {media}",
        "media-src": f"{own} blob: {media}",
        "connect-src": f"{own} {_origin(settings.sign_in().token_endpoint)} {upload_origin(settings)}",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
        "require-trusted-types-for": "'script'",
        "trusted-types": "'none'",
    }
    return "; ".join(("default-src 'none'", *(f"{name} {value}" for name, value in sources.items())))


def upload_origin(settings: Settings) -> str:
    """Return where a browser puts files: what presigned URLs of S3 begin with."""
    endpoint = settings.upload_endpoint_url or settings.aws_endpoint_url
    return (
        _origin(endpoint) if endpoint else f"https://*.s3.{settings.aws_region}.{domain(settings.aws_region)}"
    )


def _config(settings: Settings) -> dict[str, object]:
    """Return what the page has to know of its deployment; all of it is public."""
    operators, sign_in = settings.cognito_operator_client_id, settings.sign_in()
    return {
        "authorization_endpoint": sign_in.authorization_endpoint,
        "token_endpoint": sign_in.token_endpoint,
        "sign_out_url": sign_in.sign_out_url,
        "sign_out_parameter": sign_in.sign_out_parameter,
        "chain_id": settings.chain_id,
        "default_collection": settings.default_collection,
        "user": {"client_id": sign_in.client_id, "scopes": SIGN_IN_SCOPES},
        "operator": {"client_id": operators, "scopes": OPERATOR_SCOPES} if operators else None,
        "media_url": f"{settings.media_address()}/",
        "media_types": MEDIA_TYPES,
        "upload_bytes": settings.upload_bytes,
        "event_types": sorted(EVENT_TYPES),
    }


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _assets(folder: Traversable, prefix: str) -> Iterator[tuple[str, Asset]]:
    for entry in folder.iterdir():
        name = f"{prefix}{entry.name}"
        if entry.is_dir():
            yield from _assets(entry, f"{name}/")
            continue
        suffix = name[name.rfind(".") :]
        if suffix in _TYPES:
            yield name, _asset(entry.read_bytes(), _TYPES[suffix], {})


def _asset(body: bytes, media_type: str, headers: Mapping[str, str]) -> Asset:
    asset_headers = {
        **headers,
        "Content-Type": media_type,
        "Cache-Control": _REVALIDATED,
        "Vary": "Accept-Encoding",
    }
    packed = gzip.compress(body, mtime=0)
    return Asset(
        document_of(body, asset_headers), document_of(packed, {**asset_headers, "Content-Encoding": "gzip"})
    )
