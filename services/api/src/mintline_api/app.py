"""The aiohttp application: every operation, the middlewares around them, and the documents about them."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Sequence
from functools import lru_cache

from aiohttp import web

from mintline.tracing import OFF, Tracer
from mintline_api.api import Api
from mintline_api.auth.problems import AUTHENTICATION, FOR_CLIENTS_TOO, FOR_USERS_ALONE
from mintline_api.contexts import provide
from mintline_api.features.bulk import routes as bulk
from mintline_api.features.clients import routes as clients
from mintline_api.features.collections import routes as collections
from mintline_api.features.console import routes as console_routes
from mintline_api.features.console.site import CONSOLE, console
from mintline_api.features.drops import routes as drops
from mintline_api.features.drops import run_routes
from mintline_api.features.events import routes as events
from mintline_api.features.links import routes as links
from mintline_api.features.metadata import routes as metadata
from mintline_api.features.mints import routes as mints
from mintline_api.features.pipeline import routes as pipeline
from mintline_api.features.queries import routes as queries
from mintline_api.features.reveals import routes as reveals
from mintline_api.features.system import routes as system
from mintline_api.features.token_metadata import routes as token_metadata
from mintline_api.features.tokens import routes as tokens
from mintline_api.features.transfers import routes as transfers
from mintline_api.features.uploads import routes as uploads
from mintline_api.features.users import routes as users
from mintline_api.features.wallets import routes as wallets
from mintline_api.features.webhooks import routes as webhooks
from mintline_api.http.catalogue import ProblemCatalogue
from mintline_api.http.context import GATE, METRICS, OPENAPI, TRACER, Document
from mintline_api.http.cors import CORS, Cors, cors_middleware
from mintline_api.http.gate import Gate
from mintline_api.http.middlewares import (
    admission_middleware,
    deadline_middleware,
    error_middleware,
    logging_middleware,
    set_security_headers,
)
from mintline_api.http.openapi import openapi
from mintline_api.http.operations import Operations, routes
from mintline_api.http.reference.documents import CACHED, DOCS, Reference, reference
from mintline_api.http.responses import document_of
from mintline_api.limits.problems import TOO_MANY_WRITES
from mintline_api.metrics import Metrics
from mintline_api.settings import LARGEST_BODY, PeopleSignIn

GROUPS = (
    mints.operations,
    bulk.operations,
    drops.operations,
    run_routes.operations,
    transfers.operations,
    collections.operations,
    wallets.operations,
    clients.own,
    users.operations,
    links.operations,
    tokens.operations,
    queries.operations,
    events.operations,
    uploads.operations,
    metadata.operations,
    token_metadata.operations,
    reveals.operations,
    webhooks.operations,
    clients.operations,
    pipeline.operations,
    system.operations,
)
PROBLEMS = ProblemCatalogue(
    authentication=AUTHENTICATION,
    for_clients=FOR_CLIENTS_TOO,
    for_users=FOR_USERS_ALONE,
    writes=(TOO_MANY_WRITES,),
)


def build_app(
    api: Api, *, metrics: Metrics, tracer: Tracer = OFF, groups: Sequence[Operations] = GROUPS
) -> web.Application:
    """Return the application that serves `groups` by `api`, counted in `metrics` and traced by `tracer`."""
    app = web.Application(
        middlewares=[
            logging_middleware,
            error_middleware,
            cors_middleware,
            deadline_middleware,
            admission_middleware,
        ],
        client_max_size=LARGEST_BODY,
    )
    provide(app, api)
    app[CORS] = Cors(api.settings.cors_origins)
    app[METRICS] = metrics
    app[TRACER] = tracer
    app[GATE] = Gate(
        most=api.settings.max_requests,
        clock=time.monotonic,
        rng=random.Random(),  # noqa: S311 - advice, not a secret
    )
    app[OPENAPI], app[DOCS] = _documents(tuple(groups), api.settings.public_url, api.settings.sign_in())
    app.add_routes(routes(groups))
    app[CONSOLE] = console(api.settings)
    app.add_routes(console_routes.routes())
    app.on_response_prepare.append(set_security_headers)
    return app


@lru_cache(maxsize=8)
def _documents(
    groups: tuple[Operations, ...], public_url: str, sign_in: PeopleSignIn
) -> tuple[Document, Reference]:
    """Return the OpenAPI document and the reference that shows it: half a second's work, kept."""
    described = openapi(
        groups,
        problems=PROBLEMS,
        public_url=public_url,
        authorization_url=sign_in.authorization_endpoint,
        token_url=sign_in.token_endpoint,
    )
    document = document_of(
        json.dumps(described, indent=1).encode(),
        {**CACHED, "Content-Type": "application/json", "Access-Control-Allow-Origin": "*"},
    )
    kinds = PROBLEMS.all(operation for group in groups for operation in group)
    return document, reference(described["info"]["title"], kinds=kinds)
