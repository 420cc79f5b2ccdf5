"""Transfers and burns by the public API: seen on chain and in the index, once, refused, and survived."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from mintline.chain.calls import Call
from mintline.eth import keccak256
from tests.e2e.conftest import ENDS

if TYPE_CHECKING:
    from tests.e2e.conftest import Harness, User

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="session")]

OTHER = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
OWNER_OF = keccak256(b"ownerOf(uint256)")[:4]


async def follow(user: User, made: Any, *statuses: str, within: float = 90.0) -> Any:
    """Poll a transfer or burn until it is in one of `statuses`; fail at any other end."""
    deadline = time.monotonic() + within
    body: Any = None
    while time.monotonic() < deadline:
        try:
            answer = await user.call("GET", made["links"]["self"])
            body = answer.body
            if answer.status == 200 and body["status"] in ENDS | set(statuses):
                assert body["status"] in statuses, body
                return body
        except (aiohttp.ClientError, TimeoutError):
            pass
        await asyncio.sleep(0.2)
    raise AssertionError(f"{made['links']['self']} did not become {statuses} in {within} s: {body}")


async def minted(user: User, *names: str) -> list[Any]:
    posted = await asyncio.gather(*(user.mint(name) for name in names))
    return [await user.until(mint["mint_id"], "finalized") for mint in posted]


async def post(user: User, path: str, **body: Any) -> Any:
    answer = await user.call("POST", path, body, idempotency_key=f"{path} {sorted(body.items())}")
    assert answer.status == 202, answer
    return answer.body


async def owner_on_chain(harness: Harness, token_id: str) -> str:
    data = OWNER_OF + int(token_id).to_bytes(32, "big")
    found = await harness.node.call(Call(sender=OTHER, to=harness.info["contract"], data=data))
    return "0x" + found[-20:].hex()


async def owner_in_index(harness: Harness, user: User, token_id: str) -> Any:
    return (await user.get(f"/v1/tokens/{harness.info['contract']}/{token_id}"))["owner"]


async def every(user: User, path: str) -> list[Any]:
    """Return all items of a list."""
    found, cursor = [], ""
    while True:
        page = await user.get(f"{path}{cursor}")
        assert page["index"]["head_block"] is not None
        found += page["items"]
        if page["next_cursor"] is None:
            return found
        cursor = f"{'&' if '?' in path else '?'}cursor={page['next_cursor']}"


async def wallets_transfers(user: User, wallet: str) -> set[tuple[str | None, str | None, str]]:
    moves = await every(user, f"/v1/owners/{wallet}/transfers")
    assert len(moves) == len({(one["block_number"], one["log_index"]) for one in moves})
    return {(one["from"], one["to"], one["token_id"]) for one in moves}


async def test_transfer_and_burn__when_posted__happen_once_on_chain_and_in_the_index(
    harness: Harness, user: User
) -> None:
    wallet = (await user.get("/v1/wallet"))["address"]
    kept, burnt = await minted(user, "to keep", "to burn")
    before = await harness.node.transaction_count(wallet)

    sent = await post(user, "/v1/transfers", token_id=kept["token_id"], to=OTHER)
    again = await post(user, "/v1/transfers", token_id=kept["token_id"], to=OTHER)
    burn = await post(user, "/v1/burns", token_id=burnt["token_id"])

    assert sent["transfer_id"] == again["transfer_id"]
    transfer, burned = [await follow(user, made, "finalized") for made in (sent, burn)]
    assert (transfer["wallet"], transfer["to"]) == (wallet, OTHER)
    assert await owner_on_chain(harness, kept["token_id"]) == OTHER.lower()
    assert await owner_in_index(harness, user, kept["token_id"]) == OTHER
    assert await owner_in_index(harness, user, burnt["token_id"]) is None
    contract = harness.info["contract"]
    moved = await user.get(f"/v1/tokens/{contract}/{kept['token_id']}/transfers")
    assert [(one["from"], one["to"]) for one in moved["items"]] == [(wallet, OTHER), (None, wallet)]
    assert moved["items"][0]["tx_hash"] == transfer["tx_hash"]
    assert await wallets_transfers(user, wallet) == {
        (None, wallet, kept["token_id"]),
        (None, wallet, burnt["token_id"]),
        (wallet, OTHER, kept["token_id"]),
        (wallet, None, burnt["token_id"]),
    }
    assert burned["nonce"] != transfer["nonce"]
    listed = await every(user, f"/v1/collections/{contract}/transfers?from_block={kept['block_number']}")
    assert transfer["tx_hash"] in {one["tx_hash"] for one in listed if one["token_id"] == kept["token_id"]}
    holders = {
        one["owner"]: one["balance"] for one in await every(user, f"/v1/collections/{contract}/holders")
    }
    assert holders[OTHER] >= 1
    assert wallet not in holders
    assert await harness.node.transaction_count(wallet) == before + 2


async def test_transfer__when_it_cannot_be__then_it_is_refused_at_once(harness: Harness, user: User) -> None:
    stranger = await harness.sign_in()
    contract = harness.info["contract"]
    [mint] = await minted(user, "mine")
    token_id = mint["token_id"]
    refusals = [
        (stranger, "/v1/transfers", {"token_id": token_id, "to": OTHER}, "not-token-owner"),
        (stranger, "/v1/burns", {"token_id": token_id}, "not-token-owner"),
        (user, "/v1/burns", {"token_id": "999999999"}, "unknown-token"),
        (user, "/v1/transfers", {"token_id": token_id, "to": contract}, "invalid-recipient"),
        (user, "/v1/burns", {"token_id": token_id, "contract": OTHER}, "unknown-contract"),
    ]
    for who, path, body, code in refusals:
        answer = await who.call("POST", path, body)
        assert answer.body["code"] == code, answer
    assert (await owner_on_chain(harness, token_id)) == mint["to"].lower()


@pytest.mark.parametrize("part", ["builder", "broadcaster", "signer-host", "indexer", "enclave"])
async def test_transfer__when_a_part_is_killed_under_it__then_the_token_moves_once(
    harness: Harness, user: User, part: str
) -> None:
    wallet = (await user.get("/v1/wallet"))["address"]
    mints = await minted(user, *(f"{part} {number}" for number in range(3)))
    before = await harness.node.transaction_count(wallet)
    sent = [await post(user, "/v1/transfers", token_id=mint["token_id"], to=OTHER) for mint in mints]
    await harness.kill(part)
    for made in sent:
        await follow(user, made, "finalized", within=150)
    assert [await owner_in_index(harness, user, mint["token_id"]) for mint in mints] == [OTHER] * 3
    assert await harness.node.transaction_count(wallet) == before + 3


async def test_cancel__when_it_is_asked_for_at_once__then_the_chain_has_one_outcome(
    harness: Harness, user: User
) -> None:
    [mint] = await minted(user, "stopped")
    made = await post(user, "/v1/transfers", token_id=mint["token_id"], to=OTHER)
    answer = await user.call("POST", f"{made['links']['self']}/cancel")
    assert answer.status in (200, 202, 409), answer
    ended = await follow(user, made, "rejected", "finalized")
    wanted = OTHER if ended["status"] == "finalized" else mint["to"]
    assert await owner_in_index(harness, user, mint["token_id"]) == wanted
    # Whichever it was, the wallet's next transaction goes through.
    if ended["status"] == "rejected":
        again = await user.call("POST", "/v1/transfers", {"token_id": mint["token_id"], "to": OTHER})
        assert again.status == 202, again
        await follow(user, again.body, "finalized")
    assert await owner_on_chain(harness, mint["token_id"]) == OTHER.lower()
