"""Transfers and burns by the public API: seen on chain and in the index, once, refused, and survived."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from mintline.chain.calls import Call
from mintline.eth import keccak256
from tests.e2e.conftest import ENDS, listed

if TYPE_CHECKING:
    from tests.e2e.conftest import Harness, User

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="session")]

OTHER = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
OWNER_OF = keccak256(b"ownerOf(uint256)")[:4]


async def follow(user: User, operation: Any, *statuses: str, within: float = 90.0) -> Any:
    """Poll a transfer or burn until it is in one of `statuses`; fail at any other end."""
    view: Any = None
    try:
        async with asyncio.timeout(within):
            while True:
                if "transfer_id" in operation:
                    view = await user.patient.transfers.get(operation["transfer_id"])
                else:
                    view = await user.patient.burns.get(operation["burn_id"])
                if view["status"] in ENDS | set(statuses):
                    assert view["status"] in statuses, view
                    return view
                await asyncio.sleep(0.2)
    except TimeoutError:
        raise AssertionError(f"it did not become {statuses} in {within} s: {view}") from None


async def minted(user: User, *names: str) -> list[Any]:
    posted = await asyncio.gather(*(user.mint(name) for name in names))
    return [await user.until(mint["mint_id"], "finalized") for mint in posted]


def key_of(path: str, body: dict[str, Any]) -> str:
    return f"{path} {sorted(body.items())}"


async def post(user: User, path: str, **body: Any) -> Any:
    resource: Any = user.client.transfers if path == "/v1/transfers" else user.client.burns
    return await resource.create(body, idempotency_key=key_of(path, body))


async def post_again(user: User, path: str, **body: Any) -> Any:
    """Repeat a request under its key, for its status."""
    response = await user.call("POST", path, body, idempotency_key=key_of(path, body))
    assert response.status == 202, response
    return response.body


async def owner_on_chain(harness: Harness, token_id: str) -> str:
    data = OWNER_OF + int(token_id).to_bytes(32, "big")
    result = await harness.node.call(Call(sender=OTHER, to=harness.info["contract"], data=data))
    return "0x" + result[-20:].hex()


async def owner_in_index(harness: Harness, user: User, token_id: str) -> Any:
    return (await user.client.tokens.get(harness.info["contract"], token_id))["owner"]


async def paged(user: User, path: str, *, limit: int) -> list[Any]:
    """Return all items of a list, each of whose pages says up to which block it is."""
    items: list[Any] = []
    cursor: str | None = None
    while True:
        page: Any = await user.client.api.get(path, {"limit": limit, "cursor": cursor})
        assert page["index"]["head_block"] is not None
        items += page["items"]
        cursor = page["next_cursor"]
        if cursor is None:
            return items


async def wallets_transfers(user: User, wallet: str) -> set[tuple[str | None, str | None, str]]:
    moves = await listed(user.client.tokens.moved_by(wallet))
    assert await paged(user, f"/v1/owners/{wallet}/transfers", limit=2) == moves
    assert len(moves) == len({(move["block_number"], move["log_index"]) for move in moves})
    return {(move["from"], move["to"], move["token_id"]) for move in moves}


async def test_transfer_and_burn__when_posted__happen_once_on_chain_and_in_the_index(
    harness: Harness, user: User
) -> None:
    wallet = (await user.client.wallets.get())["address"]
    kept, burnt = await minted(user, "to keep", "to burn")
    before = await harness.node.transaction_count(wallet)

    sent = await post(user, "/v1/transfers", token_id=kept["token_id"], to=OTHER)
    again = await post_again(user, "/v1/transfers", token_id=kept["token_id"], to=OTHER)
    burn = await post(user, "/v1/burns", token_id=burnt["token_id"])
    burn_again = await post_again(user, "/v1/burns", token_id=burnt["token_id"])

    assert sent["transfer_id"] == again["transfer_id"]
    assert burn["burn_id"] == burn_again["burn_id"]
    transfer, burned = [await follow(user, operation, "finalized") for operation in (sent, burn)]
    assert (transfer["wallet"], transfer["to"]) == (wallet, OTHER)
    assert await owner_on_chain(harness, kept["token_id"]) == OTHER.lower()
    assert await owner_in_index(harness, user, kept["token_id"]) == OTHER
    assert await owner_in_index(harness, user, burnt["token_id"]) is None
    contract = harness.info["contract"]
    moved = await listed(user.client.tokens.transfers(contract, kept["token_id"]))
    assert [(move["from"], move["to"]) for move in moved] == [(wallet, OTHER), (None, wallet)]
    assert moved[0]["tx_hash"] == transfer["tx_hash"]
    assert await wallets_transfers(user, wallet) == {
        (None, wallet, kept["token_id"]),
        (None, wallet, burnt["token_id"]),
        (wallet, OTHER, kept["token_id"]),
        (wallet, None, burnt["token_id"]),
    }
    assert burned["nonce"] != transfer["nonce"]
    since = kept["block_number"]
    moves = await listed(user.client.collections.transfers(contract, from_block=since))
    assert transfer["tx_hash"] in {move["tx_hash"] for move in moves if move["token_id"] == kept["token_id"]}
    holders = {
        holder["owner"]: holder["balance"]
        for holder in await listed(user.client.collections.holders(contract))
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
        response = await who.call("POST", path, body)
        assert response.body["code"] == code, response
    assert (await owner_on_chain(harness, token_id)) == mint["to"].lower()


@pytest.mark.parametrize("part", ["builder", "broadcaster", "signer-host", "indexer", "enclave"])
async def test_transfer__when_a_part_is_killed_under_it__then_the_token_moves_once(
    harness: Harness, user: User, part: str
) -> None:
    wallet = (await user.client.wallets.get())["address"]
    mints = await minted(user, *(f"{part} {number}" for number in range(3)))
    before = await harness.node.transaction_count(wallet)
    sent = [await post(user, "/v1/transfers", token_id=mint["token_id"], to=OTHER) for mint in mints]
    await harness.kill(part)
    for transfer in sent:
        await follow(user, transfer, "finalized", within=150)
    assert [await owner_in_index(harness, user, mint["token_id"]) for mint in mints] == [OTHER] * 3
    assert await harness.node.transaction_count(wallet) == before + 3


async def test_cancel__when_it_is_asked_for_at_once__then_the_chain_has_one_outcome(
    harness: Harness, user: User
) -> None:
    [mint] = await minted(user, "stopped")
    transfer = await post(user, "/v1/transfers", token_id=mint["token_id"], to=OTHER)
    response = await user.call("POST", f"{transfer['links']['self']}/cancel")
    assert response.status in (200, 202, 409), response
    ended = await follow(user, transfer, "rejected", "finalized")
    wanted = OTHER if ended["status"] == "finalized" else mint["to"]
    assert await owner_in_index(harness, user, mint["token_id"]) == wanted
    # Whichever it was, the wallet's next transaction goes through.
    if ended["status"] == "rejected":
        again = await user.call("POST", "/v1/transfers", {"token_id": mint["token_id"], "to": OTHER})
        assert again.status == 202, again
        await follow(user, again.body, "finalized")
    assert await owner_on_chain(harness, mint["token_id"]) == OTHER.lower()
