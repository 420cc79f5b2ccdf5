"""A webhook of a machine client's on the whole stack: a mint's events arrive, signed, and can be replayed."""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web
from standardwebhooks import Webhook as Verifier

from mintline_client import AsyncMintline
from mintline_client.webhooks import verify_webhook
from tests.e2e.conftest import metadata, new_client

if TYPE_CHECKING:
    from tests.e2e.conftest import Harness

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="session")]


class Receiver:
    """A company's backend: remembers every delivery, and refuses the first ones."""

    def __init__(self, refused: int) -> None:
        self._refused = refused
        self.deliveries: list[tuple[bytes, dict[str, str]]] = []

    async def handle(self, request: web.Request) -> web.Response:
        body, headers = await request.read(), {name.lower(): text for name, text in request.headers.items()}
        if self._refused:
            self._refused -= 1
            return web.Response(status=503, text="\x1b[31mdown")
        self.deliveries.append((body, headers))
        return web.Response(status=204)

    def types(self) -> list[str]:
        return [json.loads(body)["type"] for body, _ in self.deliveries]

    async def until(self, count: int, within: float = 120.0) -> None:
        deadline = time.monotonic() + within
        while len(self.deliveries) < count:
            assert time.monotonic() < deadline, self.types()
            await asyncio.sleep(0.2)


async def test_webhook__when_a_client_mints__then_its_events_arrive_signed_and_can_be_replayed(
    harness: Harness,
) -> None:
    if harness.stack is None:
        pytest.skip("the services' containers do not reach a receiver of the test's own process")
    receiver = Receiver(refused=2)
    app = web.Application()
    app.router.add_post("/hooks", receiver.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    try:
        # A new client, whose event log is empty.
        shop = await new_client(harness, "webhooks")
        await drive(harness, shop.client, receiver, f"http://127.0.0.1:{port}/hooks")
    finally:
        await runner.cleanup()


async def drive(harness: Harness, mintline: AsyncMintline, receiver: Receiver, url: str) -> None:
    run = f"webhook-{secrets.token_hex(4)}"
    webhooks = mintline.webhooks
    webhook = await webhooks.create(url, types=["mint.finalized"], description=run)
    webhook_id = webhook["webhook_id"]
    try:
        request: Any = {"recipient": {"address": f"0x{secrets.token_hex(20)}"}, "metadata": metadata(run)}
        mint = await mintline.mints.create(request, idempotency_key=run)
        await receiver.until(1)
        (delivered, headers) = receiver.deliveries[0]
        event = Verifier(webhook["secret"]).verify(delivered, headers)
        assert event["type"] == "mint.finalized"
        assert event["resource"] == {"type": "mint", "id": mint["mint_id"]}
        assert event["data"]["status"] == "finalized"
        assert headers["webhook-id"] == event["id"]
        assert verify_webhook(delivered, headers, webhook["public_key"]) == event, "by the public key too"

        rotated = await webhooks.rotate_secret(webhook_id)
        await harness.kill("notifier")
        tested = await webhooks.test(webhook_id)
        await receiver.until(2)
        delivered, headers = receiver.deliveries[-1]
        assert headers["webhook-id"] == tested["event_id"]
        for secret in (webhook["secret"], rotated["secret"]):
            assert Verifier(secret).verify(delivered, headers)["type"] == "webhook.test"

        await webhooks.replay(webhook_id)
        await receiver.until(4)
        replayed = [(body, headers["webhook-id"]) for body, headers in receiver.deliveries]
        assert replayed[2:4] == replayed[:2], "the same events, in the same order"

        attempts = (await webhooks.deliveries(webhook_id))["items"]
        refused = [attempt for attempt in attempts if attempt["status_code"] == 503]
        assert refused[-1]["response"] == "\\u001b[31mdown"
        assert refused[-1]["next_attempt_at"] is not None
    finally:
        await webhooks.delete(webhook_id)
