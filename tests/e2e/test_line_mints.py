"""From a POST to an NFT in a wallet, over HTTP, on the whole stack."""

from __future__ import annotations

import asyncio
import hashlib
import json
from typing import TYPE_CHECKING, Any

import pytest

from mintline.aws.records import from_item
from mintline.chain.collection import decode_minted
from mintline.packs import PackIndex
from mintline.records.keys import scoped
from mintline.resources import PACKS
from mintline_ops.deployments import open_records, target_of_local_stack
from tests.e2e.conftest import listed
from tests.e2e.test_media_and_receipts import fetched, token_uri

if TYPE_CHECKING:
    from tests.e2e.conftest import Harness, User

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="session")]

DEV_ACCOUNT = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"


async def minted_events(harness: Harness, digest: str) -> list[int]:
    head = await harness.node.block("latest", full=False)
    assert head is not None
    logs = await harness.node.logs_range(0, head.number, [harness.info["contract"]])
    events = [event for log in logs if (event := decode_minted(log)) is not None]
    return [event.token_id for event in events if "0x" + event.metadata_digest.hex() == digest]


async def test_mint__when_posted__lands_in_the_users_wallet_and_in_the_index(
    harness: Harness, user: User
) -> None:
    contract = harness.info["contract"]
    wallet = (await user.client.wallets.get())["address"]
    accepted = await user.mint("a first one")
    assert accepted["status"] in {"accepted", "built", "submitted"}

    mint = await user.until(accepted["mint_id"], "finalized")
    assert mint["to"] == wallet
    assert await minted_events(harness, mint["metadata_digest"]) == [int(mint["token_id"])]
    stages = [
        mint["timeline"][f"{stage}_at"] for stage in ("accepted", "built", "submitted", "mined", "finalized")
    ]
    assert stages == sorted(stages)

    token: Any = await user.client.tokens.get(contract, mint["token_id"])
    assert token["owner"] == wallet
    assert token["metadata"]["name"] == "a first one"
    assert token["finality"] == "finalized"
    owned = await listed(user.client.tokens.owned_by(wallet))
    assert [item["token_id"] for item in owned] == [mint["token_id"]]
    transfers = await listed(user.client.tokens.transfers(contract, mint["token_id"]))
    assert [(item["from"], item["to"]) for item in transfers] == [(None, wallet)]


async def test_metadata__when_fetched_without_a_token__hashes_to_the_digest_on_chain(
    harness: Harness, user: User
) -> None:
    mint = await user.until((await user.mint("checked by anyone"))["mint_id"], "mined", "finalized")
    url = f"{harness.info['api_url']}/v1/metadata/{harness.info['contract']}/{mint['token_id']}"
    async with harness.session.get(url) as response:
        assert response.status == 200
        assert "max-age" in response.headers["cache-control"]
        body = await response.read()
    assert "0x" + hashlib.sha256(body).hexdigest() == mint["metadata_digest"]


async def test_same_key__when_posted_ten_times_at_once__makes_one_token(harness: Harness, user: User) -> None:
    answers = await asyncio.gather(*(user.mint("only once", key="one-key") for _ in range(10)))
    assert len({response["mint_id"] for response in answers}) == 1
    mint = await user.until(answers[0]["mint_id"], "finalized")
    assert len(await minted_events(harness, mint["metadata_digest"])) == 1


async def test_same_key__when_the_body_differs__is_refused(user: User) -> None:
    await user.mint("the first body", key="reused")
    response = await user.call(
        "POST",
        "/v1/mints",
        {"metadata": {"name": "another body", "image": "https://example.com/1.png"}},
        idempotency_key="reused",
    )
    assert response.status == 422
    assert response.headers["content-type"].startswith("application/problem+json")


async def test_burst__when_the_wallet_is_new__then_each_is_minted_with_a_nonce_of_its_own(
    harness: Harness, user: User
) -> None:
    accepted = await asyncio.gather(*(user.mint(f"burst {number}") for number in range(40)))
    mints = await asyncio.gather(*(user.until(mint["mint_id"], "finalized") for mint in accepted))
    assert len({mint["token_id"] for mint in mints}) == 40
    wallet = (await user.client.wallets.get())["address"]
    assert await harness.node.transaction_count(wallet) == 40


