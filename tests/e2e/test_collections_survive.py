"""A collection is deployed, changed and minted into once, whatever is killed meanwhile."""

from __future__ import annotations

import asyncio
import secrets
from typing import TYPE_CHECKING, Any

import pytest

from mintline.chain.calls import Call
from mintline.eth import selector
from tests.e2e.conftest import User, demo_client, metadata

if TYPE_CHECKING:
    from tests.e2e.conftest import Harness

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="session")]


async def ready(client: User, contract: str, wanted: str = "ready", **fields: Any) -> Any:
    """Poll the collection until it has a status, and these fields."""
    view: Any = None
    for _ in range(450):
        view = await client.patient.collections.get(contract)
        if view["status"] == wanted and fields.items() <= view.items():
            return view
        await asyncio.sleep(0.2)
    raise AssertionError(f"{contract} did not become {wanted} {fields}: {view}")


async def seat(client: User, contract: str, number: int, key: str) -> Any:
    """Mint for an e-mail address; the API may take a moment to know that the collection is ready."""
    body = {
        "contract": contract,
        "recipient": {"email": f"{key}@example.com"},
        "metadata": metadata(f"seat {number}"),
    }
    for _ in range(60):
        response = await client.call("POST", "/v1/mints", body, idempotency_key=f"{key}-{number}")
        if response.status == 202:
            return response.body
        assert response.body["code"] == "collection-not-ready", response
        await asyncio.sleep(0.2)
    raise AssertionError("the mint was not accepted in 12 s")


async def test_collection__when_services_are_killed__then_it_is_made_once_minted_into_and_paused(
    harness: Harness,
) -> None:
    shop = await demo_client(harness)
    key = f"tickets-{secrets.token_hex(4)}"
    request: Any = {"name": "Tickets", "symbol": "SEAT", "supply_cap": 2}

    created = await shop.client.collections.create(request, idempotency_key=key)
    contract = created["contract"]
    for part in ("builder", "signer-host", "broadcaster"):
        await harness.kill(part)
    again = await shop.client.collections.create(request, idempotency_key=key)
    assert again["contract"] == contract
    await harness.kill("indexer")
    await ready(shop, contract)
    assert await harness.node.code(contract)

    minted = [await seat(shop, contract, number, key) for number in (1, 2)]
    for mint in minted:
        ended = await shop.until(mint["mint_id"], "finalized")
        token = await shop.client.tokens.get(contract, ended["token_id"])
        assert token["owner"] == ended["recipient"]["address"]
    caller = minted[0]["to"]
    total = await harness.node.call(Call(sender=caller, to=contract, data=selector("totalMinted()")))
    assert int.from_bytes(total, "big") == 2

    await shop.client.collections.change(contract, paused=True)
    for part in ("broadcaster", "indexer", "builder"):
        await harness.kill(part)
    # A pause counts at the API once it is accepted; on chain once it is mined.
    call = Call(sender=caller, to=contract, data=selector("paused()"))
    for _ in range(300):
        if int.from_bytes(await harness.node.call(call), "big") == 1:
            break
        await asyncio.sleep(0.2)
    else:
        raise AssertionError("the collection was not paused within a minute")
    await ready(shop, contract, paused=True)
