"""A collection is deployed, changed and minted into once, whatever is killed meanwhile."""

from __future__ import annotations

import asyncio
import secrets
from typing import TYPE_CHECKING, Any

import pytest

from mintline.chain.calls import Call
from mintline.eth import selector
from mintline_client.sign_in import demo_client_token
from tests.e2e.conftest import User, metadata

if TYPE_CHECKING:
    from tests.e2e.conftest import Harness

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="session")]


async def ready(client: User, contract: str, wanted: str = "ready", **fields: Any) -> Any:
    """Poll the collection until it has a status, and these fields."""
    view: Any = None
    for _ in range(450):
        answer = await client.call("GET", f"/v1/collections/{contract}")
        view = answer.body
        if answer.status == 200 and view["status"] == wanted and fields.items() <= view.items():
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
        answer = await client.call("POST", "/v1/mints", body, idempotency_key=f"{key}-{number}")
        if answer.status == 202:
            return answer.body
        assert answer.body["code"] == "collection-not-ready", answer
        await asyncio.sleep(0.2)
    raise AssertionError("the mint was not accepted in 12 s")


async def test_collection__when_services_are_killed__then_it_is_made_once_minted_into_and_paused(
    harness: Harness,
) -> None:
    tokens = await demo_client_token(harness.session, harness.info)
    shop = User(harness.session, harness.info["api_url"], tokens.access_token)
    key = f"tickets-{secrets.token_hex(4)}"
    body = {"name": "Tickets", "symbol": "SEAT", "supply_cap": 2}

    created = await shop.call("POST", "/v1/collections", body, idempotency_key=key)
    assert created.status == 202, created
    contract = created.body["contract"]
    for part in ("builder", "signer-host", "broadcaster"):
        await harness.kill(part)
    again = await shop.call("POST", "/v1/collections", body, idempotency_key=key)
    assert again.body["contract"] == contract
    await harness.kill("indexer")
    await ready(shop, contract)
    assert await harness.node.code(contract)

    minted = [await seat(shop, contract, number, key) for number in (1, 2)]
    for mint in minted:
        ended = await shop.until(mint["mint_id"], "finalized")
        token = await shop.get(f"/v1/tokens/{contract}/{ended['token_id']}")
        assert token["owner"] == ended["recipient"]["address"]
    caller = minted[0]["to"]
    total = await harness.node.call(Call(sender=caller, to=contract, data=selector("totalMinted()")))
    assert int.from_bytes(total, "big") == 2

    paused = await shop.call("PATCH", f"/v1/collections/{contract}", {"paused": True})
    assert paused.status == 202, paused
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
