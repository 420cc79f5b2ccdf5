"""Drops of collections with a supply cap: what does not fit is refused before anything is spent."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from mintline.chain.calls import Call
from mintline.drop_records import DropStatus
from mintline.errors import Unavailable
from mintline.eth import selector
from mintline.records.operations import Mint
from mintline.states import MintStatus
from mintline_api.features.drops.runner import DropRunner
from mintline_testkit.api.client import MemoryClient
from mintline_testkit.api.harness import Harness
from tests.unit.api.test_drops import (
    Shop,
    is_,
    line,
    live,
    ndjson,
    prepared_drop,
    runner_of,
    until,
)


class CappedCollection:
    """A collection of the client's with a supply cap; what is finalized counts, and `others`'."""

    def __init__(self, harness: Harness, contract: str) -> None:
        self.harness = harness
        self.contract = contract
        self.others = 0
        self.silent = False

    async def call(self, call: Call) -> bytes:
        if self.silent:
            raise Unavailable("no node")
        assert (call.to, call.data) == (self.contract, selector("totalMinted()"))
        return (self.others + len(self.final())).to_bytes(32)

    def final(self) -> list[Mint]:
        mints = self.harness.mints.items.values()
        return [m for m in mints if m.contract == self.contract and m.status is MintStatus.FINALIZED]

    def of_drops(self) -> list[Mint]:
        mints = self.harness.mints.items.values()
        return [mint for mint in mints if mint.contract == self.contract]


@pytest.fixture
async def shop(harness: Harness, client: MemoryClient) -> Shop:
    harness.clients.add("shop")
    return Shop(harness, client)


async def capped(shop: Shop, monkeypatch: pytest.MonkeyPatch, cap: int) -> CappedCollection:
    """Make a collection with a cap, and a drop of it."""
    harness = shop.harness
    body = {"name": "Seats", "symbol": "SEAT", "supply_cap": cap}
    response = await shop.client.post_json("/v1/collections", body, headers=harness.client_headers())
    contract = response.json()["contract"]
    harness.index.collections[contract] = harness.index.collections[contract].evolve(
        status="ready", deployment_final=True
    )
    collection = CappedCollection(harness, contract)
    monkeypatch.setattr(harness.chain, "call", collection.call)
    drop = await shop.call("POST", "", {"name": "Seats", "contract": contract})
    shop.drop_id = drop.json()["drop_id"]
    return collection


async def look_often(runner: DropRunner) -> None:
    for _ in range(20):
        await runner.poll()
        await asyncio.sleep(0.001)


async def refused_lines(shop: Shop) -> list[dict[str, Any]]:
    text = (await shop.call("GET", "/refused")).body
    return [json.loads(each)["refused"] for each in text.splitlines()]


async def test_drop__when_it_has_more_lines_than_the_cap_leaves__then_those_beyond_it_are_handed_back(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    harness, runner = shop.harness, runner_of(shop.harness)
    collection = await capped(shop, monkeypatch, 310)
    collection.others = 10
    lines = [line(number) for number in range(600)]
    # One whose recipient is nobody's, and one beyond the cap for whom no user is made.
    lines[4]["recipient"] = {"user": "nobody"}
    lines[400]["recipient"] = {"email": "late@example.com"}
    await shop.upload(ndjson(lines))
    tried = (await shop.call("POST", "/dry-run")).json()
    assert (tried["lines"], tried["over_cap"]) == (300, 300)

    await shop.call("POST", "/prepare")
    prepared = await until(shop, runner, is_("prepared"))

    assert prepared["minting"]["lines"] == 300
    assert (prepared["preparation"]["unresolved"], prepared["preparation"]["over_cap"]) == (300, 299)
    assert not harness.pool_users.rows
    refused = await refused_lines(shop)
    assert [each["line"] for each in refused] == [5, *range(302, 601)]
    assert "code" not in refused[0]["errors"][0]
    assert {each["errors"][0]["code"] for each in refused[1:]} == {"collection-full"}
    await shop.call("POST", "/start")
    completed = await until(shop, runner, is_("completed"), mine=True)
    assert completed["minting"]["by_status"] == {"finalized": 300}
    assert len(collection.final()) + collection.others == 310
    mint = {**line(1), "contract": collection.contract}
    harness.now += 10
    full = await shop.client.post_json("/v1/mints", mint, headers=harness.client_headers())
    assert full.json()["code"] == "collection-full", "the code of the lines is that of a mint"


async def test_drop__when_the_cap_is_reached_meanwhile__then_it_pauses_before_the_lines_that_do_not_fit(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    harness, runner = shop.harness, runner_of(shop.harness)
    collection = await capped(shop, monkeypatch, 1_000)
    await prepared_drop(shop, runner, 1_000)
    collection.others = 400
    await shop.call("POST", "/start")

    # What is on its way counts: no third part, though the chain has room for it while nothing is mined.
    handed = await until(shop, runner, lambda seen: seen["minting"]["handed_on"] == 500)
    await look_often(runner)
    assert (handed["status"], len(collection.of_drops())) == ("running", 500)
    paused = await until(shop, runner, is_("paused"), mine=True)
    assert paused["paused"]["code"] == "collection-full"
    assert "leaves 100 tokens" in paused["paused"]["reason"]
    assert (paused["minting"]["handed_on"], len(collection.final())) == (500, 500)
    assert [chunk for chunk in harness.line.lines if chunk.chunk > 1] == []

    collection.others = 500
    harness.now += 10
    again = await shop.call("POST", "/resume")
    assert (again.status, again.json()["code"]) == (409, "collection-full")
    assert (await shop.call("POST", "/cancel")).json()["ended_at"] is not None


async def test_drop__when_no_token_is_left__then_preparation_and_start_say_so(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    harness, runner = shop.harness, runner_of(shop.harness)
    collection = await capped(shop, monkeypatch, 5)
    await prepared_drop(shop, runner, 5)
    collection.others = 5
    harness.now += 10
    refused = await shop.call("POST", "/start")
    assert (refused.status, refused.json()["code"]) == (409, "collection-full")
    assert (await shop.show())["status"] == "prepared"

    collection.others, shop.drop_id = 4, ""
    harness.now += 10
    response = await shop.call("POST", "", {"name": "Late", "contract": collection.contract})
    shop.drop_id = response.json()["drop_id"]
    await shop.upload(ndjson([line(number) for number in range(5)]))
    collection.others = 5
    await shop.call("POST", "/prepare")
    ended = await until(shop, runner, is_("cancelled"))
    assert ended["paused"]["code"] == "collection-full"


async def test_drop__when_no_node_answers__then_it_waits_instead_of_passing_the_cap(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    runner = runner_of(shop.harness)
    collection = await capped(shop, monkeypatch, 3)
    await shop.upload(ndjson([line(number) for number in range(5)]))
    collection.silent = True
    assert (await shop.call("POST", "/dry-run")).json()["over_cap"] is None
    await shop.call("POST", "/prepare")
    await look_often(runner)
    assert (await shop.show())["preparation"]["prepared"] == 0

    collection.silent = False
    await until(shop, runner, is_("prepared"))
    collection.silent = True
    await shop.call("POST", "/start")
    await look_often(runner)
    assert not collection.of_drops()
    collection.silent = False
    completed = await until(shop, runner, is_("completed"), mine=True)
    assert completed["minting"]["by_status"] == {"finalized": 3}


async def test_drop__when_its_process_dies_anywhere_at_the_cap__then_its_last_tokens_are_minted(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    harness = shop.harness
    collection = await capped(shop, monkeypatch, 252)
    await prepared_drop(shop, runner_of(harness), 252)
    # Its lease is given back before another process works on it.
    await until(shop, runner_of(harness), lambda _: harness.drops.items[shop.drop_id].lease is None)
    assert (await shop.call("POST", "/start")).status == 202
    drop, deaths = harness.drops.items[shop.drop_id], 0
    for life in range(0, 200, 2):
        deaths += await live(shop, life, within=60)
        drop = harness.drops.items[shop.drop_id]
        if drop.status is not DropStatus.RUNNING:
            break

    assert deaths > 10
    assert (drop.status, len(collection.final())) == (DropStatus.COMPLETED, 252)
