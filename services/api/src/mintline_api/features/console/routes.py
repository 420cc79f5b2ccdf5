"""Serves the console. Its files are no operations of the API, so the OpenAPI document does not list them."""

from __future__ import annotations

from aiohttp import hdrs, web

from mintline_api.features.console.site import CONSOLE, Asset
from mintline_api.http.responses import conditional_response


def routes() -> list[web.RouteDef]:
    """Return the routes of /console."""
    return [
        web.get("/console", redirect_to_page),
        web.get("/console/", redirect_to_page),
        web.get("/console/home", read_page),
        web.get("/console/{name:[a-z_./]+}", read_file),
    ]


async def redirect_to_page(request: web.Request) -> web.StreamResponse:
    """Send a browser to the page's one address, to which the login page returns.

    It ends without a slash, because API Gateway's greedy routes match no empty rest.
    """
    home = "home" if request.path.endswith("/") else "console/home"
    return web.Response(status=308, headers={hdrs.LOCATION: home})


async def read_page(request: web.Request) -> web.StreamResponse:
    """Return the page."""
    return _response(request, request.app[CONSOLE].page)


async def read_file(request: web.Request) -> web.StreamResponse:
    """Return a file of the console's."""
    asset = request.app[CONSOLE].files.get(request.match_info["name"])
    if asset is None:
        raise web.HTTPNotFound
    return _response(request, asset)


def _response(request: web.Request, asset: Asset) -> web.Response:
    compressed = "gzip" in request.headers.get(hdrs.ACCEPT_ENCODING, "")
    return conditional_response(request, asset.packed if compressed else asset.plain)
