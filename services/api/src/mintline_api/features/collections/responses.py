"""Answers about collections, at once or when an operation is under way no more."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from aiohttp import web

from mintline.records.operations import Operation
from mintline_api.features.collections.changes import Changed
from mintline_api.features.collections.context import COLLECTIONS
from mintline_api.features.collections.reads import get_collection
from mintline_api.features.collections.views import collection_view
from mintline_api.features.operations.waiting import rests, waited
from mintline_api.http.context import HTTP
from mintline_api.http.responses import json_response


async def change_response(request: web.Request, contract: str, reader: str, changed: Changed) -> web.Response:
    """Return what became of a change, now or later as the client prefers; 200 if there was nothing to do."""
    operation = changed.operation
    if operation is None:
        return await collection_response(request, contract, reader, status=200)
    headers = {"Location": f"/v1/collections/{contract}"}
    if changed.replayed:
        headers["Idempotent-Replayed"] = "true"
    applied = await wait(request, operation, rests)
    return await collection_response(request, contract, reader, status=202, headers=headers | applied)


async def wait(
    request: web.Request, operation: Operation, until: Callable[[Operation], bool]
) -> dict[str, str]:
    """Wait for an operation, as the client prefers; return the header that says so."""
    _, applied = await waited(request, operation, until, request.app[COLLECTIONS].collections.operation)
    return applied


async def collection_response(
    request: web.Request,
    contract: str,
    reader: str,
    *,
    status: int,
    headers: Mapping[str, str] | None = None,
) -> web.Response:
    """Return a collection as it is now, for its reader."""
    context = request.app[COLLECTIONS]
    facts = await get_collection(contract, reader=reader, collections=context.collections)
    minted = await context.gate.minted(facts.collection)
    view = collection_view(facts, minted=minted, reader=reader, public_url=request.app[HTTP].public_url)
    return json_response(view, status=status, headers=headers)
