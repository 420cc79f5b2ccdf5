"""All top-ups and no-ops are known to every sweep, however many there are, and few of them are read."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import pytest

from mintline.resources import SIGN
from mintline_broadcaster import bare, watch
from mintline_broadcaster.bare import BareTransactions


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bare, "PAGE", 3)


@pytest.fixture
def topped_up(world: Any, make_top_up: Any) -> Callable[[Iterable[int]], Awaitable[None]]:
    """Have top-ups with these nonces on record, a millisecond apart."""

    async def send(nonces: Iterable[int]) -> None:
        for nonce in nonces:
            world.now += 1
            await world.broadcast(make_top_up(nonce))

    return send


@pytest.fixture
def read(world: Any, monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Return the transactions whose records are read, as that happens."""
    hashes: list[bytes] = []
    read_transactions = world.ledger.read_transactions

    async def reading(tx_hashes: Iterable[bytes]) -> Any:
        wanted = list(tx_hashes)
        hashes.extend(wanted)
        return await read_transactions(wanted)

    monkeypatch.setattr(world.ledger, "read_transactions", reading)
    return hashes


@pytest.mark.parametrize("missing", [0, 4, 9, 18])
async def test_gap__when_there_are_many_pages_of_top_ups__then_it_is_filled(
    world: Any, topped_up: Any, missing: int
) -> None:
    await topped_up(nonce for nonce in range(20) if nonce != missing)
    await world.sweep(after=60)
    assert [noop.nonce for noop in await world.sent_to(SIGN)] == [missing]


async def test_gap__when_a_later_page_has_the_nonce__then_it_is_none(world: Any, topped_up: Any) -> None:
    await topped_up([*range(1, 20), 0])
    await world.sweep(after=60)
    assert await world.sent_to(SIGN) == []


async def test_gap__when_it_is_further_behind_than_is_sent_again__then_it_is_filled(
    world: Any, topped_up: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "LOOK_AHEAD", 4)
    await topped_up(nonce for nonce in range(20) if nonce != 15)
    await world.sweep(after=60)
    assert [noop.nonce for noop in await world.sent_to(SIGN)] == [15]


async def test_gap__when_a_pass_cannot_read_everything__then_none_is_seen_and_the_next_one_reads_on(
    world: Any, topped_up: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bare, "MAX_PAGES", 2)
    await topped_up(range(1, 16))
    transactions = BareTransactions(world.ledger)
    seen = []
    for _ in range(3):
        found, whole = await transactions.read()
        assert not whole
        seen.append([one.nonce for one in found])
    assert seen == [[1, 2, 3, 4, 5, 6], [7, 8, 9, 10, 11, 12], [13, 14, 15]]
    sweeper = world.sweeper()
    world.now += 60_000
    for _ in range(4):
        await sweeper.sweep()
    assert await world.sent_to(SIGN) == []


async def test_open__when_it_was_read_once__then_only_what_is_new_is_read(
    world: Any, topped_up: Any, read: list[bytes]
) -> None:
    transactions = BareTransactions(world.ledger)
    await topped_up(range(10))
    first, whole = await transactions.read()
    assert whole
    assert len(read) == 10
    await topped_up(range(10, 12))
    assert (await transactions.read())[0][:10] == first
    assert len(read) == 12
    for transaction in first[:9]:
        await world.ledger.close(transaction.tx_hash)
    assert [one.nonce for one in (await transactions.read())[0]] == [9, 10, 11]
    assert len(transactions._known) == 3, "what is open no more is forgotten"
    assert len(read) == 12


async def test_look__when_many_top_ups_wait__then_the_first_ones_alone_are_read_whole(
    world: Any, topped_up: Any, read: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "LOOK_AHEAD", 4)
    await topped_up(range(20))
    world.chain.pool.clear()
    sweeper = world.sweeper()
    await sweeper.sweep()
    read.clear()
    world.now += 20_000
    await sweeper.sweep()
    assert len(read) == 4
    assert sorted(decoded.nonce for _, decoded in world.chain.pool.values()) == [0, 1, 2, 3]


async def test_look__when_many_are_mined_and_not_final__then_those_behind_are_sent_again_all_the_same(
    world: Any, topped_up: Any
) -> None:
    await topped_up(range(10))
    world.chain.mine()
    await topped_up(range(10, 14))
    world.chain.pool.clear()
    await world.sweep(after=20)
    assert sorted(decoded.nonce for _, decoded in world.chain.pool.values()) == [10, 11, 12, 13]
    world.finalize()
    await world.sweep(after=20)
    assert len(await world.ledger.open_transactions(after=None, limit=100)) == 4
