"""Readiness: which of the things that the api cannot do without is missing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

import structlog

from mintline.admin import Check
from mintline_api.caches import SingleFlight

log = structlog.get_logger()


class Readiness:
    """Runs all checks together, each within `timeout` seconds; an outcome is good for `ttl` seconds."""

    def __init__(
        self,
        checks: Mapping[str, Check],
        *,
        clock: Callable[[], float],
        timeout: float = 2.0,
        ttl: float = 1.0,
    ) -> None:
        self._checks = checks
        self._clock = clock
        self._timeout = timeout
        self._ttl = ttl
        self._outcome: Mapping[str, str] = {}
        self._checked_at: float | None = None
        self._flights: SingleFlight[str, Mapping[str, str]] = SingleFlight()

    async def outcome(self) -> Mapping[str, str]:
        """Return `ok`, or one word of why not, for each dependency."""
        if self._checked_at is None or self._clock() - self._checked_at >= self._ttl:
            self._outcome = await self._flights.run("checks", self._run)
            self._checked_at = self._clock()
        return self._outcome

    async def _run(self) -> Mapping[str, str]:
        outcomes = await asyncio.gather(*(self._check(name, check) for name, check in self._checks.items()))
        return dict(zip(self._checks, outcomes, strict=True))

    async def _check(self, name: str, check: Check) -> str:
        try:
            async with asyncio.timeout(self._timeout):
                await check()
        except TimeoutError:
            reason = "timeout"
        except Exception as error:  # noqa: BLE001 - whatever a dependency fails with, it is not ready
            reason = "unavailable"
            log.warning("dependency_missing", dependency=name, reason=f"{type(error).__name__}: {error}")
        else:
            return "ok"
        return reason
