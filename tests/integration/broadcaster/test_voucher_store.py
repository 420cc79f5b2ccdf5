"""Vouchers in their users' hands, kept alike in memory and over DynamoDB."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from mintline.aws.dynamo import Put
from mintline.aws.records import from_item, to_item
from mintline.eth import to_checksum_address
from mintline.messages.intents import IssueVoucher
from mintline.messages.parts import KeyRef, Voucher
from mintline.messages.signed import VoucherIssued
from mintline.records.operations import Attempt, Mint
from mintline.records.problems import Problem
from mintline.resources import MINTS
from mintline.states import MintStatus
from mintline_broadcaster.ports import MintMoved, VoucherStore
from mintline_broadcaster.voucher_store import DynamoVoucherStore
from mintline_testkit.broadcaster.store import MemoryTransactionStore
from mintline_testkit.broadcaster.vouchers import MemoryVoucherStore
from mintline_testkit.constants import CONTRACT

pytestmark = pytest.mark.integration

USER = to_checksum_address(b"\x11" * 20)
ISSUER = KeyRef(address=CONTRACT, subject="platform:issuer", chain_id=31337, secret_id="issuer")
VOUCHER = Voucher(token_id=2**200, to=USER, metadata_digest=bytes(32), deadline=1_900_000_000)
ISSUED = VoucherIssued(
    intent=IssueVoucher(signer=ISSUER, chain_id=31337, mint_id="m1", contract=CONTRACT, voucher=VOUCHER),
    signature=bytes(range(65)),
)
PROBLEM = Problem(code="insufficient_funds", reason="Poor.")


def mint(status: MintStatus, **changes: Any) -> Mint:
    fields: dict[str, Any] = {
        "mint_id": "m1",
        "sub": "alice",
        "status": status,
        "chain_id": 31337,
        "contract": CONTRACT,
        "to": USER,
        "custody": "self",
        "metadata_digest": bytes(32),
        "request_digest": "00",
        "created_at": 1,
        "updated_at": 1,
        "token_id": 2**200,
        "deadline": 1_900_000_000,
    }
    return Mint(**fields | changes)


def attempt(number: int) -> Attempt:
    return Attempt(
        tx_hash=bytes([number]) * 32,
        max_fee_per_gas=10**9,
        max_priority_fee_per_gas=1,
        at=number,
        nonce=number,
    )


class Records:
    """The store under test, and the way around it."""

    def __init__(
        self,
        vouchers: VoucherStore,
        put: Callable[[Mint], Awaitable[None]],
        get: Callable[[], Awaitable[Mint]],
    ) -> None:
        self.vouchers = vouchers
        self.put = put
        self.get = get


@pytest.fixture(params=["memory", "dynamodb"])
def records(request: pytest.FixtureRequest) -> Records:
    if request.param == "memory":
        store = MemoryTransactionStore()

        async def keep(kept: Mint) -> None:
            store.mints[kept.mint_id] = kept

        async def kept() -> Mint:
            return store.mints["m1"]

        return Records(MemoryVoucherStore(store), keep, kept)
    dynamo = request.getfixturevalue("harness").dynamo

    async def put(stored: Mint) -> None:
        await dynamo.write(Put(MINTS, to_item(stored)))

    async def get() -> Mint:
        item = await dynamo.get(MINTS, {"mint_id": "m1"})
        return from_item(Mint, item)

    return Records(DynamoVoucherStore(dynamo), put, get)


async def test_issue__when_built__then_issued_with_its_signature(records: Records) -> None:
    await records.put(mint(MintStatus.BUILT))

    await records.vouchers.issue(ISSUED, at=5)

    assert await records.get() == mint(
        MintStatus.ISSUED, voucher_signature=bytes(range(65)), issued_at=5, updated_at=5
    )


@pytest.mark.parametrize(
    "mint",
    [
        *(mint(status) for status in MintStatus if status is not MintStatus.BUILT),
        mint(MintStatus.BUILT, custody="custodial"),
        mint(MintStatus.BUILT, token_id=7),
        mint(MintStatus.BUILT, deadline=7),
        mint(MintStatus.BUILT, to=CONTRACT),
        mint(MintStatus.BUILT, contract=USER),
        mint(MintStatus.BUILT, metadata_digest=bytes(31) + b"1"),
    ],
)
async def test_issue__when_it_is_not_that_mints_turn__then_it_tells_what_is_there(
    records: Records, mint: Mint
) -> None:
    await records.put(mint)

    with pytest.raises(MintMoved) as caught:
        await records.vouchers.issue(ISSUED, at=5)

    assert caught.value.mint == mint == await records.get()


@pytest.mark.parametrize("status", [MintStatus.ISSUED, MintStatus.SUBMITTED])
async def test_transactions__when_the_mint_waits__then_they_and_their_fate_are_kept(
    records: Records, status: MintStatus
) -> None:
    await records.put(waiting := mint(status))

    await records.vouchers.attempt(waiting, attempt(2))
    await records.vouchers.refused("m1", PROBLEM, at=3)
    assert await records.get() == mint(status, attempts=(attempt(2),), problem=PROBLEM, updated_at=3)
    await records.vouchers.attempt(await records.get(), attempt(4))
    await records.vouchers.taken("m1", at=5)

    assert await records.get() == mint(
        MintStatus.SUBMITTED, attempts=(attempt(2), attempt(4)), submitted_at=5, updated_at=5
    )


async def test_attempt__when_two_race__then_one_of_them_must_look_again(records: Records) -> None:
    await records.put(waiting := mint(MintStatus.ISSUED))

    outcomes = await asyncio.gather(
        *(records.vouchers.attempt(waiting, attempt(number)) for number in (2, 3)), return_exceptions=True
    )

    assert len([outcome for outcome in outcomes if isinstance(outcome, MintMoved)]) == 1
    assert len((await records.get()).attempts) == 1


@pytest.mark.parametrize("status", [MintStatus.BUILT, MintStatus.MINED, MintStatus.REJECTED])
async def test_transactions__when_the_mint_does_not_wait__then_nothing_is_written(
    records: Records, status: MintStatus
) -> None:
    await records.put(stored := mint(status))
    writes: tuple[Callable[[], Awaitable[None]], ...] = (
        lambda: records.vouchers.attempt(stored, attempt(2)),
        lambda: records.vouchers.taken("m1", at=5),
        lambda: records.vouchers.refused("m1", PROBLEM, at=5),
    )

    for write in writes:
        with pytest.raises(MintMoved) as caught:
            await write()
        assert caught.value.mint == stored

    assert await records.get() == stored
