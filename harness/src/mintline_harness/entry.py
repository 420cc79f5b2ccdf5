"""Takes sponsored mints over HTTP, which the API has no request for yet.

A process beside the stack with the API's own settings, use cases and checks; what it accepts goes through the
line like everything else. Operations are shown as they stand, whatever their kind.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Literal

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

from mintline import process
from mintline.records.operations import Operation
from mintline.scopes import Scope
from mintline_api.app import GROUPS
from mintline_api.auth.callers import read_caller
from mintline_api.features.mints.context import MINTS
from mintline_api.features.mints.intake import accept_mint
from mintline_api.features.mints.models import MintRequest
from mintline_api.features.mints.problems import UNKNOWN_MINT
from mintline_api.features.operations.nudges import Nudges
from mintline_api.features.operations.requests import read_submission
from mintline_api.http.models import View
from mintline_api.http.operations import Answer, Operations
from mintline_api.http.problems import RequestRefused
from mintline_api.http.requests import read_path
from mintline_api.http.responses import json_response
from mintline_api.service import serve
from mintline_api.settings import Settings

operations = Operations(
    "Operations",
    "What the API takes by no request yet.",
    reads=Scope.MINTS_READ,
    changes=Scope.MINTS_CREATE,
)


class OperationPath(BaseModel):
    """Which operation."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    operation_id: str = Field(min_length=1, max_length=64)


class OperationView(View):
    """An operation as it stands."""

    id: str
    kind: Literal["mint", "transfer", "burn"]
    status: str
    contract: str
    token_id: str | None
    sender: str | None
    nonce: int | None
    tx_hash: str | None
    problem: Mapping[str, str] | None


def view(operation: Operation) -> OperationView:
    """Return what is shown of an operation."""
    return OperationView(
        id=operation.operation_id,
        kind=operation.kind,
        status=operation.status.value,
        contract=operation.contract,
        token_id=None if operation.token_id is None else str(operation.token_id),
        sender=None if operation.sender is None else operation.sender.address,
        nonce=operation.nonce,
        tx_hash=None if operation.tx_hash is None else "0x" + operation.tx_hash.hex(),
        problem=None if operation.problem is None else operation.problem.model_dump(),
    )


@operations.add(
    "POST",
    "/v1/sponsored-mints",
    summary="Mint at a relayer's expense",
    description="Takes what POST /v1/mints takes, for custody.",
    body_model=MintRequest,
    answers=(Answer(202, "On record, and on its way.", OperationView),),
)
async def create_sponsored_mint(request: web.Request) -> web.Response:
    """Accept a sponsored mint."""
    submission = await read_submission(request, MintRequest)
    sponsored = submission.request.model_copy(update={"custody": "sponsored"})
    intake = request.app[MINTS].intake(Nudges())
    accepted = await accept_mint(replace(submission, request=sponsored), intake=intake)
    return json_response(view(accepted.operation), status=202)


@operations.add(
    "GET",
    "/v1/operations/{operation_id}",
    summary="Follow an operation",
    description="Shows where it stands.",
    path_model=OperationPath,
    answers=(Answer(200, "As it is now.", OperationView),),
)
async def read_operation(request: web.Request) -> web.Response:
    """Return one operation of the caller's."""
    caller = await read_caller(request)
    path = read_path(request, OperationPath)
    operation = await request.app[MINTS].mints.operation(path.operation_id)
    if operation is None or operation.asked_by != caller.sub:
        raise RequestRefused(UNKNOWN_MINT, "Operation not found.")
    return json_response(view(operation))


async def run(settings: Settings, stop: asyncio.Event) -> None:
    """Serve until `stop` is set."""
    await serve(settings, stop, groups=(*GROUPS, operations))


if __name__ == "__main__":
    process.main("entry", Settings, run)
