"""Lists of holders and of transfers over HTTP, and what they read."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from mintline.errors import Unavailable
from mintline.query_keys import holder_shard
from mintline.records.index import Token, Transfer
from mintline_api.features.queries import holders as counting
from mintline_api.features.queries import transfers as merging
from mintline_testkit.api.client import MemoryClient
from mintline_testkit.api.harness import Harness
from mintline_testkit.constants import ALICE, CHAIN_ID, CONTRACT

BOB = "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"
CAROL = "0x90F79bf6EB2c4f870365E785982E1f101E93b906"
DAVE = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"
OTHER = "0xe7f1725E7734CE288F8367e1Bb143E90bb3F0512"


def give(harness: Harness, token_id: int, owner: str | None, *, contract: str = CONTRACT) -> None:
    harness.index.tokens[contract, token_id] = Token(
        chain_id=CHAIN_ID,
        contract=contract,
        token_id=token_id,
        owner=owner,
        metadata_digest=None,
        mint_id=None,
        minted_block=1,
        block_number=1,
        tx_hash=bytes(32),
    )


def move(
    harness: Harness,
    token_id: int,
    block: int,
    sender: str | None,
    recipient: str | None,
    *,
    log: int = 0,
    contract: str = CONTRACT,
) -> None:
    """Add a transfer of a block whose time is 100 s and ten times its number after the epoch."""
    transfer = Transfer(
        chain_id=CHAIN_ID,
        contract=contract,
        token_id=token_id,
        sender=sender,
        recipient=recipient,
        block_number=block,
        block_hash=bytes(32),
        log_index=log,
        tx_hash=bytes(32),
        timestamp=100 + 10 * block,
    )
    harness.index.events.append(transfer)


async def pages(harness: Harness, client: MemoryClient, path: str) -> list[list[dict[str, Any]]]:
    """Return the items of every page of a list."""
    walked = []
    cursor = ""
    while True:
        response = await client.request("GET", path + cursor, headers=harness.headers())
        assert response.status == 200, response.json()
        body = response.json()
        walked.append(body["items"])
        if body["next_cursor"] is None:
            return walked
        cursor = f"{'&' if '?' in path else '?'}cursor={body['next_cursor']}"


async def refusal(harness: Harness, client: MemoryClient, path: str) -> tuple[int, str]:
    response = await client.request("GET", path, headers=harness.headers())
    return response.status, response.json()["code"]


@pytest.mark.parametrize("limit", [1, 2, 3, 100])
async def test_holders__when_walked__come_once_with_their_balance(
    harness: Harness, client: MemoryClient, limit: int
) -> None:
    owned = {ALICE: 5, BOB: 1, CAROL: 12, DAVE: 2}
    token_id = 0
    for owner, balance in owned.items():
        for _ in range(balance):
            give(harness, token_id := token_id + 1, owner)
    give(harness, 900, None)
    give(harness, 1, BOB, contract=OTHER)

    walked = await pages(harness, client, f"/v1/collections/{CONTRACT.lower()}/holders?limit={limit}")

    assert all(len(page) <= limit for page in walked)
    items = [item for page in walked for item in page]
    assert {item["owner"]: item["balance"] for item in items} == owned
    assert len(items) == len(owned)
    assert not any(item["more"] for item in items)
    assert len({holder_shard(owner) for owner in owned}) > 1


async def test_holders__when_one_has_very_many_tokens__is_counted_so_far_and_the_next_one_follows(
    harness: Harness, client: MemoryClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counting, "MOST_COUNTED", 25)
    monkeypatch.setattr(counting, "MOST_READ", 12)
    monkeypatch.setattr(counting, "PER_READ", 10)
    for token_id in range(60):
        give(harness, token_id, ALICE)
    give(harness, 100, CAROL)
    for token_id in range(200, 213):
        give(harness, token_id, DAVE)

    walked = await pages(harness, client, f"/v1/collections/{CONTRACT}/holders")

    items = {item["owner"]: (item["balance"], item["more"]) for page in walked for item in page}
    assert items == {ALICE: (25, True), CAROL: (1, False), DAVE: (13, False)}
    assert len(walked) > 1, "what a request reads is bounded"


async def test_holders__when_nobody_holds_anything__are_none_and_say_how_fresh_that_is(
    harness: Harness, client: MemoryClient
) -> None:
    harness.now += 200

    response = await client.request("GET", f"/v1/collections/{CONTRACT}/holders", headers=harness.headers())

    body = response.json()
    assert (body["items"], body["next_cursor"], body["index"]["head_block"]) == ([], None, 44)
    assert (body["index"]["behind"], body["index"]["lag_seconds"]) == (True, 201.0)


@pytest.mark.parametrize("limit", [1, 2, 3, 100])
async def test_transfers_of_a_collection__when_walked__come_newest_first_whichever_token_they_are_of(
    harness: Harness, client: MemoryClient, limit: int
) -> None:
    for token_id in range(9):
        move(harness, token_id, 10 + token_id // 2, None, ALICE, log=token_id)
    move(harness, 3, 20, ALICE, BOB)
    move(harness, 3, 21, BOB, None)
    move(harness, 3, 21, BOB, None, contract=OTHER, log=1)

    walked = await pages(harness, client, f"/v1/collections/{CONTRACT}/transfers?limit={limit}")

    assert all(len(page) <= limit for page in walked)
    items = [item for page in walked for item in page]
    places = [(item["block_number"], item["log_index"]) for item in items]
    assert places == sorted(places, reverse=True)
    assert len(items) == 11
    assert items[0] == {
        "from": BOB,
        "to": None,
        "quantity": None,
        "block_number": 21,
        "block_hash": "0x" + "00" * 32,
        "log_index": 0,
        "tx_hash": "0x" + "00" * 32,
        "timestamp": "1970-01-01T00:05:10.000Z",
        "finality": "finalized",
        "chain_id": CHAIN_ID,
        "contract": CONTRACT,
        "token_id": "3",
    }


@pytest.mark.parametrize("limit", [1, 2, 100])
async def test_transfers_of_a_wallet__when_it_sent_to_itself__come_once(
    harness: Harness, client: MemoryClient, limit: int
) -> None:
    move(harness, 1, 10, None, ALICE)
    move(harness, 1, 11, ALICE, ALICE)
    move(harness, 2, 12, None, ALICE, contract=OTHER)
    move(harness, 1, 13, ALICE, BOB)
    move(harness, 1, 14, BOB, CAROL)

    async def blocks(more: str = "") -> list[int]:
        walked = await pages(harness, client, f"/v1/owners/{ALICE}/transfers?limit={limit}{more}")
        return [item["block_number"] for page in walked for item in page]

    assert await blocks() == [13, 12, 11, 10]
    assert await blocks("&direction=in") == [12, 11, 10]
    assert await blocks("&direction=out") == [13, 11]
    assert await blocks(f"&contract={CONTRACT}") == [13, 11, 10]


async def test_transfers__when_a_range_is_asked_for__are_those_of_its_blocks_and_times(
    harness: Harness, client: MemoryClient
) -> None:
    for block in range(10, 20):
        move(harness, block, block, None, ALICE)

    async def blocks(query: str) -> list[int]:
        walked = await pages(harness, client, f"/v1/owners/{ALICE}/transfers?{query}")
        return [item["block_number"] for page in walked for item in page]

    assert await blocks("from_block=17") == [19, 18, 17]
    assert await blocks("to_block=11") == [11, 10]
    assert await blocks("from_block=12&to_block=13") == [13, 12]
    assert await blocks("from_time=1970-01-01T00:04:49.5Z") == [19]
    assert await blocks("from_time=1970-01-01T00:04:40Z&to_time=1970-01-01T01:04:40.9%2B01:00") == [18]
    assert await blocks("from_block=15&to_time=1970-01-01T00:04:20Z") == [16, 15]


async def test_transfers__when_the_range_ends_long_ago__are_read_from_its_end_if_a_node_knows_its_time(
    harness: Harness, client: MemoryClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(merging, "MOST_READ", 5)
    for block in range(1, 41):
        move(harness, block, block, None, ALICE)
    path = f"/v1/collections/{CONTRACT}/transfers?to_block=3&limit=2"
    chain = harness.chain
    assert chain is not None

    class At:
        def __init__(self, number: int) -> None:
            self.timestamp = 100 + 10 * number

    async def known(number: int, *, full: bool) -> Any:
        assert not full
        return At(number)

    async def silent(number: int, *, full: bool) -> Any:
        raise Unavailable("no node")

    lengths = {}
    for name, response in (("known", known), ("silent", silent)):
        monkeypatch.setattr(chain, "block", response)
        walked = await pages(harness, client, path)
        assert [item["block_number"] for page in walked for item in page] == [3, 2, 1]
        lengths[name] = len(walked)

    assert lengths["known"] <= 3
    assert lengths["silent"] > 4, "newer transfers are read over, a bounded number in each request"


async def test_transfers__when_the_same_time_has_many_blocks__keep_their_order(
    harness: Harness, client: MemoryClient
) -> None:
    for block in (5, 6, 7):
        move(harness, block, block, None, ALICE)
    harness.index.events = [event.evolve(timestamp=7) for event in harness.index.events]

    walked = await pages(harness, client, f"/v1/owners/{ALICE}/transfers?from_block=6&limit=1")

    assert [item["block_number"] for page in walked for item in page] == [7, 6]


@pytest.mark.parametrize(
    "query",
    [
        "from_block=2&to_block=1",
        "from_time=2026-01-01T00:00:01Z&to_time=2026-01-01T00:00:00Z",
        "from_time=yesterday",
        "from_time=2026-13-01T00:00:00Z",
        "from_time=2026-01-01",
        "from_block=-1",
        "direction=sideways",
        "limit=0",
        "order=asc",
    ],
)
async def test_transfers__when_the_query_makes_no_sense__are_refused(
    harness: Harness, client: MemoryClient, query: str
) -> None:
    assert await refusal(harness, client, f"/v1/owners/{ALICE}/transfers?{query}") == (
        400,
        "invalid-parameter",
    )


async def test_lists__when_the_cursor_is_of_another_list__are_refused(
    harness: Harness, client: MemoryClient
) -> None:
    for token_id in range(3):
        give(harness, token_id, (ALICE, BOB, CAROL)[token_id])
        move(harness, token_id, token_id, None, ALICE)
    first = await client.request("GET", f"/v1/owners/{ALICE}/transfers?limit=1", headers=harness.headers())
    cursor = first.json()["next_cursor"]

    refused = Counter(
        [
            await refusal(harness, client, f"/v1/owners/{ALICE}/transfers?from_block=1&cursor={cursor}"),
            await refusal(harness, client, f"/v1/owners/{BOB}/transfers?cursor={cursor}"),
            await refusal(harness, client, f"/v1/collections/{CONTRACT}/transfers?cursor={cursor}"),
            await refusal(harness, client, f"/v1/collections/{CONTRACT}/holders?cursor={cursor}"),
        ]
    )

    assert refused == {(422, "invalid-cursor"): 4}


@pytest.mark.parametrize(
    "path",
    [
        f"/v1/collections/{OTHER}/holders",
        f"/v1/collections/{OTHER}/transfers",
        f"/v1/owners/{ALICE}/transfers?contract={OTHER}",
    ],
)
async def test_lists__when_the_contract_is_not_ours__are_refused(
    harness: Harness, client: MemoryClient, path: str
) -> None:
    assert await refusal(harness, client, path) == (404, "unknown-contract")


async def test_lists__when_the_deployment_does_without_their_index__say_so(harness: Harness) -> None:
    harness.query_indexes = ("by_sender",)
    async with MemoryClient(harness.app()) as poorer:
        for path in (
            f"/v1/collections/{CONTRACT}/holders",
            f"/v1/collections/{CONTRACT}/transfers",
            f"/v1/owners/{ALICE}/transfers",
        ):
            assert await refusal(harness, poorer, path) == (501, "query-not-kept")
        outgoing = f"/v1/owners/{ALICE}/transfers?direction=out"
        assert await pages(harness, poorer, outgoing) == [[]]
