"""The admin endpoint of every service: /healthz, /readyz and /metrics."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, nullcontext
from types import TracebackType
from typing import Literal, Self, TypeAlias, TypedDict

import structlog
from aiohttp import web
from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from mintline.emf import MetricsLog, publishing
from mintline.text import bounded

log = structlog.get_logger()

Check: TypeAlias = Callable[[], Awaitable[object]]
"""Returns when a dependency answers, raises when it does not; its result means nothing."""

SHUTDOWN_SECONDS = 1.0
LONGEST = 400
"""Characters of what is wrong: two block hashes, and what to do about them, have to fit."""


class HealthReport(TypedDict):
    """The body of /healthz, in every service."""

    status: Literal["ok"]


class ReadinessReport(TypedDict):
    """The body of /readyz, in every service."""

    status: Literal["ready", "not_ready"]
    missing: list[str]
    """The dependencies that fail, sorted; none with `ready`."""
    checks: dict[str, str]
    """Each dependency, `ok` or what is wrong with it."""


ALIVE: HealthReport = {"status": "ok"}


def readiness_report(checks: Mapping[str, str]) -> ReadinessReport:
    """Return what /readyz says of the outcomes of checks, each `ok` or what is wrong."""
    missing = sorted(name for name, outcome in checks.items() if outcome != "ok")
    return {"status": "not_ready" if missing else "ready", "missing": missing, "checks": dict(checks)}


def process_registry() -> CollectorRegistry:
    """Return a metrics registry of this process's own, with its CPU, memory and garbage collection."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    GCCollector(registry=registry)
    return registry


class Admin:
    """Serves health, readiness and metrics while it is entered; `port` is the real one.

    /healthz answers as long as the event loop turns. /readyz runs all `checks` at once, each for at most
    `timeout` seconds, and answers 503 with what is missing. /metrics is `registry` in Prometheus's format.
    """

    def __init__(
        self,
        *,
        host: str,
        port: int,
        checks: Mapping[str, Check],
        registry: CollectorRegistry,
        timeout: float = 2.0,
        metrics_namespace: str | None = None,
    ) -> None:
        """With `metrics_namespace`, metrics are written to the log for CloudWatch too, under that name."""
        self.port = port
        self._host = host
        self._checks = checks
        self._registry = registry
        self._timeout = timeout
        self._publishing: AbstractAsyncContextManager[None] = nullcontext()
        if metrics_namespace is not None:
            metrics = MetricsLog(registry, metrics_namespace, write=log.info, now=time.time)
            self._publishing = publishing(metrics)
        app = web.Application()
        app.add_routes(
            [
                web.get("/healthz", self._health),
                web.get("/readyz", self._ready),
                web.get("/metrics", self._metrics),
            ]
        )
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=SHUTDOWN_SECONDS)

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._host, self.port)
        try:
            await site.start()
        except OSError:
            await self._runner.cleanup()
            raise
        self.port = self._runner.addresses[0][1]
        await self._publishing.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._publishing.__aexit__(kind, error, trace)
        await self._runner.cleanup()

    async def readiness(self) -> dict[str, str]:
        """Run every check and return `ok` or what is wrong, by name."""
        answers = await asyncio.gather(*(self._answer(check) for check in self._checks.values()))
        return dict(zip(self._checks, answers, strict=True))

    async def _answer(self, check: Check) -> str:
        try:
            async with asyncio.timeout(self._timeout):
                await check()
        except TimeoutError:
            return f"no answer within {self._timeout:g} s"
        except Exception as error:  # noqa: BLE001 - whatever is wrong is the answer
            return bounded(f"{type(error).__name__}: {error}", LONGEST)
        return "ok"

    async def _health(self, _: web.Request) -> web.Response:
        return web.json_response(ALIVE)

    async def _ready(self, _: web.Request) -> web.Response:
        report = readiness_report(await self.readiness())
        return web.json_response(report, status=503 if report["missing"] else 200)

    async def _metrics(self, _: web.Request) -> web.Response:
        return web.Response(
            body=generate_latest(self._registry), headers={"Content-Type": CONTENT_TYPE_LATEST}
        )
