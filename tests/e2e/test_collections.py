"""Clients' own collections on the whole stack: deployed, minted in, paused, frozen, and kept from others."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from mintline.chain.calls import Call
from mintline.eth import keccak256, selector, word
from mintline_client.models import CollectionView
from mintline_client.sign_in import sign_in
from mintline_ops.deployments import target_of_local_stack
from mintline_ops.metadata.unpack import unpack_metadata
from mintline_ops.users import cognito_client
from tests.e2e.conftest import User, demo_client, listed, metadata, new_client

if TYPE_CHECKING:
    from tests.e2e.conftest import Harness

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="session")]

OTHER = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
PASSWORD = f"Aa1!{secrets.token_urlsafe(24)}"


@pytest_asyncio.fixture(loop_scope="session")
async def shop(harness: Harness) -> User:
    """The demo client."""
    return await demo_client(harness)


async def settled(client: User, contract: str, *, within: float = 120.0) -> CollectionView:
    """Return a collection once nothing of it is under way that is not mined; raises if that ends badly."""
    async with asyncio.timeout(within):
        while True:
            view = await client.client.collections.get(contract)
            view = await client.client.collections.wait(view, patience=within)
            if view["status"] == "ready":
                return view
            await asyncio.sleep(0.2)


async def create(client: User, **body: Any) -> str:
    """Have a collection deployed, and return its address, the same from the first answer on."""
    sent: Any = {"name": "Tickets", "symbol": "SEAT", **body}
    key = secrets.token_hex(8)
    created, again = await asyncio.gather(
        client.client.collections.create(sent, idempotency_key=key),
        client.call("POST", "/v1/collections", sent, idempotency_key=key),
    )
    assert (again.status, again.body["contract"]) == (202, created["contract"]), again
    ready = await settled(client, created["contract"])
    assert ready["deployed_block"] is not None
    assert ready["deployed_block"] > 0
    return created["contract"]


async def mint(client: User, contract: str, **fields: Any) -> Any:
    """Post a mint once."""
    body = {"contract": contract, "metadata": metadata("A seat"), **fields}
    return await client.call("POST", "/v1/mints", body, idempotency_key=secrets.token_hex(8))


async def change(client: User, contract: str, **member: Any) -> CollectionView:
    """Change a collection, and return it once that is mined."""
    await client.client.collections.change(contract, **member)
    return await settled(client, contract)


def refused(response: Any) -> tuple[int, str]:
    return response.status, response.body["code"]


async def change_metadata(harness: Harness, shop: User, contract: str, created: Any) -> None:
    """Replace a token's metadata: it is served and announced, and what was minted is kept."""
    tokens, place = shop.client.tokens, (contract, created["token_id"])
    served = f"/v1/metadata/{contract}/{created['token_id']}"
    minted: Any = await shop.client.api.get(served)
    assert minted == metadata("A seat")
    second: Any
    second, key = {**minted, "name": "A seat, used"}, secrets.token_hex(8)
    await tokens.change(*place, second, idempotency_key=key)
    await settled(shop, contract)
    assert await shop.client.api.get(served) == second
    token = f"/v1/tokens/{contract}/{created['token_id']}"
    again = await shop.call("PATCH", token, {"metadata": second}, idempotency_key=key)
    assert (again.status, again.body["version"]) == (202, 2), again
    announcement: Any = again.body["announcement"]

    receipt = await harness.node.receipt(bytes.fromhex(announcement["tx_hash"][2:]))
    assert receipt is not None
    event, token_id = keccak256(b"BatchMetadataUpdate(uint256,uint256)"), int(created["token_id"])
    [log] = await harness.node.logs(block_hash=receipt.block_hash, addresses=[contract], topics=[event])
    assert log.data == word(token_id) + word(token_id)
    [latest, first] = await tokens.versions(*place)
    assert (latest["version"], first["version"]) == (2, 1)
    assert first["digest"] == created["metadata_digest"]
    assert json.loads(await tokens.version(*place, 1)) == minted
    proof = await tokens.proof(*place)
    assert json.loads(proof["metadata"]) == minted

    unpacked = await unpack_metadata(target_of_local_stack(harness.info), contract=contract)
    assert (unpacked.replaced, unpacked.clean) == (1, True)
    assert json.loads(await tokens.version(*place, 1)) == minted


async def on_chain(harness: Harness, contract: str, function: str) -> int:
    call = Call(sender=OTHER, to=contract, data=selector(function))
    return int.from_bytes(await harness.node.call(call), "big")


