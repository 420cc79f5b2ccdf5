"""Counts writes, and tells clients how many they have left."""

from __future__ import annotations

from aiohttp import web

from mintline_api.auth.access_tokens import Caller
from mintline_api.http.context import API
from mintline_api.http.operations import HeaderField
from mintline_api.limits.rates import Standing

RATE = web.RequestKey("rate", Standing)
RATE_LIMIT_HEADERS = (
    HeaderField(
        "RateLimit-Policy",
        "How many writes (`q`) you may make in a window of `w` seconds.",
        {"type": "string"},
        '"writes";q=600;w=60',
    ),
    HeaderField(
        "RateLimit",
        "How many writes you have left (`r`), about, and in how many seconds the window ends (`t`).",
        {"type": "string"},
        '"writes";r=599;t=42',
    ),
)


async def count_write(request: web.Request, caller: Caller) -> None:
    """Count one write of the caller's; raises Refused (429) if there were too many."""
    await request.app[API].rates.take(caller.sub)
    tell_rate(request, caller)


def tell_rate(request: web.Request, caller: Caller) -> None:
    """Have the response say what the caller has left."""
    request[RATE] = request.app[API].rates.standing(caller.sub)
