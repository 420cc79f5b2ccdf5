"""What the operations on mints reach."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from aiohttp import web

from mintline_api.chain import ChainReader
from mintline_api.features.mints.intake import MintIntake
from mintline_api.features.mints.ports import MintStore
from mintline_api.features.operations.nudges import Nudges
from mintline_api.features.operations.ports import Outbox


@dataclass(frozen=True, slots=True, kw_only=True)
class MintsContext:
    """The mints, and what it takes to accept one."""

    mints: MintStore
    intake: Callable[[Nudges], MintIntake]
    chain: ChainReader | None
    outbox: Outbox


MINTS = web.AppKey("mints", MintsContext)