async def test_client__when_it_deploys_a_collection__then_it_alone_mints_in_it_pauses_and_freezes_it(
    harness: Harness, shop: User
) -> None:
    contract = await create(shop, supply_cap=2, metadata={"description": "All seats."})
    assert contract in [item["contract"] for item in await listed(shop.client.collections.list())]

    email = f"seat-{secrets.token_hex(4)}@example.com"
    response = await mint(shop, contract, recipient={"email": email})
    assert response.status == 202, response
    minted = await shop.until(response.body["mint_id"], "finalized")
    assert (minted["contract"], minted["custody"]) == (contract, "sponsored")
    token = await shop.client.tokens.get(contract, minted["token_id"])
    assert token["owner"] == minted["to"]
    assert await harness.node.transaction_count(minted["to"]) == 0
    await change_metadata(harness, shop, contract, minted)

    changed = await shop.call("PATCH", f"/v1/collections/{contract}", {"paused": True})
    assert changed.status == 202, changed
    paused = await settled(shop, contract)
    assert paused["paused"] is True
    assert await on_chain(harness, contract, "paused()") == 1
    assert refused(await mint(shop, contract, recipient={"address": OTHER})) == (409, "collection-paused")
    assert (await change(shop, contract, paused=False))["paused"] is False

    frozen = await shop.call("POST", f"/v1/collections/{contract}/freeze")
    assert frozen.status == 202, frozen
    assert (await settled(shop, contract))["frozen"] is True
    assert await on_chain(harness, contract, "frozen()") == 1
    again = await shop.call("PATCH", f"/v1/collections/{contract}", {"metadata": {"description": "New."}})
    assert refused(again) == (409, "collection-frozen")
    again = await shop.call(
        "PATCH", f"/v1/tokens/{contract}/{minted['token_id']}", {"metadata": metadata("New.")}
    )
    assert refused(again) == (409, "collection-frozen")

    other = await new_client(harness, "rival")
    assert refused(await mint(other, contract, recipient={"address": OTHER})) == (403, "not-your-collection")
    stolen = await other.call("PATCH", f"/v1/collections/{contract}", {"paused": True})
    assert refused(stolen) == (403, "not-your-collection")
    assert await listed(other.client.collections.list()) == []

    last = await mint(shop, contract, recipient={"address": OTHER})
    assert last.status == 202, last
    await shop.until(last.body["mint_id"], "finalized")
    assert await on_chain(harness, contract, "totalMinted()") == 2
    await asyncio.sleep(2.5)  # for how long the API goes by a count
    assert refused(await mint(shop, contract, recipient={"address": OTHER})) == (409, "collection-full")


async def test_client__when_it_reveals_what_it_committed_to__then_anyone_verifies_it_on_chain(
    harness: Harness, shop: User, tmp_path: Path
) -> None:
    texts, sealed = tmp_path / "cards.ndjson", tmp_path / "cards.commitment.json"
    cards = [metadata(f"Card {number}") for number in range(1, 53)]
    texts.write_text("".join(f"{json.dumps(card)}\n" for card in cards))
    code, out = await command("collections", "commit", str(texts), str(sealed), "--json")
    assert code == 0, out
    contract = await create(shop, reveal=json.loads(out))
    response = await mint(shop, contract, recipient={"address": OTHER})
    assert response.status == 202, response
    minted = await shop.until(response.body["mint_id"], "finalized")
    served = f"/v1/metadata/{contract}/{minted['token_id']}"
    assert await shop.client.api.get(served) == metadata("A seat")

    at = ("--url", harness.info["api_url"], "--json")
    secret = {"MINTLINE_TOKEN": shop.token}
    for _ in range(2):
        code, out = await command("collections", "reveal", contract, str(texts), str(sealed), *at, **secret)
        assert code == 0, out
    assert await shop.client.api.get(served) == cards[int(minted["token_id"]) - 1]
    rpc = ("--rpc", harness.info["rpc_url"])
    code, out = await command("collections", "verify-reveal", contract, *rpc, *at, **secret)
    assert code == 0, out
    assert json.loads(out)["verified"] is True
    proof = await shop.client.tokens.proof(contract, minted["token_id"])
    assert json.loads(proof["metadata"]) == metadata("A seat")
    unpacked = await unpack_metadata(target_of_local_stack(harness.info), contract=contract)
    assert (unpacked.replaced, unpacked.clean) == (1, True)


async def command(*arguments: str, **more: str) -> tuple[int | None, str]:
    """Run the command line, and return its exit code and what it prints."""
    program = await asyncio.create_subprocess_exec(
        str(Path(sys.executable).with_name("mintline")),
        *arguments,
        env={"PATH": os.environ["PATH"], "HOME": "/nonexistent", **more},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, error = await asyncio.wait_for(program.communicate(), 180)
    return program.returncode, out.decode() or error.decode()


async def test_client__when_its_collection_is_soulbound__then_a_holder_cannot_transfer_and_is_told_why(
    harness: Harness, shop: User
) -> None:
    contract = await create(shop, soulbound=True)
    email = f"bound-{secrets.token_hex(4)}@example.com"
    response = await mint(shop, contract, recipient={"email": email})
    assert response.status == 202, response
    minted = await shop.until(response.body["mint_id"], "finalized")

    pool: str = harness.info["cognito"]["user_pool_id"]
    async with cognito_client(harness.info) as cognito:
        await cognito.admin_set_user_password(
            UserPoolId=pool, Username=email, Password=PASSWORD, Permanent=True
        )
    tokens = await sign_in(harness.session, harness.info, username=email, password=PASSWORD)
    holder = User(harness.session, harness.info["api_url"], tokens.access_token)
    sent = await holder.call(
        "POST", "/v1/transfers", {"contract": contract, "token_id": minted["token_id"], "to": OTHER}
    )
    assert refused(sent) == (409, "token-soulbound")
    shown = await holder.client.collections.get(contract)
    assert (shown["soulbound"], shown["deployment"]) == (True, None)
