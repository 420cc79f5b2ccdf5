"""The operation on the pipeline."""

from __future__ import annotations

from aiohttp import web

from mintline.scopes import Scope
from mintline_api.auth.callers import read_caller
from mintline_api.features.pipeline import examples
from mintline_api.features.pipeline.models import PipelineView, pipeline_view
from mintline_api.features.pipeline.use_cases import PipelineReads
from mintline_api.http.models import NoQuery
from mintline_api.http.operations import Answer, Operations
from mintline_api.http.problems import INVALID_PARAMETER
from mintline_api.http.requests import read_query
from mintline_api.http.responses import json_response

PIPELINE = web.AppKey("pipeline", PipelineReads)
operations = Operations("Pipeline", "What operators see of the pipeline as a whole.", reads=Scope.ADMIN)


@operations.add(
    "GET",
    "/v1/pipeline",
    clients=True,
    summary="The pipeline",
    description="Queues, blocks, what is under way longest and why, and how long the money for gas lasts: a "
    "few seconds old at most. For clients with the scope `admin`.",
    answers=(Answer(200, "The pipeline.", PipelineView, examples.PIPELINE),),
    problems=(INVALID_PARAMETER,),
)
async def read_pipeline(request: web.Request) -> web.Response:
    """Return the state of the pipeline."""
    await read_caller(request)
    read_query(request, NoQuery)
    return json_response(pipeline_view(await request.app[PIPELINE].state()))
