from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from mintline.errors import Conflict, Rejected, Unavailable
from mintline.key_stores import StoredKey
from mintline.records.keys import scoped
from mintline.records.wallets import WALLET_CACHE_SECONDS, Wallet
from mintline_ops.wallets.deletion import delete
from mintline_ops.wallets.migration import migrate
from mintline_ops.wallets.reassignment import Reassignment
from mintline_signer.errors import EnclaveRefusal, RefusalCode
from mintline_signer.protocol import Reassign, Rewrapped
from mintline_testkit.constants import CHAIN_ID

if TYPE_CHECKING:
    from tests.unit.wallets.conftest import Custody

KMS_KEY = "arn:aws:kms:us-east-1:111122223333:key/1"


@dataclass
class FakeEnclave:
    refuses: bool = False
    given: list[Reassign] = field(default_factory=list)

    async def rewrap(self, request: Reassign) -> Rewrapped:
        if self.refuses:
            raise EnclaveRefusal(RefusalCode.REASSIGN)
        self.given.append(request)
        wrapped = f"{len(self.given)} for {request.to} ".encode() + request.key.wrapped
        return Rewrapped(wrapped=wrapped, kms_key=KMS_KEY)


def reassignment(
    custody: Custody, enclave: FakeEnclave | None = None, *, old: str = "old", new: str = "new"
) -> Reassignment:
    return Reassignment(
        chain_id=CHAIN_ID,
        old=old,
        new=new,
        records=custody.records,
        belongings=custody.belongings,
        stores=custody.stores,
        enclave=enclave or FakeEnclave(),
        sleep=custody.sleep,
    )


async def refusal(custody: Custody, **names: str) -> str:
    before = dict(custody.records.items)
    enclave = FakeEnclave()
    with pytest.raises(Rejected) as caught:
        await reassignment(custody, enclave, **names).run()
    assert (custody.records.items, enclave.given) == (before, [])
    return caught.value.code


async def test_reassign__when_done__gives_the_address_to_the_new_user_and_keeps_the_old_key(
    custody: Custody,
) -> None:
    old = await custody.add("old")

    new = await reassignment(custody).run()

    assert (new.address, new.sub, new.reassigned_from) == (old.address, "new", "old")
    assert custody.wallet("new") == new
    assert custody.wallet("old") == old.evolve(reassigned_to="new")
    assert await custody.key(new) == b"1 for new wrapped old"
    assert await custody.key(old) == b"wrapped old"
    assert custody.slept == [WALLET_CACHE_SECONDS + 1]


async def test_reassign__when_repeated__changes_nothing(custody: Custody) -> None:
    await custody.add("old")
    first = await reassignment(custody).run()
    before, again = dict(custody.records.items), FakeEnclave()

    assert await reassignment(custody, again).run() == first
    assert (custody.records.items, again.given) == (before, [])


async def test_reassign__when_something_stands_against_it__says_what_and_changes_nothing(
    custody: Custody,
) -> None:
    assert await refusal(custody) == "wallet_unknown"
    await custody.add("old")
    assert await refusal(custody, new="old") == "same_user"
    custody.belongings.open["old"] = "mint_1"
    assert await refusal(custody) == "mint_under_way"
    custody.belongings.open.clear()
    await custody.add("new")
    assert await refusal(custody) == "wallet_exists"
    await custody.add("leaving", deletes_at=custody.milliseconds())
    assert await refusal(custody, old="leaving", new="third") == "wallet_deleting"
    await custody.add("half", ready=False)
    assert await refusal(custody, old="half", new="third") == "wallet_unready"
    await custody.add("gone", reassigned_to="elsewhere")
    assert await refusal(custody, old="gone", new="third") == "wallet_reassigned"


async def test_reassign__when_the_enclaves_policy_does_not_name_it__changes_nothing(custody: Custody) -> None:
    old = await custody.add("old")

    with pytest.raises(EnclaveRefusal):
        await reassignment(custody, FakeEnclave(refuses=True)).run()

    assert list(custody.records.items.values()) == [old]
    assert len(custody.secrets.keys) == 1


