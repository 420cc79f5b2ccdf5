"""What the operations on transfers and burns reach."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from aiohttp import web

from mintline_api.features.operations.nudges import Nudges
from mintline_api.features.operations.ports import OperationStore, Outbox
from mintline_api.features.operations.use_cases import Intake
from mintline_api.features.transfers.checks import TokenChecks


@dataclass(frozen=True, slots=True, kw_only=True)
class TransfersContext:
    """The operations, and what it takes to accept one."""

    operations: OperationStore
    intake: Callable[[Nudges], Intake]
    checks: TokenChecks
    outbox: Outbox


TRANSFERS = web.AppKey("transfers", TransfersContext)