async def test_metadata__when_many_mints_are_accepted_together__then_each_token_uri_gives_its_own(
    harness: Harness, user: User
) -> None:
    wanted = {f"Seat {number}" for number in range(30)}
    accepted = await asyncio.gather(*(user.mint(name) for name in sorted(wanted)))
    mints = [await user.until(mint["mint_id"], "mined", "finalized") for mint in accepted]

    served = set()
    for mint in mints:
        text = await fetched(harness, await token_uri(harness, mint["contract"], int(mint["token_id"])))
        assert "0x" + hashlib.sha256(text).hexdigest() == mint["metadata_digest"]
        served.add(json.loads(text)["name"])
    assert served == wanted
    assert await packed_tokens(harness) & {int(mint["token_id"]) for mint in mints}


async def packed_tokens(harness: Harness) -> set[int]:
    """Return the tokens of the harness' collection whose metadata is in a pack."""
    partition = scoped(harness.info["chain_id"], harness.info["contract"])
    async with open_records(target_of_local_stack(harness.info)) as records:
        packs = [from_item(PackIndex, item) async for item in records.every(PACKS)]
    return {
        token_id
        for pack in packs
        if pack.collection_id == partition
        for token_id in range(pack.first_token_id, pack.first_token_id + pack.size)
    }


async def test_mint__when_another_user_asks_for_it__then_it_is_not_found(
    harness: Harness, user: User
) -> None:
    mint_id = (await user.mint("mine"))["mint_id"]
    stranger = await harness.sign_in()
    assert (await stranger.call("GET", f"/v1/mints/{mint_id}")).status == 404
    assert await listed(stranger.client.mints.list()) == []
    await user.until(mint_id)


async def test_mint__when_the_contract_is_paused__waits_with_the_reason_and_continues(
    harness: Harness, user: User
) -> None:
    admin = harness.info["admin_address"]

    async def send(signature: str) -> None:
        from mintline.eth import selector

        call = {"from": admin, "to": harness.info["contract"], "data": "0x" + selector(signature).hex()}
        tx_hash = await harness.rpc.call("eth_sendTransaction", [call])
        async with asyncio.timeout(30):
            while await harness.rpc.call("eth_getTransactionReceipt", [tx_hash]) is None:  # noqa: ASYNC110 - no event
                await asyncio.sleep(0.1)

    await send("pause()")
    try:
        mint = await user.mint("during the pause")
        async with asyncio.timeout(60):
            while mint["waiting"] is None:
                mint = await user.client.mints.get(mint["mint_id"])
                await asyncio.sleep(0.2)
    finally:
        await send("unpause()")
    assert (mint["status"], mint["waiting"]["code"]) == ("accepted", "collection_paused")
    # The sweep sends it on: after half a minute, then twice that, then four times.
    ended = await user.until(mint["mint_id"], "finalized", within=240)
    assert ended["waiting"] is None


async def test_token__when_it_moves_and_burns_on_chain__is_followed(harness: Harness, user: User) -> None:
    from mintline.eth import address_word, selector, word

    contract = harness.info["contract"]
    other = "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"
    mint = await user.until((await user.mint("to a friend", to=DEV_ACCOUNT))["mint_id"], "finalized")
    token_id = int(mint["token_id"])

    async def send(sender: str, data: bytes) -> None:
        await harness.rpc.call(
            "eth_sendTransaction", [{"from": sender, "to": contract, "data": "0x" + data.hex()}]
        )

    async def owner_becomes(owner: str | None) -> Any:
        for _ in range(100):
            token = await user.client.tokens.get(contract, token_id)
            if token["owner"] == owner:
                return token
            await asyncio.sleep(0.1)
        raise AssertionError(token)

    await harness.rpc.call("anvil_impersonateAccount", [DEV_ACCOUNT])
    await harness.rpc.call("anvil_impersonateAccount", [other])
    transfer = selector("transferFrom(address,address,uint256)")
    await send(DEV_ACCOUNT, transfer + address_word(DEV_ACCOUNT) + address_word(other) + word(token_id))
    await owner_becomes(other)
    assert [t["token_id"] for t in await listed(user.client.tokens.owned_by(other))] == [str(token_id)]
    await send(other, selector("burn(uint256)") + word(token_id))
    await owner_becomes(None)
    assert await listed(user.client.tokens.owned_by(other)) == []
    history = await listed(user.client.tokens.transfers(contract, token_id))
    assert {(item["from"], item["to"]) for item in history} == {
        (None, DEV_ACCOUNT),
        (DEV_ACCOUNT, other),
        (other, None),
    }


async def test_documents_and_health__when_there_is_no_token__then_they_are_served(harness: Harness) -> None:
    for path, kind in (
        ("/openapi.json", "application/json"),
        ("/docs", "text/html"),
        ("/healthz", "application/json"),
        ("/readyz", "application/json"),
    ):
        async with harness.session.get(harness.info["api_url"] + path) as response:
            assert response.status == 200, path
            assert response.content_type == kind, path
