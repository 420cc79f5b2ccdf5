"""Many mints in one request, and following them to their end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mintline.errors import Unavailable
from mintline.states import TERMINAL
from mintline_client.api import Api
from mintline_client.models import BulkView

PATH = "/v1/mints/bulk"
POLL_SECONDS = 0.5
LONG_PATIENCE = 300.0
"""Seconds within which the mints of a request end, or something is wrong."""

Heard = Callable[[BulkView], None]
"""Called with a request after each poll."""


async def mint_many(
    api: Api, mints: Sequence[Mapping[str, Any]], *, contract: str | None = None, key: str | None = None
) -> BulkView:
    """Ask for 1 to 250 mints of one collection, all or none, and return the request.

    Each of `mints` has `recipient` and `metadata`, and may have `external_id` and `tags`; no contract: the
    deployment's default collection. `key` is the idempotency key, a new one if None: it makes a repetition
    the same request. Raises Rejected with the API's reason, and Unavailable.
    """
    body = {"mints": list(mints), **({} if contract is None else {"contract": contract})}
    accepted: BulkView = await api.post(PATH, body, idempotency_key=key)
    return accepted


async def follow_many(
    api: Api, request: Mapping[str, Any], *, heard: Heard = lambda _: None, patience: float = LONG_PATIENCE
) -> BulkView:
    """Poll a request until all its mints have ended, and return it; its `statuses` say how.

    Raises Rejected if the request is not the caller's, and Unavailable after `patience` seconds.
    """
    deadline = time.monotonic() + patience
    path = f"{PATH}/{request['request_id']}"
    while True:
        current: BulkView = await api.get(path)
        heard(current)
        ended = sum(number for status, number in current["statuses"].items() if status in TERMINAL)
        if ended == current["count"]:
            return current
        if time.monotonic() > deadline:
            raise Unavailable(f"{current['count'] - ended} mints of {path} have not ended")
        await asyncio.sleep(POLL_SECONDS)
