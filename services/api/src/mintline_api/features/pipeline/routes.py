"""The operations on the pipeline."""

from __future__ import annotations

from aiohttp import web

from mintline.scopes import Scope
from mintline_api.auth.callers import read_caller
from mintline_api.features.pipeline import examples
from mintline_api.features.pipeline.models import (
    QUEUE_BY_NAME,
    PipelineView,
    RedriveRequest,
    RedriveView,
    pipeline_view,
)
from mintline_api.features.pipeline.use_cases import PipelineReads
from mintline_api.http.models import NoQuery
from mintline_api.http.operations import Answer, Operations
from mintline_api.http.problems import BODY, INVALID_PARAMETER
from mintline_api.http.requests import read_body, read_query
from mintline_api.http.responses import json_response
from mintline_api.limits.writes import count_write

PIPELINE = web.AppKey("pipeline", PipelineReads)
operations = Operations(
    "Pipeline",
    "What operators see of the pipeline as a whole, and do about dead letters.",
    reads=Scope.ADMIN,
    changes=Scope.ADMIN,
)


@operations.add(
    "GET",
    "/v1/pipeline",
    clients=True,
    summary="The pipeline",
    description="Queues, dead letters and why, blocks, what is under way longest and why, and how long the "
    "money for gas lasts: a few seconds old at most. For clients with the scope `admin`.",
    answers=(Answer(200, "The pipeline.", PipelineView, examples.PIPELINE),),
    problems=(INVALID_PARAMETER,),
)
async def read_pipeline(request: web.Request) -> web.Response:
    """Return the state of the pipeline."""
    await read_caller(request)
    read_query(request, NoQuery)
    return json_response(pipeline_view(await request.app[PIPELINE].state()))


@operations.add(
    "POST",
    "/v1/pipeline/redrives",
    clients=True,
    summary="Send dead letters back",
    description="Sends dead letters back to the queue that they come from, in order. First fix what `code` "
    "and `reason` say: a message whose cause remains is dead-lettered again. Every step accepts a message "
    "again, and drops what is already done. Name `message_ids`: such a request may be repeated. One without "
    "sends the first 100, and sends the next 100 when it is repeated after its end; `Idempotency-Key` does "
    "not change that. For clients with the scope `admin`.",
    body_model=RedriveRequest,
    body_example=examples.REDRIVE_JSON,
    answers=(Answer(200, "What was sent back.", RedriveView, examples.REDRIVEN),),
    problems=BODY,
)
async def post_redrive(request: web.Request) -> web.Response:
    """Send dead letters back to their queue."""
    caller = await read_caller(request)
    read_query(request, NoQuery)
    body = await read_body(request, RedriveRequest)
    await count_write(request, caller.sub)
    letters = await request.app[PIPELINE].redrive(
        QUEUE_BY_NAME[body.queue], body.message_ids, by=caller.client_id or caller.sub
    )
    sent = [letter.message_id for letter in letters]
    missing = sorted(set(body.message_ids or ()) - set(sent))
    return json_response(RedriveView(queue=body.queue, redriven=sent, missing=missing))
