"""Drops of ERC-1155 items whose records an API process wrote back that knows no items."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from mintline.canonical_json import canonical_json, digest_of
from mintline.drop_records import Drop, DropStatus, ResolvedLine, Upload
from mintline.errors import Unreadable
from mintline.records.operations import Mint
from mintline_api.features.drops.line_requests import line_of
from mintline_testkit.api.client import Answered, MemoryClient
from mintline_testkit.api.harness import Harness
from mintline_testkit.constants import ALICE
from tests.unit.api.test_drops import Shop, is_, ndjson, runner_of, until
from tests.unit.api.test_drops_of_items import POTION, Supplies, drop_of, line, mints_of

NEW = {"items", "item_tokens", "most_item_tokens", "fed_item_tokens", "done_item_tokens"}
"""What a release without items knows nothing of."""


@pytest.fixture
async def shop(harness: Harness, client: MemoryClient, monkeypatch: pytest.MonkeyPatch) -> Shop:
    harness.clients.add("shop")
    shop = Shop(harness, client)
    await drop_of(shop, monkeypatch, Supplies(), supply_cap=1000)
    return shop


async def written_by_older(shop: Shop) -> Drop:
    """Write the drop's record, and those of its parts, back as an older release does."""
    drops = shop.harness.drops
    drop = drops.items[shop.drop_id]
    known = {name: value for name, value in drop.model_dump().items() if name not in NEW}
    known["upload"] = Upload.model_validate(drop.upload.model_dump(exclude={"item_tokens"}))
    written = Drop.model_validate(known).evolve(version=drop.version + 1)
    await drops.replace(written)
    parts = drops.parts_of.get(shop.drop_id, {})
    for number, part in parts.items():
        parts[number] = part.evolve(item_tokens=0)
    return written


def refusal(answered: Answered) -> tuple[int, str]:
    return answered.status, answered.json()["code"]


LOST = (409, "drop-by-older-release")


async def test_draft__when_an_older_release_wrote_it__then_it_takes_no_line_and_is_not_prepared(
    shop: Shop,
) -> None:
    offset = (await shop.upload(ndjson([line(0, quantity="3")]))).json()["offset"]
    await written_by_older(shop)

    assert refusal(await shop.upload(ndjson([line(1)]), offset)) == LOST
    assert refusal(await shop.call("POST", "/dry-run")) == LOST
    assert refusal(await shop.call("POST", "/prepare")) == LOST
    cancelled = await shop.call("POST", "/cancel")
    assert (cancelled.status, cancelled.json()["status"]) == (200, "cancelled")


async def test_preparation__when_an_older_release_wrote_the_drop__then_it_is_cancelled_and_nothing_is_made(
    shop: Shop,
) -> None:
    lines = [line(number, metadata=POTION if not number else None) for number in range(300)]
    await shop.upload(ndjson(lines))
    await shop.call("POST", "/prepare")
    await written_by_older(shop)

    seen = await until(shop, runner_of(shop.harness), is_("prepared", "cancelled"))

    assert (seen["status"], seen["minting"]["lines"]) == ("cancelled", 0)
    assert shop.harness.drops.items[shop.drop_id].paused is not None
    assert not any(key.endswith(".prepared") for key in shop.harness.drop_lines.items)


async def test_start__when_an_older_release_wrote_the_prepared_drop__then_refused(shop: Shop) -> None:
    await shop.upload(ndjson([line(0, quantity="3")]))
    await shop.call("POST", "/prepare")
    await until(shop, runner_of(shop.harness), is_("prepared"))
    await written_by_older(shop)

    assert refusal(await shop.call("POST", "/start")) == LOST
    assert not mints_of(shop)


async def test_drop__when_an_older_release_wrote_it_while_it_ran__then_it_pauses_and_what_was_begun_is_minted(
    shop: Shop,
) -> None:
    await shop.upload(ndjson([line(number, quantity="2") for number in range(300)]))
    await shop.call("POST", "/prepare")
    await until(shop, runner_of(shop.harness), is_("prepared"))
    await shop.call("POST", "/start")
    drops = shop.harness.drops
    runner = runner_of(shop.harness)
    create = shop.harness.lines.create_mints

    async def dies(mints: Sequence[Mint]) -> None:
        await create(mints)
        raise ConnectionError("the process dies")

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(shop.harness.lines, "create_mints", dies)
        await runner.work(shop.drop_id)
    assert len(mints_of(shop)) == 250
    await written_by_older(shop)

    seen = await until(shop, runner_of(shop.harness, "two"), is_("paused"))

    assert seen["paused"]["code"] == "drop-by-older-release"
    assert seen["minting"]["handed_on"] == 250
    assert {mint.metadata_digest for mint in mints_of(shop)} == {digest_of(canonical_json(POTION))}
    assert not shop.harness.metadata.packs
    assert refusal(await shop.call("POST", "/resume")) == LOST
    assert drops.items[shop.drop_id].status is DropStatus.PAUSED


def test_line__when_it_has_neither_metadata_nor_a_digest__then_it_is_not_minted_with_an_empty_one() -> None:
    with pytest.raises(Unreadable, match="no metadata"):
        line_of(ResolvedLine(line=1, sub="shop", to=ALICE, item_id=7, quantity=1))
