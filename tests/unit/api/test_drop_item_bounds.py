"""What is held and asked for a drop of many ERC-1155 items."""

from __future__ import annotations

import tracemalloc
from collections import Counter

import pytest

from mintline.chain.calls import Call
from mintline.drop_records import Drop, DropStatus
from mintline.errors import Unavailable
from mintline_api.features.drops import dry_run
from mintline_api.features.drops.items import DropItems
from mintline_api.features.drops.lines import StoredLine
from mintline_api.features.items.supplies import ItemSupplies
from mintline_api.features.items.use_cases import Items
from mintline_testkit.api.client import MemoryClient
from mintline_testkit.api.harness import Harness
from mintline_testkit.api.index import MemoryVersions
from mintline_testkit.constants import ALICE, CHAIN_ID, CONTRACT
from tests.unit.api.test_drops import Shop, ndjson
from tests.unit.api.test_drops_of_items import SWORD, Supplies, drop_of, line

TEXT_BYTES = 20_000


class NoTexts:
    """Keeps no text, so that what is held is the drop's."""

    async def publish(self, key: str, body: bytes) -> None:
        """Take a text."""


@pytest.fixture
async def shop(harness: Harness, client: MemoryClient) -> Shop:
    harness.clients.add("shop")
    return Shop(harness, client)


@pytest.mark.parametrize("dry", [True, False])
async def test_items__when_a_drop_has_many_of_them__then_their_texts_are_held_for_one_part_alone(
    harness: Harness, *, dry: bool
) -> None:
    drop = Drop(
        drop_id="drop_1",
        version=0,
        client_id="shop",
        chain_id=CHAIN_ID,
        contract=CONTRACT,
        name="Items",
        status=DropStatus.PREPARING,
        request_digest="",
        created_at=0,
        updated_at=0,
    )
    items = DropItems(
        collection=harness.index.collections[CONTRACT].evolve(standard="erc1155"),
        items=Items(chain_id=CHAIN_ID, versions=MemoryVersions(), texts=NoTexts()),
        supplies=ItemSupplies(chain=None),
    )
    parts, of_part = 20, 10
    tracemalloc.start()
    try:
        for part in range(parts):
            lines = [
                StoredLine(
                    line=item, address=ALICE, metadata=f"{item:0{TEXT_BYTES}d}", item_id=item, quantity=1
                )
                for item in range(part * of_part + 1, (part + 1) * of_part + 1)
            ]
            await items.learn(lines)
            assert not any(items.misfit(line) for line in lines)
            if dry:
                items.suppose(lines)
            else:
                await items.begin(drop, lines, now=0)
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    # The lines of the last part are here as well; those of all parts are 20 times as many.
    assert held < 4 * of_part * TEXT_BYTES
    first = StoredLine(line=999, address=ALICE, metadata="other", item_id=1, quantity=1)
    fault = items.misfit(first)
    assert fault is not None
    assert fault.code == "item-metadata-differs"


async def test_dry_run__when_items_are_in_many_parts__then_each_is_asked_about_once(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    supplies, calls = Supplies(items={7: (0, 300)}), Counter[bytes]()
    await drop_of(shop, monkeypatch, supplies)

    async def call(call: Call) -> bytes:
        calls[call.data] += 1
        return await supplies.call(call)

    monkeypatch.setattr(shop.harness.chain, "call", call)
    await shop.upload(ndjson([line(number, 7 + number % 2) for number in range(700)]))

    tried = (await shop.call("POST", "/dry-run")).json()

    assert (tried["lines"], tried["over_cap"]) == (650, 50)
    assert sorted(calls.values()) == [1] * 4, "two numbers of two items"


async def test_dry_run__when_lines_are_of_too_many_items__then_nothing_is_said_of_these(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    await drop_of(shop, monkeypatch, Supplies(items={7: (0, 1)}))
    monkeypatch.setattr(dry_run, "MOST_ITEMS", 2)
    offset = (await shop.upload(ndjson([line(0, quantity="2"), line(1, 8)]))).json()["offset"]
    few = (await shop.call("POST", "/dry-run")).json()
    await shop.upload(ndjson([line(2, 9, metadata=None, quantity="5")]), offset)

    many = (await shop.call("POST", "/dry-run")).json()

    assert (few["lines"], few["over_cap"], few["items_refused"]) == (1, 1, 0)
    assert (many["lines"], many["tokens"]) == (3, "8")
    assert (many["over_cap"], many["items_refused"]) == (None, None)


async def test_dry_run__when_no_node_answers__then_what_does_not_fit_its_items_metadata_is_counted(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    await drop_of(shop, monkeypatch, Supplies())

    async def call(call: Call) -> bytes:
        raise Unavailable(f"no node for {call.to}")

    monkeypatch.setattr(shop.harness.chain, "call", call)
    await shop.upload(ndjson([line(0, quantity="2"), line(1, metadata=SWORD)]))

    tried = (await shop.call("POST", "/dry-run")).json()

    assert (tried["lines"], tried["tokens"]) == (1, "2")
    assert (tried["over_cap"], tried["items_refused"]) == (None, 1)
