"""Health, and the documents that describe the API."""

from __future__ import annotations

from aiohttp import hdrs, web

from mintline.admin import ALIVE, readiness_report
from mintline_api.features.system import examples
from mintline_api.features.system.models import Health, Readiness, SignInView
from mintline_api.features.system.readiness import Readiness as ReadinessChecks
from mintline_api.http.context import OPENAPI
from mintline_api.http.operations import Answer, Operations, not_modified
from mintline_api.http.reference.documents import DOCS
from mintline_api.http.responses import conditional_response, json_response

READINESS = web.AppKey("readiness", ReadinessChecks)
SIGN_IN = web.AppKey("sign_in", SignInView)
operations = Operations("System", "Health, and this documentation.")


@operations.add(
    "GET",
    "/healthz",
    summary="Liveness",
    description="Answers as long as the process serves requests.",
    secured=False,
    answers=(Answer(200, "Alive.", Health, Health(status="ok")),),
)
async def read_health(_: web.Request) -> web.Response:
    """Say that the process is alive."""
    return json_response(Health(**ALIVE))


@operations.add(
    "GET",
    "/readyz",
    summary="Readiness",
    description="Says which dependency is missing, if one is. Outcomes are a second old at most.",
    secured=False,
    answers=(
        Answer(200, "Every dependency answers.", Readiness, examples.READY),
        Answer(503, "At least one does not.", Readiness, examples.NOT_READY),
    ),
)
async def read_readiness(request: web.Request) -> web.Response:
    """Say what is missing."""
    view = Readiness(**readiness_report(await request.app[READINESS].outcome()))
    if not view.missing:
        return json_response(view)
    return json_response(view, status=503, headers={"Retry-After": "1"})


@operations.add(
    "GET",
    "/.well-known/oauth-protected-resource",
    summary="Where access tokens are had",
    description="The protected resource metadata of RFC 9728, with the user pool's endpoints and the public "
    "client by which users sign in. A client needs to know no more than this API's address.",
    secured=False,
    answers=(Answer(200, "The document.", SignInView, examples.SIGN_IN),),
)
async def read_sign_in(request: web.Request) -> web.Response:
    """Say where access tokens are had."""
    public = {"Access-Control-Allow-Origin": "*", "Cache-Control": "public, max-age=300"}
    return json_response(request.app[SIGN_IN], headers=public)


@operations.add(
    "GET",
    "/openapi.json",
    summary="OpenAPI document",
    description="This API in OpenAPI 3.1, made from the models that validate requests and write answers.",
    secured=False,
    answers=(Answer(200, "The document."), not_modified()),
)
async def read_openapi(request: web.Request) -> web.Response:
    """Return the OpenAPI document."""
    return conditional_response(request, request.app[OPENAPI])


@operations.add(
    "GET",
    "/docs",
    summary="Documentation",
    description="This page. It loads nothing from other hosts.",
    secured=False,
    answers=(
        Answer(200, "The page.", media_type="text/html"),
        not_modified("text/html"),
    ),
)
async def read_docs(request: web.Request) -> web.Response:
    """Return the page of the reference."""
    return conditional_response(request, request.app[DOCS].page)


@operations.add(
    "GET",
    "/docs/problems",
    summary="Problems",
    description="What each problem means and what to do: the page that a problem's `type` leads to.",
    secured=False,
    answers=(
        Answer(200, "The page.", media_type="text/html"),
        not_modified("text/html"),
    ),
)
async def read_problems(request: web.Request) -> web.Response:
    """Return the page of problems."""
    return conditional_response(request, request.app[DOCS].problems)


@operations.add(
    "GET",
    "/docs/try",
    summary="Try a request",
    description="A page that sends a request of this API with your access token, and shows the response. "
    "`#create_mint`, or another operation's id, chooses the operation.",
    secured=False,
    answers=(
        Answer(200, "The page.", media_type="text/html"),
        not_modified("text/html"),
    ),
)
async def read_trial(request: web.Request) -> web.Response:
    """Return the page that sends requests."""
    return conditional_response(request, request.app[DOCS].trial)


@operations.add(
    "GET",
    "/docs/redoc.js",
    summary="The reference's script",
    description="The script that /docs runs.",
    secured=False,
    answers=(
        Answer(200, "The script.", media_type="text/javascript"),
        not_modified("text/javascript"),
    ),
)
async def read_docs_script(request: web.Request) -> web.Response:
    """Return Redoc's script, compressed for clients that take gzip."""
    compressed = "gzip" in request.headers.get(hdrs.ACCEPT_ENCODING, "")
    return conditional_response(
        request, request.app[DOCS].packed_script if compressed else request.app[DOCS].script
    )
