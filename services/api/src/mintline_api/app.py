"""The aiohttp application: every operation, the middlewares around them, and the documents about them."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Sequence

from aiohttp import web

from mintline.tracing import OFF, Tracer
from mintline_api.auth.problems import AUTHENTICATION
from mintline_api.features.links import routes as links
from mintline_api.features.metadata import routes as metadata
from mintline_api.features.mints import routes as mints
from mintline_api.features.system import routes as system
from mintline_api.features.tokens import routes as tokens
from mintline_api.features.wallets import routes as wallets
from mintline_api.http.catalogue import ProblemCatalogue
from mintline_api.http.context import API, GATE, METRICS, OPENAPI, TRACER, Api
from mintline_api.http.gate import Gate
from mintline_api.http.middlewares import admitted, explained, in_time, observed, protect
from mintline_api.http.openapi import openapi
from mintline_api.http.operations import Operations
from mintline_api.http.reference.documents import CACHED, DOCS, reference
from mintline_api.http.responses import document
from mintline_api.limits.problems import TOO_MANY_WRITES
from mintline_api.metrics import Metrics
from mintline_api.settings import BODY_LIMIT

GROUPS = (
    mints.operations,
    wallets.operations,
    links.operations,
    tokens.operations,
    metadata.operations,
    system.operations,
)
PROBLEMS = ProblemCatalogue(authentication=AUTHENTICATION, writes=(TOO_MANY_WRITES,))


def build_app(
    api: Api, *, metrics: Metrics, tracer: Tracer = OFF, groups: Sequence[Operations] = GROUPS
) -> web.Application:
    """Return the application that serves `groups` by `api`, counted in `metrics` and traced by `tracer`."""
    app = web.Application(middlewares=[observed, explained, in_time, admitted], client_max_size=BODY_LIMIT)
    app[API] = api
    app[METRICS] = metrics
    app[TRACER] = tracer
    app[GATE] = Gate(
        most=api.settings.max_requests,
        clock=time.monotonic,
        rng=random.Random(),  # noqa: S311 - advice, not a secret
    )
    described = openapi(groups, problems=PROBLEMS, public_url=api.settings.public_url)
    kinds = PROBLEMS.all(operation for group in groups for operation in group)
    app[OPENAPI] = document(
        json.dumps(described, indent=1).encode(),
        {**CACHED, "Content-Type": "application/json", "Access-Control-Allow-Origin": "*"},
    )
    app[DOCS] = reference(described["info"]["title"], kinds=kinds)
    for group in groups:
        app.add_routes(group.routes())
    app.on_response_prepare.append(protect)
    return app
