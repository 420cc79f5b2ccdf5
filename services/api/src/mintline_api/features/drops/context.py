"""What the operations on drops reach."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from aiohttp import web

from mintline_api.features.bulk.ports import LineStore
from mintline_api.features.drops.dry_run import DryRuns
from mintline_api.features.drops.ports import DropStore, LineObjects
from mintline_api.features.drops.reservations import Reservations
from mintline_api.features.drops.use_cases import DropIntake
from mintline_api.features.mints.ports import MintStore
from mintline_api.features.uploads.use_cases import Uploads
from mintline_api.features.users.use_cases import UserDirectory

UPLOADS = 4
"""Uploads of lines in progress at once in one process: each may hold some 30 MB of hashes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DropsContext:
    """The drops, and what it takes to make one, to fill it and to try it out."""

    store: DropStore
    objects: LineObjects
    mints: MintStore
    lines: LineStore
    users: UserDirectory
    media: Uploads
    intake: DropIntake
    dry_runs: DryRuns
    reservations: Reservations
    woken: asyncio.Event
    """Set when a drop may have been opened, which the runner of this process waits for."""
    uploads: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(UPLOADS))


DROPS = web.AppKey("drops", DropsContext)
