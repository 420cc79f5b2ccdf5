from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mintline.clock import DAY
from mintline.errors import Rejected
from mintline.records.wallets import Wallet
from mintline_ops.wallets.deletion import delete, undelete
from mintline_ops.wallets.migration import migrate

if TYPE_CHECKING:
    from tests.unit.wallets.conftest import Custody


async def deleted(custody: Custody, *, days: int = 30, force: bool = False) -> Wallet:
    return await delete(
        "31337#alice",
        days=days,
        force=force,
        records=custody.records,
        belongings=custody.belongings,
        stores=custody.stores,
        now=custody.milliseconds,
        sleep=custody.sleep,
    )


async def refusal(custody: Custody, *, days: int = 30, force: bool = False) -> str:
    with pytest.raises(Rejected) as caught:
        await deleted(custody, days=days, force=force)
    return caught.value.code


async def key_is_there(custody: Custody, wallet: Wallet) -> bool:
    try:
        await custody.key(wallet)
    except Rejected:
        return False
    return True


async def test_delete__when_nothing_would_be_lost__marks_the_wallet_then_makes_the_key_unreadable(
    custody: Custody,
) -> None:
    wallet, began = await custody.add("alice"), custody.at

    await deleted(custody)

    assert custody.wallet("alice").deletes_at == int(began + 30 * DAY) * 1000
    assert not await key_is_there(custody, wallet)
    assert custody.slept == [61]
    custody.at = began + 30 * DAY - 1
    await custody.secrets.restore(wallet.secret_id)
    assert await key_is_there(custody, wallet)


async def test_delete__when_its_time_is_over__has_destroyed_the_key_for_good(custody: Custody) -> None:
    await custody.add("alice")
    await deleted(custody, days=7)
    custody.at += 8 * DAY

    with pytest.raises(Rejected) as caught:
        await undelete("31337#alice", records=custody.records, stores=custody.stores)

    assert caught.value.code == "key_missing"
    assert custody.wallet("alice").deletes_at is not None


async def test_delete__when_the_wallet_owns_tokens__refuses_unless_forced(custody: Custody) -> None:
    wallet = await custody.add("alice")
    custody.belongings.owned[wallet.address] = 3

    assert await refusal(custody) == "tokens_owned"
    assert custody.wallet("alice") == wallet
    assert await key_is_there(custody, wallet)

    await deleted(custody, force=True)
    assert not await key_is_there(custody, wallet)


@pytest.mark.parametrize("force", [False, True])
async def test_delete__when_a_mint_is_under_way__refuses_even_if_forced(
    custody: Custody, *, force: bool
) -> None:
    wallet = await custody.add("alice")
    custody.belongings.open["alice"] = "mint_1"

    assert await refusal(custody, force=force) == "mint_under_way"
    assert custody.wallet("alice") == wallet


async def test_delete__when_it_was_cut_off__waits_what_is_left_and_looks_before_the_key_goes(
    custody: Custody, monkeypatch: pytest.MonkeyPatch
) -> None:
    wallet = await custody.add("alice")

    async def cut_off(_: float) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(custody, "sleep", cut_off)
        with pytest.raises(KeyboardInterrupt):
            await deleted(custody)
    custody.belongings.open["alice"] = "mint_1"
    custody.at += 20

    assert await refusal(custody) == "mint_under_way"
    assert custody.slept == [41]
    assert await key_is_there(custody, wallet)
    assert custody.wallet("alice").deletes_at is not None


@pytest.mark.parametrize("force", [False, True])
async def test_delete__when_a_mint_slipped_in_before_the_api_knew__takes_it_back(
    custody: Custody, monkeypatch: pytest.MonkeyPatch, *, force: bool
) -> None:
    wallet = await custody.add("alice")

    async def sleep(_: float) -> None:
        assert custody.wallet("alice").deletes_at is not None
        custody.belongings.open["alice"] = "mint_1"

    monkeypatch.setattr(custody, "sleep", sleep)

    assert await refusal(custody, force=force) == "mint_under_way"
    assert custody.wallet("alice") == wallet
    assert await key_is_there(custody, wallet)


async def test_delete__when_the_key_has_a_copy__deletes_both_and_undelete_restores_both(
    custody: Custody,
) -> None:
    old = await custody.add("alice")
    await migrate(
        to="dynamodb",
        records=custody.records,
        stores=custody.stores,
        now=custody.milliseconds,
        concurrency=1,
        dry_run=False,
    )
    moved = custody.wallet("alice")

    await deleted(custody)
    assert set(custody.items.deletions) == {moved.secret_id}
    assert set(custody.secrets.deletions) == {old.secret_id}

    await undelete("31337#alice", records=custody.records, stores=custody.stores)
    assert custody.items.deletions == custody.secrets.deletions == {}
    assert custody.wallet("alice") == moved


async def test_delete__when_repeated__keeps_the_first_time(custody: Custody) -> None:
    await custody.add("alice")
    first = await deleted(custody, days=10)
    custody.at += DAY

    again = await deleted(custody, days=30)

    assert again.deletes_at == first.deletes_at == custody.wallet("alice").deletes_at
    assert custody.slept == [61]


async def test_delete__when_it_died_after_the_mark__is_finished_no_earlier_than_the_mark_says(
    custody: Custody,
) -> None:
    wallet = await custody.add("alice")
    at = custody.milliseconds() + 20 * DAY * 1000
    await custody.records.mark_deleting(wallet, at=at)

    await deleted(custody, days=7)

    assert custody.secrets.deletions[wallet.secret_id] * 1000 >= at


@pytest.mark.parametrize("days", [0, 6, 31])
async def test_delete__when_the_wait_is_out_of_bounds__refuses(custody: Custody, days: int) -> None:
    await custody.add("alice")
    assert await refusal(custody, days=days) == "bad_delay"


async def test_delete__when_there_is_no_such_wallet_or_it_is_half_made__refuses(custody: Custody) -> None:
    assert await refusal(custody) == "wallet_unknown"
    await custody.add("alice", ready=False)
    assert await refusal(custody) == "wallet_unready"


async def test_undelete__when_nothing_is_being_deleted__changes_nothing(custody: Custody) -> None:
    wallet = await custody.add("alice")
    assert await undelete("31337#alice", records=custody.records, stores=custody.stores) == wallet
