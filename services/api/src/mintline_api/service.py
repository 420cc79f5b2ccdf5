"""The api as a process: its environment, the features' parts, and the server."""

from __future__ import annotations

import asyncio
import random
import socket
import time
import uuid
from collections.abc import Sequence
from contextlib import AsyncExitStack
from functools import partial

import structlog
from aiohttp import web

from mintline.admin import Admin, Check, process_registry
from mintline.errors import Misconfigured
from mintline.resources import BUILD, MINTS
from mintline.tasks import cut_off, repeatedly
from mintline.tracer_factory import open_tracer
from mintline_api.api import Api
from mintline_api.app import GROUPS, build_app
from mintline_api.assembly import assemble
from mintline_api.environment import open_environment
from mintline_api.features.drops.runner import POLL_SECONDS
from mintline_api.http.connections import Bounded, most_connections
from mintline_api.http.operations import Operations
from mintline_api.http.protocol import protocols, runner_of
from mintline_api.http.tls import self_signed
from mintline_api.metrics import Metrics
from mintline_api.settings import Settings

log = structlog.get_logger()
_SHUTDOWN_SECONDS = 20.0
_TLS_SECONDS = 5.0
"""For a client's handshake, and for its answer to the end of TLS: only what has shaken hands is `Bounded`."""


async def run(settings: Settings, stop: asyncio.Event) -> None:
    """Serve until `stop` is set, then finish the requests under way."""
    await serve(settings, stop)


async def serve(settings: Settings, stop: asyncio.Event, *, groups: Sequence[Operations] = GROUPS) -> None:
    """Serve these operations until `stop` is set."""
    registry = process_registry()
    metrics = Metrics(registry)
    async with AsyncExitStack() as stack:
        tracer = metrics.aws.tracer = open_tracer(stack, "api", settings)
        environment = await open_environment(stack, settings, metrics)
        checks: dict[str, Check] = {
            "dynamodb": partial(environment.dynamo.ping, MINTS),
            "sqs": partial(environment.queues.ping, BUILD),
            "jwks": environment.check_keys,
            "intake": environment.intake.check,
        }
        await environment.intake.begin()
        renewing = environment.intake.keep(stop, sleep=asyncio.sleep, rng=random.Random())  # noqa: S311 - jitter
        stack.push_async_callback(cut_off, asyncio.create_task(renewing, name="renew the intake session"))
        api = assemble(settings, environment, metrics, tracer, checks)
        admin = Admin(
            host=settings.admin_host,
            port=settings.admin_port,
            checks=checks,
            registry=registry,
            metrics_namespace=settings.metrics_namespace,
        )
        await stack.enter_async_context(admin)
        _run_drops(stack, api, metrics, stop)
        app = build_app(api, metrics=metrics, tracer=tracer, groups=groups)
        port = await listen(stack, app, host=settings.api_host, port=settings.api_port, tls=settings.api_tls)
        log.info("api_listening", host=settings.api_host, port=port, admin_port=admin.port)
        await stop.wait()


def _run_drops(stack: AsyncExitStack, api: Api, metrics: Metrics, stop: asyncio.Event) -> None:
    """Work on drops until `stack` closes, which gives those that are under way to another process."""
    runner = api.drop_runner(
        f"{socket.gethostname()[:64]}/{uuid.uuid4()}", clock=time.monotonic, metrics=metrics
    )
    stack.push_async_callback(runner.aclose)
    rng = random.Random()  # noqa: S311 - jitter
    polling = repeatedly(runner.poll, stop, every=POLL_SECONDS, sleep=runner.rest, rng=rng)
    stack.push_async_callback(cut_off, asyncio.create_task(polling, name="look for drops"))


async def listen(stack: AsyncExitStack, app: web.Application, *, host: str, port: int, tls: bool) -> int:
    """Listen until `stack` closes, which first waits for requests under way; return the port, which 0 picks.

    Raises Misconfigured if the port is taken or may not be used.
    """
    runner = runner_of(app, shutdown_timeout=_SHUTDOWN_SECONDS)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    assert runner.server is not None
    accept = Bounded(runner.server, most=most_connections(), make=protocols(app, runner.server))
    try:
        listening = await asyncio.get_running_loop().create_server(
            accept,
            host,
            port,
            ssl=self_signed() if tls else None,
            ssl_handshake_timeout=_TLS_SECONDS if tls else None,
            ssl_shutdown_timeout=_TLS_SECONDS if tls else None,
        )
    except OSError as error:
        raise Misconfigured(
            f"settings: MINTLINE_API_PORT: cannot listen on {host}:{port}: {error.strerror}"
        ) from None
    stack.callback(listening.close)
    chosen: int = listening.sockets[0].getsockname()[1]
    return chosen
