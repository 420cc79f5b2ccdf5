"""What is served at /docs and below it, made once at start."""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from aiohttp import web

from mintline_api.http.context import Document
from mintline_api.http.problems import ProblemType
from mintline_api.http.reference.pages import asset, problems_page, reference_page, try_page
from mintline_api.http.responses import document_of

CACHED: Mapping[str, str] = {"Cache-Control": "public, max-age=60"}


@dataclass(frozen=True, slots=True)
class Reference:
    """The pages, and Redoc's script as it is and compressed."""

    page: Document
    problems: Document
    trial: Document
    script: Document
    packed_script: Document


DOCS = web.AppKey("docs", Reference)


def reference(title: str, *, kinds: Iterable[ProblemType]) -> Reference:
    """Return the reference of the API of this name, with these problems."""
    headers = {**CACHED, "Content-Type": "text/javascript; charset=utf-8", "Vary": "Accept-Encoding"}
    script = document_of(asset("redoc.standalone.js").encode(), headers)
    packed = gzip.compress(script.body, mtime=0)
    return Reference(
        page=_page(*reference_page(title)),
        problems=_page(*problems_page(title, kinds=kinds)),
        trial=_page(*try_page(title)),
        script=script,
        packed_script=document_of(packed, {**headers, "Content-Encoding": "gzip"}),
    )


def _page(body: bytes, policy: str) -> Document:
    headers = {"Content-Type": "text/html; charset=utf-8", "Content-Security-Policy": policy}
    return document_of(body, {**CACHED, **headers})
