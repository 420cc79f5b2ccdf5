"""ERC-1155 tokens over HTTP: their holders, their supply, and what an address has of them."""

from __future__ import annotations

from typing import Any

import pytest

from mintline.records.index import Token, Transfer
from mintline_testkit.api.client import MemoryClient
from mintline_testkit.api.harness import Harness
from mintline_testkit.constants import ALICE, CHAIN_ID, CONTRACT

BOB = "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"
MANY = 2**200


@pytest.fixture
def items(harness: Harness) -> Harness:
    """An ERC-1155 collection in which one has many of item 7, another three, and item 9 is burned."""
    index = harness.index
    index.collections[CONTRACT] = index.collections[CONTRACT].evolve(standard="erc1155")
    for token_id in (7, 9):
        index.tokens[CONTRACT, token_id] = Token(
            chain_id=CHAIN_ID,
            contract=CONTRACT,
            token_id=token_id,
            owner=None,
            metadata_digest=None,
            mint_id=None,
            minted_block=1,
            block_number=1,
            tx_hash=bytes(32),
            standard="erc1155",
        )
    held = {(7, ALICE): MANY, (7, BOB): 3, (7, None): MANY + 3, (9, BOB): 0, (9, None): 0}
    index.balances = {(CONTRACT, *key): quantity for key, quantity in held.items()}
    return harness


async def get(harness: Harness, client: MemoryClient, path: str, status: int = 200) -> dict[str, Any]:
    response = await client.request("GET", path, headers=harness.headers())
    body: dict[str, Any] = response.json()
    assert response.status == status, body
    return body


async def test_token__when_it_is_an_item__then_it_has_a_supply_and_is_not_shown_as_burned(
    items: Harness, client: MemoryClient
) -> None:
    for token_id, supply in ((7, MANY + 3), (9, 0)):
        view = await get(items, client, f"/v1/tokens/{CONTRACT}/{token_id}")
        assert (view["standard"], view["owner"], view["burned"]) == ("erc1155", None, False)
        assert (view["supply"], view["quantity"], view["mint"]) == (str(supply), None, None)
    refused = await get(items, client, f"/v1/tokens/{CONTRACT}/7/proof", 422)
    assert refused["code"] == "wrong-standard"


async def test_lists__when_a_collection_has_items__then_name_how_many_there_are_and_are_owned(
    items: Harness, client: MemoryClient
) -> None:
    listed = (await get(items, client, f"/v1/collections/{CONTRACT}/tokens"))["items"]
    assert [(token["token_id"], token["supply"]) for token in listed] == [("7", str(MANY + 3)), ("9", "0")]
    owned = (await get(items, client, f"/v1/owners/{BOB}/tokens"))["items"]
    assert [(token["token_id"], token["quantity"], token["supply"]) for token in owned] == [
        ("7", "3", str(MANY + 3))
    ]
    holders = (await get(items, client, f"/v1/collections/{CONTRACT}/holders"))["items"]
    assert {holder["owner"]: holder["balance"] for holder in holders} == {ALICE: 1, BOB: 1}


@pytest.mark.parametrize("limit", [1, 2])
async def test_holders__when_a_token_is_an_item__then_come_with_how_many_they_have(
    items: Harness, client: MemoryClient, limit: int
) -> None:
    path = f"/v1/tokens/{CONTRACT.lower()}/7/holders?limit={limit}"
    page = await get(items, client, path)
    holders = page["items"]
    while page["next_cursor"] is not None:
        page = await get(items, client, f"{path}&cursor={page['next_cursor']}")
        holders += page["items"]
    assert {holder["owner"]: holder["quantity"] for holder in holders} == {ALICE: str(MANY), BOB: "3"}
    assert len(holders) == 2
    assert (await get(items, client, f"/v1/tokens/{CONTRACT}/9/holders"))["items"] == []
    assert (await get(items, client, f"/v1/tokens/{CONTRACT}/8/holders", 404))["code"] == "unknown-token"


@pytest.mark.parametrize(("owner", "holders"), [(ALICE, [{"owner": ALICE, "quantity": "1"}]), (None, [])])
async def test_holders__when_a_token_is_of_erc721__then_are_its_owner(
    harness: Harness, client: MemoryClient, owner: str | None, holders: list[dict[str, str]]
) -> None:
    harness.index.tokens[CONTRACT, 1] = Token(
        chain_id=CHAIN_ID,
        contract=CONTRACT,
        token_id=1,
        owner=owner,
        metadata_digest=None,
        mint_id=None,
        minted_block=1,
        block_number=1,
        tx_hash=bytes(32),
    )
    assert (await get(harness, client, f"/v1/tokens/{CONTRACT}/1/holders"))["items"] == holders
    balance = await get(harness, client, f"/v1/owners/{ALICE}/balance?contract={CONTRACT}&token_id=1")
    assert (balance["balance"], balance["quantity"]) == (len(holders), str(len(holders)))


async def test_balance__when_a_token_is_named__then_says_how_many_of_it(
    items: Harness, client: MemoryClient
) -> None:
    for owner, balance, quantity in ((ALICE, 1, str(MANY)), (CONTRACT, 0, "0")):
        path = f"/v1/owners/{owner}/balance?contract={CONTRACT}"
        view = await get(items, client, f"{path}&token_id=7")
        assert (view["balance"], view["quantity"], view["token_id"]) == (balance, quantity, "7")
        assert (await get(items, client, path))["quantity"] is None
    for token_id, holds in ((7, True), (9, False)):
        view = await get(items, client, f"/v1/owners/{BOB}/holds?contract={CONTRACT}&token_id={token_id}")
        assert view["holds"] is holds


async def test_transfers__when_items_moved__then_say_how_many_and_those_of_one_event_are_apart(
    items: Harness, client: MemoryClient
) -> None:
    for token_id in (7, 9):
        items.index.events.append(
            Transfer(
                chain_id=CHAIN_ID,
                contract=CONTRACT,
                token_id=token_id,
                sender=ALICE,
                recipient=ALICE,
                block_number=5,
                block_hash=bytes(32),
                log_index=1,
                tx_hash=bytes(32),
                timestamp=150,
                quantity=token_id,
            )
        )
    for limit in (1, 10):
        path = f"/v1/owners/{ALICE}/transfers?limit={limit}"
        page = await get(items, client, path)
        transfers = page["items"]
        while page["next_cursor"] is not None:
            page = await get(items, client, f"{path}&cursor={page['next_cursor']}")
            transfers += page["items"]
        assert [(transfer["token_id"], transfer["quantity"]) for transfer in transfers] == [
            ("9", "9"),
            ("7", "7"),
        ]
