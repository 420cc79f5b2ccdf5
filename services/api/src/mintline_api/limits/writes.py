"""Counts writes, and tells clients how many they have left."""

from __future__ import annotations

from aiohttp import web

from mintline_api.http.context import HEADERS
from mintline_api.http.operations import HeaderField
from mintline_api.limits.rates import Rates

RATES = web.AppKey("rates", Rates)
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


async def count_write(request: web.Request, sub: str) -> None:
    """Count one write of a user's; raises RequestRefused (429) if there were too many."""
    await request.app[RATES].take(sub)
    tell_rate(request, sub)


def tell_rate(request: web.Request, sub: str) -> None:
    """Have the response say what the user has left."""
    request[HEADERS] = request.app[RATES].left(sub).headers()
