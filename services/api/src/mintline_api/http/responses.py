"""Writes responses: views, documents with an ETag, and problems."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from aiohttp import hdrs, web

from mintline_api.http.context import HTTP, PROBLEM, Document
from mintline_api.http.models import View
from mintline_api.http.problems import MEDIA_TYPE, Fault, ProblemType, body_of
from mintline_api.http.tracing import TRACE

JSON = "application/json"
SAFE_HEADERS: Mapping[str, str] = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Resource-Policy": "cross-origin",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
}
"""What every response carries unless it says otherwise."""


def json_response(view: View, *, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """Return a resource as JSON."""
    return web.Response(
        body=view.model_dump_json(by_alias=True).encode(), status=status, content_type=JSON, headers=headers
    )


def problem_response(
    request: web.Request,
    kind: ProblemType,
    detail: str,
    *,
    faults: tuple[Fault, ...] = (),
    headers: Mapping[str, str] | None = None,
) -> web.Response:
    """Return a problem document, and keep its slug for the log."""
    request[PROBLEM] = kind.slug
    body = body_of(
        kind,
        detail,
        public_url=request.app[HTTP].public_url,
        instance=request.rel_url.raw_path,
        trace=request[TRACE].trace_id,
        faults=faults,
    )
    return web.Response(body=body, status=kind.status, content_type=MEDIA_TYPE, headers=headers)


def document_of(body: bytes, headers: Mapping[str, str]) -> Document:
    """Return a document with the ETag of its bytes."""
    return Document(body=body, etag=hashlib.sha256(body).hexdigest(), headers=headers)


def conditional_response(request: web.Request, document: Document) -> web.Response:
    """Return a document, or 304 to a client that has it (RFC 9110, 13.1.2)."""
    response = web.Response(headers=document.headers)
    response.etag = document.etag
    if any(tag.value in (document.etag, "*") for tag in request.if_none_match or ()):
        response.set_status(304)
        del response.headers[hdrs.CONTENT_TYPE]
    else:
        response.body = document.body
    return response