@pytest.mark.parametrize("meanwhile", ["a mint", "a wallet"])
async def test_reassign__when_the_users_act_meanwhile__takes_the_mark_back(
    custody: Custody, meanwhile: str
) -> None:
    old = await custody.add("old")

    async def sleep(_: float) -> None:
        assert custody.wallet("old").reassigned_to == "new"
        if meanwhile == "a mint":
            custody.belongings.open["old"] = "mint_1"
        else:
            await custody.add("new")

    run = reassignment(custody)
    with pytest.raises(Rejected):
        await Reassignment(
            CHAIN_ID, "old", "new", run.records, run.belongings, run.stores, run.enclave, sleep
        ).run()

    assert custody.wallet("old") == old


STEPS = ("records.mark_reassigned", "sleep", "secrets.create", "secrets.replace", "records.create_reassigned")


@pytest.mark.parametrize("after", [False, True])
async def test_reassign__when_it_dies_at_any_step__is_completed_by_the_next_run(
    custody: Custody,
    *,
    after: bool,
) -> None:
    old, enclave = await custody.add("old"), FakeEnclave()

    for step in STEPS:
        place, _, name = step.rpartition(".")
        target: object = getattr(custody, place) if place else custody
        step_itself: Callable[..., Awaitable[object]] = getattr(target, name)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(target, name, dying(step_itself, after=after))
            with pytest.raises(Unavailable):
                await reassignment(custody, enclave).run()
        assert await custody.key(old) == b"wrapped old"
        assert ("31337#new" in custody.records.items) == (after and step == STEPS[-1])
        # A key that an interrupted run stored is of no use to the next one, which has it wrapped again.
        if step == "secrets.create" and not after:
            await custody.secrets.create(await leftover(custody, old))

    new = await reassignment(custody, enclave).run()
    assert (new.address, custody.wallet("old").reassigned_to) == (old.address, "new")
    assert (await custody.key(new)).endswith(b"for new wrapped old")
    assert await custody.key(old) == b"wrapped old"


def dying(step: Callable[..., Awaitable[object]], *, after: bool) -> Callable[..., Awaitable[object]]:
    async def dies(*arguments: object, **named: object) -> object:
        if after:
            await step(*arguments, **named)
        raise Unavailable("the process died")

    return dies


async def leftover(custody: Custody, old: Wallet) -> StoredKey:
    stored = await custody.stores.read(old.key())
    return stored.evolve(subject="new", wrapped=b"left by another run", reassigned=True)


async def test_reassigned_keys__when_moved_to_another_store__do_not_meet(custody: Custody) -> None:
    old = await custody.add("old")
    new = await reassignment(custody).run()

    summary = await migrate(
        to="dynamodb",
        records=custody.records,
        stores=custody.stores,
        now=custody.milliseconds,
        concurrency=1,
        dry_run=False,
    )

    assert summary.report() == {"moved": 1, "reassigned": 1, "failed": []}
    assert await custody.key(old) == b"wrapped old"
    await custody.secrets.schedule_deletion(new.secret_id, days=7)
    for record in (new, custody.wallet("new")):
        assert await custody.key(record) == b"1 for new wrapped old"


async def delete_wallet(custody: Custody, sub: str) -> Wallet:
    return await delete(
        scoped(CHAIN_ID, sub),
        days=7,
        force=False,
        records=custody.records,
        belongings=custody.belongings,
        stores=custody.stores,
        now=custody.milliseconds,
        sleep=custody.sleep,
    )


async def test_delete__when_the_wallet_was_reassigned__destroys_the_key_of_before_too(
    custody: Custody,
) -> None:
    old = await custody.add("old")
    await reassignment(custody).run()
    newest = await reassignment(custody, old="new", new="newest").run()

    with pytest.raises(Rejected, match="reassigned to new"):
        await delete_wallet(custody, "old")
    await delete_wallet(custody, "newest")

    assert set(custody.secrets.deletions) == {
        old.secret_id,
        custody.wallet("new").secret_id,
        newest.secret_id,
    }


async def test_records__when_not_as_they_were__are_left(custody: Custody) -> None:
    old = await custody.add("old")
    new = await reassignment(custody).run()

    for late in (
        custody.records.unmark_reassigned(custody.wallet("old")),
        custody.records.create_reassigned(new),
        custody.records.mark_reassigned(old, to="third"),
        custody.records.mark_deleting(old, at=1),
    ):
        with pytest.raises(Conflict):
            await late
