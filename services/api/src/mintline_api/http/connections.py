"""Limits how many connections are open at once: each costs a file descriptor, even without a request.

A process without free descriptors can neither accept connections nor reach AWS. So the oldest connection is
closed for a new one: at once if it is idle or has not sent a whole request head yet, otherwise after its
response. Behind a load balancer there are never so many.
"""

from __future__ import annotations

import resource
from collections.abc import Callable

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

MOST = 10_000


def most_connections() -> int:
    """Return how many connections a process may keep: half of its descriptors, `MOST` at most."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MOST if soft == resource.RLIM_INFINITY else max(1, min(MOST, soft // 2))


class Bounded:
    """Makes the protocol of each new connection of `server`, and ends old ones beyond `most`."""

    def __init__(
        self, server: web.Server, *, most: int, make: Callable[[], RequestHandler] | None = None
    ) -> None:
        self._server = server
        self._make = make or server
        self._most = most

    def __call__(self) -> RequestHandler:
        """Make room for one connection, and its protocol."""
        # Oldest first. Those that answer just then stay a while longer, so one more of the others has to go.
        connections = self._server.connections
        for oldest in connections[: max(0, len(connections) - self._most + 1)]:
            if oldest._waiter is None:  # noqa: SLF001 - idle is what aiohttp's own keep-alive timer means by it
                oldest.close()
            else:
                oldest.force_close()
        return self._make()
