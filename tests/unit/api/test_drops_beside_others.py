"""Two drops at once, and a drop beside other mints, in one collection with a supply cap."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from mintline.tasks import cut_off
from mintline_api.features.drops import reservations
from mintline_api.features.drops.preparation import LOOK_SECONDS, MOST_PAUSES
from mintline_testkit.api.client import MemoryClient
from mintline_testkit.api.harness import Harness
from tests.unit.api.test_drops import Shop, finalize, is_, line, ndjson, prepared_drop, runner_of, until
from tests.unit.api.test_drops_and_caps import CappedCollection, capped, look_often


@pytest.fixture
async def shop(harness: Harness, client: MemoryClient) -> Shop:
    harness.clients.add("shop")
    return Shop(harness, client)


async def another(shop: Shop, collection: CappedCollection) -> Shop:
    """Make one more drop of a collection; return its shop."""
    other = Shop(shop.harness, shop.client)
    response = await other.call("POST", "", {"name": "More seats", "contract": collection.contract})
    other.drop_id = response.json()["drop_id"]
    return other


async def late_beside_minted(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, *, lines: int
) -> tuple[CappedCollection, Shop]:
    """Have a drop of 300 lines handed on in a collection of 450, and another of `lines` to be prepared."""
    runner = runner_of(shop.harness)
    collection = await capped(shop, monkeypatch, 450)
    await prepared_drop(shop, runner, 300)
    await shop.call("POST", "/start")
    await until(shop, runner, lambda seen: seen["minting"]["handed_on"] == 300)
    await runner.aclose()
    other = await another(shop, collection)
    await other.upload(ndjson([line(number) for number in range(lines)]))
    await other.call("POST", "/prepare")
    return collection, other


async def two_prepared(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, *, cap: int, first: int, second: int
) -> tuple[CappedCollection, Shop]:
    """Prepare two drops of one collection; return it and the shop of the second drop."""
    runner = runner_of(shop.harness)
    collection = await capped(shop, monkeypatch, cap)
    other = await another(shop, collection)
    await prepared_drop(shop, runner, first)
    await prepared_drop(other, runner, second)
    return collection, other


async def test_drops__when_two_of_a_collection_run_at_once__then_together_they_stay_within_its_cap(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    runner = runner_of(shop.harness)
    collection, other = await two_prepared(shop, monkeypatch, cap=900, first=700, second=700)
    await asyncio.gather(shop.call("POST", "/start"), other.call("POST", "/start"))

    # No line is mined yet: the chain's count alone would let both hand on everything.
    await look_often(runner)
    assert len(collection.of_drops()) <= 900
    for _ in range(200):
        await runner.poll()
        await asyncio.sleep(0.001)
        finalize(shop.harness)
    seen = [await shop.show(), await other.show()]

    assert sorted(each["status"] for each in seen) == ["completed", "paused"]
    completed = next(each for each in seen if each["status"] == "completed")
    paused = next(each for each in seen if each["status"] == "paused")
    assert completed["minting"]["by_status"] == {"finalized": 700}
    assert paused["paused"]["code"] == "collection-full"
    assert paused["minting"]["handed_on"] == 0
    assert len(collection.final()) == 700


async def test_drop__when_anothers_mined_lines_are_not_on_its_record_yet__then_it_waits_and_does_not_pause(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = runner_of(shop.harness), runner_of(shop.harness, "two")
    collection, other = await two_prepared(shop, monkeypatch, cap=900, first=500, second=400)
    await shop.call("POST", "/start")
    await until(shop, first, lambda seen: seen["minting"]["handed_on"] == 500)
    await first.aclose()
    await other.call("POST", "/start")
    finalize(shop.harness)
    shop.harness.now += 10

    # By the chain 500 are minted, and by the first drop's record 500 are still to come.
    working = asyncio.create_task(second.work(other.drop_id))
    for _ in range(20):
        await asyncio.sleep(0.001)
    seen = await other.show()
    assert (seen["status"], seen["minting"]["handed_on"]) == ("running", 0)

    await cut_off(working)
    await until(shop, first, is_("completed"))
    completed = await until(other, first, is_("completed"), mine=True)
    assert completed["minting"]["by_status"] == {"finalized": 400}
    assert len(collection.final()) == 900


async def test_drop__when_another_that_runs_is_cancelled__then_it_gets_the_tokens_that_one_had_reserved(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    runner = replace(runner_of(shop.harness), in_flight=1)
    collection, other = await two_prepared(shop, monkeypatch, cap=600, first=600, second=350)
    await shop.call("POST", "/start")
    await until(shop, runner, lambda seen: seen["minting"]["handed_on"] == 250)
    await shop.call("POST", "/pause")
    refused = await other.call("POST", "/start")
    assert (refused.status, refused.json()["code"]) == (409, "collection-full")
    assert "that running drops have reserved" in refused.json()["detail"]

    await shop.call("POST", "/cancel")
    await until(shop, runner, lambda seen: seen["ended_at"] is not None, mine=True)
    shop.harness.now += 10
    await other.call("POST", "/start")
    await until(other, runner, is_("completed"), mine=True)
    assert len(collection.final()) == 600


async def test_mints__when_a_running_drop_has_reserved_the_rest__then_they_are_refused(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    harness, runner = shop.harness, runner_of(shop.harness)
    collection = await capped(shop, monkeypatch, 500)
    await prepared_drop(shop, runner, 498)
    headers = harness.client_headers()
    mint = {**line(1), "contract": collection.contract}
    bulk = {"contract": collection.contract, "mints": [line(number) for number in range(3)]}
    await shop.call("POST", "/start")
    await until(shop, runner, lambda seen: seen["minting"]["handed_on"] == 498)
    harness.now += 10

    too_many = await shop.client.post_json("/v1/mints/bulk", bulk, headers=headers)
    collection.others = 2
    harness.now += 10
    single = await shop.client.post_json("/v1/mints", mint, headers=headers)
    assert (too_many.status, too_many.json()["code"]) == (409, "collection-full")
    assert "2 of the 500 tokens" in too_many.json()["detail"]
    assert (single.status, single.json()["code"]) == (409, "collection-full")

    completed = await until(shop, runner, is_("completed"), mine=True)
    assert completed["minting"]["by_status"] == {"finalized": 498}
    collection.others = 1
    harness.now += 10
    last = await shop.client.post_json("/v1/mints", mint, headers=headers)
    assert last.status == 202, "a drop that has ended reserves nothing"


async def test_dry_run__when_another_drop_has_reserved_tokens__then_they_are_over_the_cap(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    runner = runner_of(shop.harness)
    collection = await capped(shop, monkeypatch, 400)
    await prepared_drop(shop, runner, 300)
    await shop.call("POST", "/start")
    await until(shop, runner, lambda seen: seen["minting"]["handed_on"] > 0)
    other = await another(shop, collection)
    await other.upload(ndjson([line(number) for number in range(150)]))

    tried = (await other.call("POST", "/dry-run")).json()
    await other.call("POST", "/prepare")
    prepared = await until(other, runner, is_("prepared"))

    assert (tried["lines"], tried["over_cap"]) == (100, 50)
    assert (prepared["minting"]["lines"], prepared["preparation"]["over_cap"]) == (100, 50)


async def test_preparation__when_anothers_mined_lines_are_not_on_its_record_yet__then_no_line_is_handed_back(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    second = runner_of(shop.harness, "two")
    _, other = await late_beside_minted(shop, monkeypatch, lines=150)
    looks = 0

    async def pause(seconds: float) -> None:
        nonlocal looks
        assert seconds == LOOK_SECONDS
        looks += 1
        await until(shop, runner_of(shop.harness, "three"), lambda seen: "accepted" not in by_status(seen))

    # By the chain 300 are minted, and by the first drop's record as many are still to come.
    finalize(shop.harness)
    shop.harness.now += 30
    monkeypatch.setattr(second.preparation.pace, "pause", pause)
    working = asyncio.create_task(second.work(other.drop_id))
    await asyncio.wait_for(working, timeout=20)
    prepared = await other.show()

    assert looks >= 1
    assert (prepared["status"], prepared["minting"]["lines"]) == ("prepared", 150)
    assert prepared["preparation"]["over_cap"] == 0


async def test_preparation__when_others_numbers_keep_moving__then_it_waits_for_a_bounded_time(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    second = runner_of(shop.harness, "two")
    collection, other = await late_beside_minted(shop, monkeypatch, lines=600)
    pauses = 0

    async def pause(seconds: float) -> None:
        nonlocal pauses
        pauses += 1
        assert pauses < 100, "it never stops waiting"
        collection.others = pauses % 2

    finalize(shop.harness)
    shop.harness.now += 30
    monkeypatch.setattr(second.preparation.pace, "pause", pause)
    await asyncio.wait_for(second.work(other.drop_id), timeout=20)
    ended = await other.show()

    assert pauses == MOST_PAUSES
    assert (ended["status"], ended["preparation"]["over_cap"]) == ("cancelled", 600)


async def test_preparation__when_it_is_cancelled_while_it_waits_for_another_drop__then_it_ends(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    second = runner_of(shop.harness, "two")
    _, other = await late_beside_minted(shop, monkeypatch, lines=160)

    async def pause(_: float) -> None:
        await other.call("POST", "/cancel")

    monkeypatch.setattr(second.preparation.pace, "pause", pause)
    await asyncio.wait_for(second.work(other.drop_id), timeout=20)
    seen = await other.show()

    assert (seen["status"], seen["preparation"]["prepared"]) == ("cancelled", 0)
    assert seen["ended_at"] is not None


def by_status(seen: dict[str, Any]) -> dict[str, int]:
    counts: dict[str, int] = seen["minting"]["by_status"]
    return counts


async def test_start__when_too_many_drops_hold_reserved_tokens__then_refused_until_one_has_ended(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reservations, "MOST_DROPS", 1)
    runner = runner_of(shop.harness)
    _, other = await two_prepared(shop, monkeypatch, cap=900, first=300, second=300)
    await shop.call("POST", "/start")
    await until(shop, runner, lambda seen: seen["minting"]["handed_on"] > 0)

    refused = await other.call("POST", "/start")
    assert (refused.status, refused.json()["code"]) == (409, "too-many-drops")
    await until(shop, runner, is_("completed"), mine=True)
    started = await other.call("POST", "/start")
    assert started.status == 202


async def test_drop__when_another_reserves_at_the_moment_of_its_start__then_it_pauses_and_can_be_resumed(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reservations, "MOST_DROPS", 1)
    runner = runner_of(shop.harness)
    _, other = await two_prepared(shop, monkeypatch, cap=900, first=300, second=300)
    await asyncio.gather(shop.call("POST", "/start"), other.call("POST", "/start"))
    await look_often(runner)

    seen = [await shop.show(), await other.show()]
    assert sorted(each["status"] for each in seen) == ["paused", "running"]
    paused = next(each for each in seen if each["status"] == "paused")
    assert paused["paused"]["code"] == "too-many-drops"
    assert paused["minting"]["handed_on"] == 0
    late, running = (shop, other) if seen[0]["status"] == "paused" else (other, shop)
    await until(running, runner, is_("completed"), mine=True)
    assert (await late.call("POST", "/resume")).status == 202
    await until(late, runner, is_("completed"), mine=True)
