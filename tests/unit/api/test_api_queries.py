"""What users of NFT APIs ask: tokens with metadata, balances, holdings, collections, ranges of blocks."""

from __future__ import annotations

from typing import Any

import pytest

from mintline.canonical_json import canonical_json, digest_of
from mintline.records.index import Token, Transfer
from mintline_api.features.tokens import use_cases
from mintline_testkit.api.client import MemoryClient
from mintline_testkit.api.harness import Harness
from mintline_testkit.constants import CHAIN_ID, CONTRACT

OWNER = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
STRANGER = "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"
FOREIGN = "0xe7f1725E7734CE288F8367e1Bb143E90bb3F0512"
TEXT = canonical_json({"name": "Aurora", "image": "ar://" + "x" * 43})


def give(harness: Harness, token_id: int, *, owner: str | None = OWNER, stored: str | None = TEXT) -> None:
    harness.index.tokens[CONTRACT, token_id] = Token(
        chain_id=CHAIN_ID,
        contract=CONTRACT,
        token_id=token_id,
        owner=owner,
        metadata_digest=digest_of(TEXT),
        mint_id=None,
        minted_block=40,
        block_number=40,
        tx_hash=bytes(32),
    )
    if stored is not None:
        harness.metadata.objects[f"{CHAIN_ID}/{CONTRACT}/{token_id}.json"] = stored.encode()


async def get(harness: Harness, client: MemoryClient, target: str, status: int = 200) -> Any:
    answered = await client.request("GET", target, headers=harness.headers())
    assert answered.status == status, answered.body
    return answered.json()


@pytest.mark.parametrize("path", [f"/v1/owners/{OWNER}/tokens", f"/v1/collections/{CONTRACT}/tokens"])
async def test_tokens__when_metadata_is_included__then_each_has_what_was_minted_or_nothing(
    harness: Harness, client: MemoryClient, path: str
) -> None:
    give(harness, 1)
    give(harness, 2, stored=None)
    give(harness, 3, stored="{}")

    plain = await get(harness, client, path)
    full = await get(harness, client, path + "?include=metadata")

    assert all("metadata" not in item for item in plain["items"])
    assert [(item["metadata"], item["metadata_verified"]) for item in full["items"]] == [
        ({"name": "Aurora", "image": "ar://" + "x" * 43}, True),
        (None, None),
        (None, False),
    ]
    assert full["index"]["head_block"] == 44
    refused = await get(harness, client, path + "?include=everything", 400)
    assert refused["errors"][0]["parameter"] == "include"


async def test_balance__when_asked__then_it_counts_the_collections_tokens_that_are_there(
    harness: Harness, client: MemoryClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    for token_id in range(1, 4):
        give(harness, token_id)
    give(harness, 4, owner=None)
    give(harness, 5, owner=STRANGER)

    balance = await get(harness, client, f"/v1/owners/{OWNER.lower()}/balance?contract={CONTRACT}")
    assert balance["address"] == OWNER
    assert (balance["balance"], balance["more"], balance["index"]["finalized_block"]) == (3, False, 40)
    monkeypatch.setattr(use_cases, "MOST_COUNTED", 2)
    balance = await get(harness, client, f"/v1/owners/{OWNER}/balance?contract={CONTRACT}")
    assert (balance["balance"], balance["more"]) == (2, True)


@pytest.mark.parametrize(
    ("owner", "token_id", "does"),
    [
        (OWNER, None, True),
        (OWNER, "1", True),
        (OWNER, "2", False),
        (OWNER, "3", False),
        (OWNER, "9", False),
        (STRANGER, None, True),
        (STRANGER, "1", False),
        (FOREIGN, None, False),
    ],
)
async def test_holds__when_asked__then_it_says_so_of_the_collection_or_of_the_token(
    harness: Harness, client: MemoryClient, owner: str, token_id: str | None, *, does: bool
) -> None:
    give(harness, 1)
    give(harness, 2, owner=STRANGER)
    give(harness, 3, owner=None)
    token = "" if token_id is None else f"&token_id={token_id}"
    response = await get(harness, client, f"/v1/owners/{owner}/holds?contract={CONTRACT}{token}")
    assert (response["holds"], response["token_id"]) == (does, token_id)


@pytest.mark.parametrize("question", ["balance", "holds"])
@pytest.mark.parametrize(
    ("query", "status"),
    [("", 400), ("?contract=0x12", 400), (f"?contract={FOREIGN}", 404), (f"?contract={CONTRACT}&a=1", 400)],
)
async def test_question__when_it_is_not_valid__then_it_is_refused(
    harness: Harness, client: MemoryClient, question: str, query: str, status: int
) -> None:
    response = await get(harness, client, f"/v1/owners/{OWNER}/{question}{query}", status)

    if not query:
        assert response["detail"] == "contract: this parameter is required."


async def test_collection__when_listed__then_all_its_tokens_come_by_id_page_by_page(
    harness: Harness, client: MemoryClient
) -> None:
    for token_id in (1, 2, 5, 9, 10):
        give(harness, token_id, owner=None if token_id == 5 else OWNER)
    path = f"/v1/collections/{CONTRACT}/tokens?limit=2"
    seen, cursor = [], ""
    while True:
        page = await get(harness, client, path + (f"&cursor={cursor}" if cursor else ""))
        seen += [(item["token_id"], item["burned"]) for item in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == [("1", False), ("2", False), ("5", True), ("9", False), ("10", False)]
    await get(harness, client, f"/v1/collections/{FOREIGN}/tokens", 404)
    await get(harness, client, f"/v1/collections/{CONTRACT}/tokens?cursor=made-up", 422)


async def test_transfers__when_a_range_of_blocks_is_asked_for__then_these_alone_come(
    harness: Harness, client: MemoryClient
) -> None:
    give(harness, 7)
    for block in (10, 20, 30):
        harness.index.events.append(
            Transfer(
                chain_id=CHAIN_ID,
                contract=CONTRACT,
                token_id=7,
                sender=OWNER,
                recipient=STRANGER,
                block_number=block,
                block_hash=bytes(32),
                log_index=0,
                tx_hash=bytes(32),
                timestamp=block,
            )
        )
    path = f"/v1/tokens/{CONTRACT}/7/transfers"

    async def blocks(query: str) -> list[int]:
        return [item["block_number"] for item in (await get(harness, client, path + query))["items"]]

    assert await blocks("") == [30, 20, 10]
    assert await blocks("?from_block=20") == [30, 20]
    assert await blocks("?to_block=20") == [20, 10]
    assert await blocks("?from_block=11&to_block=29") == [20]
    assert await blocks("?from_block=31") == []
    first = await get(harness, client, path + "?from_block=10&limit=1")
    # A cursor belongs to its range.
    await get(harness, client, f"{path}?from_block=10&limit=1&cursor={first['next_cursor']}")
    await get(harness, client, f"{path}?from_block=11&limit=1&cursor={first['next_cursor']}", 422)
    for wrong in (
        "from_block=-1",
        "from_block=x",
        "to_block=1e3",
        "from_block=5&to_block=4",
        "to_block=" + "9" * 13,
    ):
        await get(harness, client, f"{path}?{wrong}", 400)
