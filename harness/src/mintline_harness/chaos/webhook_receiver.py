"""A company's backend that webhooks deliver to, in the harness's own process."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from mintline.errors import Rejected
from mintline_client.webhooks import verify_webhook

GONE = "/gone"


class Receiver:
    """Keeps the events that were delivered, in the order in which each came first.

    A delivery that no known secret verifies is counted as forged. At `/gone` everything is refused by 410,
    for which a webhook is disabled.
    """

    def __init__(self) -> None:
        self.secrets: list[str] = []
        self.events: dict[str, Mapping[str, Any]] = {}
        self.forged = 0
        self.url = ""

    async def handle(self, request: web.Request) -> web.Response:
        """Take a delivery."""
        body = await request.read()
        for secret in self.secrets:
            try:
                event = verify_webhook(body, request.headers, secret)
            except Rejected:
                continue
            self.events.setdefault(event["id"], event)
            return web.Response(status=204)
        self.forged += 1
        return web.Response(status=403)

    def missing(self, log: Iterable[Mapping[str, Any]]) -> dict[str, str]:
        """Return the events of a log that were not delivered, or before an earlier one of their resource.

        By their ids, with what is wrong.
        """
        places = {name: place for place, name in enumerate(self.events)}
        latest: dict[str, int] = {}
        wrong: dict[str, str] = {}
        for event in log:
            place, resource = places.get(event["id"]), event["resource"]["id"]
            if place is None or place < latest.get(resource, -1):
                fault = "not delivered" if place is None else "too early"
                wrong[event["id"]] = f"{fault}: {event['type']} of {resource}, {event['id']}"
            else:
                latest[resource] = place
        return wrong


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    """Serve a receiver on this machine."""
    receiver = Receiver()
    app = web.Application()
    app.router.add_post("/hooks", receiver.handle)
    app.router.add_post(GONE, _gone)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield receiver
    finally:
        await runner.cleanup()


async def _gone(_: web.Request) -> web.Response:
    return web.Response(status=410)
