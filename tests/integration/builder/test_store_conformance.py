"""The builder's accounts and mints in memory and over DynamoDB: the same calls lead to the same records."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest

from mintline.aws.dynamo import Item, Put
from mintline.aws.records import to_item
from mintline.errors import Conflict
from mintline.eth import to_checksum_address
from mintline.messages import Fees, KeyRef
from mintline.records import Mint, Problem, created_key, open_shard
from mintline.resources import MINTS
from mintline.states import MintStatus
from mintline_builder.dynamo import DynamoAccounts, DynamoMints
from mintline_builder.memory import MemoryAccounts, MemoryMints, MemoryTables
from mintline_builder.ports import (
    Accounts,
    Advance,
    MintClaim,
    Mints,
    NotCommitted,
    TopUpClaim,
    VoucherClaim,
    account_item,
)

CHAIN_ID = 31337
CONTRACT = to_checksum_address(b"\xc0" * 20)
ALICE = to_checksum_address(b"\x11" * 20)
BOB = to_checksum_address(b"\x22" * 20)
TREASURY = to_checksum_address(b"\x33" * 20)
KEY = KeyRef(address=ALICE, subject="alice", chain_id=CHAIN_ID, secret_id="s")
FEES = Fees(max_fee_per_gas=10**30, max_priority_fee_per_gas=1)
PROBLEM = Problem(code="a_code", reason="A reason.")


@dataclass
class Stores:
    """The stores under test, and the way around them."""

    accounts: Accounts
    mints: Mints
    put: Callable[[Mint], Awaitable[None]]

    async def mint(self, mint_id: str = "m1") -> Mint:
        found = await self.mints.get(mint_id)
        assert found is not None
        return found

    async def next_nonce(self, address: str) -> int | None:
        account = await self.accounts.get(address)
        return None if account is None else account.next_nonce


def mint(mint_id: str = "m1", status: MintStatus = MintStatus.ACCEPTED, **changes: Any) -> Mint:
    fields: dict[str, Any] = {
        "mint_id": mint_id,
        "sub": "alice",
        "status": status,
        "chain_id": CHAIN_ID,
        "contract": CONTRACT,
        "to": ALICE,
        "sender": KEY,
        "metadata": "{}",
        "metadata_digest": bytes(32),
        "request_digest": "00",
        "authorization": b"sealed",
        "token_id": 2**200,
        "created_at": 1,
        "updated_at": 1,
    }
    return Mint(**fields | changes)


def claim(mint_id: str = "m1", **changes: Any) -> MintClaim:
    return replace(MintClaim(mint_id, deadline=10**9, gas=100_000, fees=FEES, at=7), **changes)


def top_up(replaces: int | None, **changes: Any) -> TopUpClaim:
    claimed = TopUpClaim(TREASURY, ALICE, replaces=replaces, value=10**60, gas=21_000, fees=FEES, at=7)
    return replace(claimed, gas_day=20_000, gas_given=10**60, **changes)


def advance(expected: int | None, first: int, *claims: Any, sender: str = ALICE) -> Advance:
    return Advance(sender, expected, first, tuple(claims))


@pytest.fixture(params=["memory", pytest.param("dynamodb", marks=pytest.mark.integration)])
def stores(request: pytest.FixtureRequest) -> Stores:
    if request.param == "memory":
        tables = MemoryTables()

        async def keep(kept: Mint) -> None:
            tables.mints[kept.mint_id] = kept

        return Stores(MemoryAccounts(tables), MemoryMints(tables), keep)
    dynamo = request.getfixturevalue("line").dynamo

    async def write(kept: Mint) -> None:
        index: Item = {
            "created_key": created_key(kept.created_at, kept.mint_id),
            "open_shard": open_shard(kept.mint_id),
        }
        await dynamo.write(Put(MINTS, to_item(kept) | index))

    return Stores(DynamoAccounts(dynamo, CHAIN_ID), DynamoMints(dynamo), write)


async def test_commit__when_all_conditions_hold__then_nonces_and_mints_say_what_was_claimed(
    stores: Stores,
) -> None:
    for name in ("m1", "m2", "m3"):
        await stores.put(mint(name, waiting=PROBLEM))

    await stores.accounts.commit(
        [advance(None, 5, claim("m1"), claim("m2")), advance(None, 0, claim("m3"), sender=BOB)]
    )

    assert [await stores.next_nonce(address) for address in (ALICE, BOB, TREASURY)] == [7, 1, None]
    assert [(await stores.mint(name)).nonce for name in ("m1", "m2", "m3")] == [5, 6, 0]
    assert await stores.mint("m2") == mint("m2").evolve(**claim("m2").update(6))


@pytest.mark.parametrize("expected", [None, 0, 2])
async def test_commit__when_the_nonce_has_moved__then_nothing_is_written(
    stores: Stores, expected: int | None
) -> None:
    await stores.put(mint("m1"))
    await stores.put(mint("m2"))
    await stores.accounts.commit([advance(None, 0, claim("m1"))])

    with pytest.raises(NotCommitted) as refusal:
        await stores.accounts.commit([advance(expected, expected or 0, claim("m2"))])

    assert (refusal.value.moved, refusal.value.lost) == ({ALICE: 1}, frozenset())
    assert (await stores.mint("m2")).status is MintStatus.ACCEPTED
    assert await stores.next_nonce(ALICE) == 1


async def test_commit__when_one_of_many_conditions_fails__then_it_alone_is_named_and_nothing_is_written(
    stores: Stores,
) -> None:
    await stores.put(mint("m1", MintStatus.REJECTED))
    await stores.put(mint("m2"))

    with pytest.raises(NotCommitted) as refusal:
        await stores.accounts.commit([advance(None, 0, claim("m2"), claim("m1"))])

    assert refusal.value.moved == {}
    assert refusal.value.lost == {claim("m1").item}
    assert (await stores.mint("m2")).status is MintStatus.ACCEPTED
    assert await stores.next_nonce(ALICE) is None


@pytest.mark.parametrize("status", [MintStatus.BUILT, MintStatus.SUBMITTED])
async def test_commit__when_a_nonce_is_spent__then_only_that_mints_own_is_renewed(
    stores: Stores, status: MintStatus
) -> None:
    await stores.put(mint(status=status, nonce=0, metadata=None, submitted_at=3))

    for stale in (claim(), claim(spent=1)):
        with pytest.raises(NotCommitted) as refusal:
            await stores.accounts.commit([advance(None, 4, stale)])
        assert refusal.value.lost == {claim().item}
    await stores.accounts.commit([advance(None, 4, claim(spent=0, at=9))])

    renewed = await stores.mint()
    assert (renewed.status, renewed.nonce, renewed.built_at) == (MintStatus.BUILT, 4, 9)
    assert renewed.submitted_at is None
    assert renewed.token_id == 2**200


@pytest.mark.parametrize("status", [MintStatus.MINED, MintStatus.FINALIZED, MintStatus.REVERTED])
async def test_commit__when_the_mint_is_on_chain__then_its_nonce_is_not_renewed(
    stores: Stores, status: MintStatus
) -> None:
    before = mint(status=status, nonce=0, metadata=None)
    await stores.put(before)

    with pytest.raises(NotCommitted):
        await stores.accounts.commit([advance(None, 4, claim(spent=0))])

    assert await stores.mint() == before


async def test_commit__when_a_top_up_is_recorded__then_only_the_one_seen_is_replaced(stores: Stores) -> None:
    await stores.accounts.commit([advance(None, 0, top_up(None), sender=TREASURY)])

    for stale in (top_up(None), top_up(1)):
        with pytest.raises(NotCommitted) as refusal:
            await stores.accounts.commit([advance(1, 1, stale, sender=TREASURY)])
        assert refusal.value.lost == {account_item(ALICE)}
    await stores.accounts.commit([advance(1, 1, top_up(0), sender=TREASURY)])

    account = await stores.accounts.get(ALICE)
    assert account is not None
    assert account.next_nonce is None
    assert account.top_up == top_up(0).top_up(1)
    assert (account.gas_day, account.gas_given) == (20_000, 10**60)


async def test_topping_up__when_a_top_up_is_recorded__then_its_wallet_is_listed_until_that_one_is_settled(
    stores: Stores,
) -> None:
    await stores.accounts.commit([advance(None, 0, top_up(None), sender=TREASURY)])
    await stores.accounts.settle(ALICE, 7)
    assert await stores.accounts.topping_up(limit=5) == [ALICE]
    await stores.accounts.settle(ALICE, 0)
    assert await stores.accounts.topping_up(limit=5) == []

    await stores.accounts.commit([advance(1, 1, top_up(0), sender=TREASURY)])
    await stores.accounts.settle(ALICE, 0)

    assert await stores.accounts.topping_up(limit=5) == [ALICE]


@pytest.mark.parametrize("status", [status for status in MintStatus if status is not MintStatus.ACCEPTED])
async def test_reject__when_the_mint_is_no_longer_accepted__then_it_stays(
    stores: Stores, status: MintStatus
) -> None:
    before = mint(status=status, nonce=3, metadata=None)
    await stores.put(before)

    for change in (
        stores.mints.reject("m1", PROBLEM, at=9),
        stores.mints.reject("m1", PROBLEM, at=9, spent=2),
        stores.mints.wait("m1", PROBLEM),
        stores.mints.offer(before, VoucherClaim("m1", 100, 90_000, 8)),
    ):
        with pytest.raises(Conflict):
            await change

    assert await stores.mint() == before


@pytest.mark.parametrize("spent", [None, 3])
async def test_reject__when_the_mint_is_where_it_is_wanted__then_it_ends_with_the_problem(
    stores: Stores, spent: int | None
) -> None:
    status = MintStatus.ACCEPTED if spent is None else MintStatus.SUBMITTED
    await stores.put(mint(status=status, nonce=spent))

    await stores.mints.reject("m1", PROBLEM, at=9, spent=spent)

    ended = await stores.mint()
    assert (ended.status, ended.problem, ended.updated_at) == (MintStatus.REJECTED, PROBLEM, 9)


async def test_wait__when_a_mint_is_accepted__then_it_says_so_and_is_offered_without(stores: Stores) -> None:
    await stores.put(mint(sender=None, custody="self"))

    await stores.mints.wait("m1", PROBLEM)
    waiting = await stores.mint()
    await stores.mints.offer(waiting, VoucherClaim("m1", 100, 90_000, 8))

    assert (waiting.status, waiting.waiting, waiting.updated_at) == (MintStatus.ACCEPTED, PROBLEM, 1)
    assert await stores.mint() == waiting.evolve(**VoucherClaim("m1", 100, 90_000, 8).update())


async def test_get__when_there_is_no_such_record__then_it_is_none(stores: Stores) -> None:
    assert await stores.mints.get("m9") is None
    assert await stores.accounts.get(BOB) is None
