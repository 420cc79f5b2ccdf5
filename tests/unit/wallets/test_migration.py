from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import pytest

from mintline.clock import HOUR
from mintline.errors import Conflict, Rejected, Unavailable
from mintline_ops.wallets.migration import migrate, prune_copies
from mintline_ops.wallets.summary import Summary

if TYPE_CHECKING:
    from tests.unit.wallets.conftest import Custody


async def moved(custody: Custody, to: Any = "dynamodb", *, dry_run: bool = False) -> Summary:
    return await migrate(
        to=to,
        records=custody.records,
        stores=custody.stores,
        now=custody.milliseconds,
        concurrency=4,
        dry_run=dry_run,
    )


async def pruned(custody: Custody, *, older_than: int = HOUR, dry_run: bool = False) -> Summary:
    return await prune_copies(
        records=custody.records,
        stores=custody.stores,
        now=custody.milliseconds,
        older_than=older_than,
        days=7,
        concurrency=4,
        dry_run=dry_run,
    )


async def test_migrate__when_done__has_moved_each_key_and_kept_the_old_copies(custody: Custody) -> None:
    before = [await custody.add(f"user-{n}") for n in range(30)]

    summary = await moved(custody)

    assert summary.report() == {"moved": 30, "failed": []}
    for old in before:
        new = custody.wallet(old.sub)
        assert custody.items.owns(new.secret_id)
        assert (new.previous_secret_id, new.moved_at) == (old.secret_id, custody.milliseconds())
        assert await custody.key(new) == await custody.key(old) == f"wrapped {old.sub}".encode()
    assert (await moved(custody)).report() == {"there": 30, "failed": []}


async def test_migrate__when_it_is_a_dry_run__changes_nothing(custody: Custody) -> None:
    wallet = await custody.add("alice")

    assert (await moved(custody, dry_run=True)).counts == {"moved": 1}

    assert custody.wallet("alice") == wallet
    assert custody.items.keys == {}


async def test_migrate__when_a_wallet_is_half_made_or_being_deleted__leaves_it(custody: Custody) -> None:
    half = await custody.add("half", ready=False)
    going = await custody.add("going", deletes_at=1)

    assert (await moved(custody)).counts == {"unready": 1, "deleting": 1}

    assert [custody.wallet("half"), custody.wallet("going")] == [half, going]


STEPS = ("create", "read", "move")


@pytest.mark.parametrize(("step", "when"), list(itertools.product(STEPS, ("before", "after"))))
async def test_migrate__when_it_dies_around_a_step__is_finished_by_the_next_run(
    custody: Custody, monkeypatch: pytest.MonkeyPatch, step: str, when: str
) -> None:
    old = await custody.add("alice")
    port: Any = custody.records if step == "move" else custody.items
    real = getattr(port, step)

    async def dies(*arguments: Any, **more: Any) -> Any:
        if when == "after":
            await real(*arguments, **more)
        raise Unavailable("died here")

    with monkeypatch.context() as dying:
        dying.setattr(port, step, dies)
        assert [f["reason"] for f in (await moved(custody)).failures] == ["died here"]
    assert await custody.key(old) == b"wrapped alice"
    assert await custody.key(custody.wallet("alice")) == b"wrapped alice"

    assert (await moved(custody)).failures == []
    assert custody.items.owns(custody.wallet("alice").secret_id)
    assert await custody.key(custody.wallet("alice")) == b"wrapped alice"


async def test_migrate__when_the_new_store_keeps_something_else__does_not_switch(
    custody: Custody, monkeypatch: pytest.MonkeyPatch
) -> None:
    wallet = await custody.add("alice")
    real = custody.items.read

    async def corrupt(reference: str) -> Any:
        return (await real(reference)).model_copy(update={"wrapped": b"damaged"})

    async def nothing(*_: Any, **__: Any) -> None:
        return None

    monkeypatch.setattr(custody.items, "read", corrupt)
    monkeypatch.setattr(custody.items, "replace", nothing)
    summary = await moved(custody)

    assert "does not hold what was written" in summary.failures[0]["reason"]
    assert custody.wallet("alice") == wallet


async def test_migrate__when_a_stale_copy_is_there__replaces_it(custody: Custody) -> None:
    wallet = await custody.add("alice")
    key = await custody.secrets.read(wallet.secret_id)
    stale = await custody.items.create(key.model_copy(update={"wrapped": b"an older wrapping"}))
    await custody.items.schedule_deletion(stale, days=7)

    assert (await moved(custody)).failures == []

    assert await custody.items.read(custody.wallet("alice").secret_id) == key


async def test_migrate__when_a_secret_is_anothers__moves_nothing(custody: Custody) -> None:
    await custody.add("alice")
    mallory = await custody.add("mallory")
    custody.records.items["31337#alice"] = custody.wallet("alice").model_copy(
        update={"secret_id": mallory.secret_id}
    )

    summary = await moved(custody)

    assert [failure["reason"] for failure in summary.failures] == [
        f"key_mismatch: {mallory.secret_id} holds another key."
    ]
    assert custody.wallet("alice").secret_id == mallory.secret_id


async def test_migrate__when_a_deletion_begins_meanwhile__does_not_switch(
    custody: Custody, monkeypatch: pytest.MonkeyPatch
) -> None:
    wallet = await custody.add("alice")
    real = custody.items.create

    async def create(key: Any) -> str:
        await custody.records.mark_deleting(wallet, at=1)
        return await real(key)

    monkeypatch.setattr(custody.items, "create", create)

    assert len((await moved(custody)).failures) == 1
    assert custody.wallet("alice").secret_id == wallet.secret_id


async def test_prune__when_a_copy_is_old_enough__deletes_it_and_the_old_reference_still_leads_to_the_key(
    custody: Custody,
) -> None:
    old = await custody.add("alice")
    await moved(custody)
    assert (await pruned(custody)).counts == {"recent": 1}
    custody.at += HOUR

    assert (await pruned(custody, dry_run=True)).counts == {"pruned": 1}
    assert await custody.secrets.read(old.secret_id)
    assert (await pruned(custody)).counts == {"pruned": 1}

    with pytest.raises(Rejected):
        await custody.secrets.read(old.secret_id)
    assert await custody.key(old) == b"wrapped alice"
    assert custody.wallet("alice").previous_secret_id is None
    assert (await pruned(custody)).report() == {"failed": []}


async def test_prune__when_the_key_is_not_where_it_should_be__keeps_the_copy(custody: Custody) -> None:
    old = await custody.add("alice")
    await moved(custody)
    del custody.items.keys[custody.wallet("alice").secret_id]
    custody.at += HOUR

    assert len((await pruned(custody)).failures) == 1

    assert (await custody.secrets.read(old.secret_id)).wrapped == b"wrapped alice"
    assert custody.wallet("alice").previous_secret_id == old.secret_id


async def test_migrate__when_moved_there_and_back__is_where_it_was(custody: Custody) -> None:
    old = await custody.add("alice")
    await moved(custody)
    custody.at += HOUR
    await pruned(custody)

    assert (await moved(custody, "secretsmanager")).failures == []

    assert custody.wallet("alice").secret_id == old.secret_id
    assert await custody.secrets.read(old.secret_id)
    with pytest.raises(Conflict):
        await custody.records.forget_copy(old)
