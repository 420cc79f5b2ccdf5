"""What the operations on requests for many mints reach."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from aiohttp import web

from mintline_api.features.bulk.ports import LineStore
from mintline_api.features.bulk.use_cases import BulkIntake
from mintline_api.features.operations.nudges import Nudges


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkContext:
    """The requests, and what it takes to accept one."""

    lines: LineStore
    intake: Callable[[Nudges], BulkIntake]


BULK = web.AppKey("bulk", BulkContext)
