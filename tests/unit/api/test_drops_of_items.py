"""Drops into ERC-1155 collections: lines of items, what each is refused for, and what counts tokens."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from mintline.canonical_json import canonical_json, digest_of
from mintline.chain.calls import Call
from mintline.eth import selector, word
from mintline.records.operations import Mint
from mintline_testkit.api.client import Answered, MemoryClient
from mintline_testkit.api.harness import Harness
from tests.unit.api.test_api_collections import deployed
from tests.unit.api.test_drops import Shop, address, is_, ndjson, runner_of, until
from tests.unit.api.test_drops_and_caps import refused_lines

POTION = {"name": "Potion", "image": "https://example.com/potion.png"}
SWORD = {"name": "Sword", "image": "https://example.com/sword.png"}


class Supplies:
    """What the collection says of its supply, and of its items'."""

    def __init__(self, *, minted: int = 0, items: Mapping[int, tuple[int, int]] | None = None) -> None:
        self.minted = minted
        self.items = items or {}
        """Minted and cap of each."""

    async def call(self, call: Call) -> bytes:
        if call.data == selector("totalMinted()"):
            return word(self.minted)
        item_id = int.from_bytes(call.data[4:], "big")
        minted, cap = self.items.get(item_id, (0, 0))
        return word(minted if call.data.startswith(selector("minted(uint256)")) else cap)


@pytest.fixture
async def shop(harness: Harness, client: MemoryClient) -> Shop:
    harness.clients.add("shop")
    return Shop(harness, client)


async def drop_of(shop: Shop, monkeypatch: pytest.MonkeyPatch, supplies: Supplies, **collection: Any) -> str:
    """Make an ERC-1155 collection and a drop of it; return the collection's address."""
    contract = await deployed(shop.harness, shop.client, standard="erc1155", **collection)
    monkeypatch.setattr(shop.harness.chain, "call", supplies.call)
    shop.drop_id = ""
    response = await shop.call("POST", "", {"name": "Potions", "contract": contract})
    assert response.status == 201, response.body
    shop.drop_id = response.json()["drop_id"]
    return contract


def line(number: int, item: int = 7, **changes: Any) -> dict[str, Any]:
    plain = {"recipient": {"address": address(number)}, "token_id": str(item), "metadata": POTION}
    return {name: value for name, value in (plain | changes).items() if value is not None}


def mints_of(shop: Shop) -> list[Mint]:
    mints = [mint for mint in shop.harness.mints.items.values() if mint.request is not None]
    return sorted(mints, key=lambda mint: mint.token_id or 0)


async def prepared(shop: Shop, lines: list[dict[str, Any]]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Upload lines; return what a dry run says of them, and the drop once it is prepared."""
    await shop.upload(ndjson(lines))
    tried = (await shop.call("POST", "/dry-run")).json()
    await shop.call("POST", "/prepare")
    return tried, await until(shop, runner_of(shop.harness), is_("prepared", "cancelled"))


async def test_drop__when_its_lines_are_of_items__then_each_is_a_mint_of_its_quantity_with_its_items_metadata(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    contract = await drop_of(shop, monkeypatch, Supplies(), supply_cap=100)
    lines = [line(0, quantity="3"), line(1, metadata=None), line(2, 9, metadata=SWORD, quantity="20")]

    tried, seen = await prepared(shop, lines)
    assert (tried["lines"], tried["tokens"]) == (3, "24")
    assert (seen["lines"]["accepted"], seen["lines"]["tokens"]) == (3, "24")
    await shop.call("POST", "/start")
    done = await until(shop, runner_of(shop.harness), is_("completed"), mine=True)

    minting = done["minting"]
    assert (minting["lines"], minting["tokens"], minting["tokens_handed_on"]) == (3, "24", "24")
    assert minting["by_status"] == {"finalized": 3}
    drop = await shop.harness.drops.get(shop.drop_id)
    assert drop is not None
    assert (drop.tokens, drop.tokens_handed_on, drop.tokens_done) == (24, 24, 24)
    potion, sword = (digest_of(canonical_json(text)) for text in (POTION, SWORD))
    assert [(mint.item_id, mint.quantity, mint.metadata_digest) for mint in mints_of(shop)] == [
        (7, 3, potion),
        (7, 1, potion),
        (9, 20, sword),
    ]
    served = await shop.client.request("GET", f"/v1/metadata/{contract}/9")
    assert served.json() == SWORD


async def test_drop__when_lines_do_not_fit_their_items_metadata__then_they_are_handed_back(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    contract = await drop_of(shop, monkeypatch, Supplies())
    headers = shop.harness.client_headers()
    first = {**line(0, 5), "contract": contract}
    assert (await shop.client.post_json("/v1/mints", first, headers=headers)).status == 202
    lines = [
        line(1, 5, metadata=SWORD),
        line(2, 5, metadata=None),
        line(3, 6, metadata=None),
        line(4, 6),
        line(5, 6, metadata=SWORD),
        line(6, 6, metadata=None),
    ]

    tried, seen = await prepared(shop, lines)

    assert (tried["lines"], tried["items_refused"], tried["over_cap"]) == (3, 3, 0)
    assert (seen["minting"]["lines"], seen["preparation"]["unresolved"]) == (3, 3)
    refused = {each["line"]: each["errors"][0] for each in await refused_lines(shop)}
    assert {number: error["pointer"] for number, error in refused.items()} == dict.fromkeys(
        (1, 3, 5), "#/metadata"
    )
    codes = {number: error.get("code") for number, error in refused.items()}
    assert codes == {1: "item-metadata-differs", 3: None, 5: "item-metadata-differs"}


async def test_drop__when_caps_leave_too_few_tokens__then_lines_beyond_are_handed_back_and_smaller_go_on(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    await drop_of(shop, monkeypatch, Supplies(minted=90, items={7: (2, 6)}), supply_cap=100)
    lines = [
        line(0, quantity="3"),
        line(1, quantity="2"),
        line(2, quantity="1"),
        line(3, 8, quantity="7"),
        line(4, 8, quantity="6"),
    ]

    tried, seen = await prepared(shop, lines)

    assert (tried["lines"], tried["tokens"], tried["over_cap"]) == (3, "10", 2)
    assert (seen["minting"]["lines"], seen["minting"]["tokens"]) == (3, "10")
    assert seen["preparation"]["over_cap"] == 2
    errors = {each["line"]: each["errors"][0]["code"] for each in await refused_lines(shop)}
    assert errors == {2: "item_full", 4: "collection-full"}


async def test_drop__when_its_lines_are_in_many_parts__then_an_items_cap_counts_over_all_of_them(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    await drop_of(shop, monkeypatch, Supplies(items={7: (0, 300)}))

    tried, seen = await prepared(shop, [line(number) for number in range(350)])

    assert (tried["lines"], tried["over_cap"]) == (300, 50)
    assert (seen["minting"]["lines"], seen["preparation"]["over_cap"]) == (300, 50)


async def test_upload__when_lines_repeat__then_those_for_the_same_recipient_and_item_are_named(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    await drop_of(shop, monkeypatch, Supplies())
    first = await shop.upload(ndjson([line(0), line(0, 8), line(0, quantity="2")]))
    offset = first.json()["offset"]

    taken = (await shop.upload(ndjson([line(0), line(0, 8, quantity="2")]), offset)).json()

    assert taken["recipients"]["addresses"] == 1
    assert [(example["line"], example["first"]) for example in taken["repeated_recipients"]["examples"]] == [
        (3, 1),
        (4, 1),
        (5, 2),
    ]
    assert [(example["line"], example["first"]) for example in taken["repeated_lines"]["examples"]] == [
        (4, 1)
    ]


async def test_upload__when_it_is_csv__then_rows_of_an_item_may_leave_its_metadata_out(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    await drop_of(shop, monkeypatch, Supplies(items={9: (0, 1)}))
    rows = (
        "address,token_id,quantity,name,image\r\n"
        f"{address(0)},7,3,Potion,https://example.com/potion.png\r\n"
        f"{address(1)},7,,,\r\n"
        f"{address(2)},,2,,\r\n"
        f"{address(3)},7,0,,\r\n"
        f"{address(4)},9,2,Sword,https://example.com/sword.png\r\n"
    )

    taken = await shop.upload(rows.encode(), content_type="text/csv")
    await shop.call("POST", "/prepare")
    seen = await until(shop, runner_of(shop.harness), is_("prepared"))

    assert (taken.json()["accepted"], taken.json()["tokens"]) == (3, "6")
    assert (seen["minting"]["lines"], seen["minting"]["tokens"]) == (2, "4")
    refused = (await shop.call("GET", "/refused")).body.decode().splitlines()
    assert refused[0] == "address,token_id,quantity,name,image,line,pointer,reason"
    assert [row.split(",")[1:3] for row in refused[1:]] == [["", "2"], ["7", "0"], ["9", "2"]]
    assert ["#/token_id" in refused[1], "#/quantity" in refused[2], "#/quantity" in refused[3]] == [True] * 3


@pytest.mark.parametrize(
    ("columns", "missing"), [("address,name,image", "token_id"), ("token_id,name", "address")]
)
async def test_upload__when_a_csv_of_items_lacks_a_column__then_refused(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, columns: str, missing: str
) -> None:
    await drop_of(shop, monkeypatch, Supplies())

    answered: Answered = await shop.upload(f"{columns}\r\n".encode(), content_type="text/csv")

    assert (answered.status, answered.json()["code"]) == (422, "csv-columns")
    assert missing in answered.json()["detail"]


async def test_upload__when_the_collection_is_of_erc721__then_lines_of_items_are_refused(shop: Shop) -> None:
    await shop.make()
    lines = [line(0), line(1, quantity="2"), line(2, token_id=None, metadata=None), line(3, token_id=None)]

    taken = await shop.upload(ndjson(lines))

    assert (taken.json()["accepted"], taken.json()["tokens"]) == (1, "1")
    handed_back = await refused_lines(shop)
    assert [[error["pointer"] for error in each["errors"]] for each in handed_back] == [
        ["#/token_id"],
        ["#/token_id", "#/quantity"],
        ["#/metadata"],
    ]
    assert handed_back[0]["errors"][0]["code"] == "wrong-standard"


async def test_drop__when_another_process_goes_on_with_its_preparation__then_earlier_parts_still_count(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    await drop_of(shop, monkeypatch, Supplies(items={7: (0, 300)}))
    await shop.upload(ndjson([line(number) for number in range(350)]))
    await shop.call("POST", "/prepare")
    put, calls = shop.harness.drop_lines.put, 0

    async def once(key: str, data: bytes) -> None:
        nonlocal calls
        calls += key.endswith(".prepared")
        if calls > 1:
            monkeypatch.setattr(shop.harness.drop_lines, "put", put)
            raise ConnectionError("the process dies")
        await put(key, data)

    monkeypatch.setattr(shop.harness.drop_lines, "put", once)
    seen = await until(shop, runner_of(shop.harness), is_("prepared"))

    assert (calls, seen["minting"]["lines"], seen["minting"]["tokens"]) == (2, 300, "300")
    handed_back = [json.dumps(each) for each in await refused_lines(shop)]
    assert len(handed_back) == 50
