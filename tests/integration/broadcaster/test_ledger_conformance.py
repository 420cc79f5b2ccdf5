"""The broadcaster's ledger in memory and over DynamoDB: the same calls lead to the same records."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest

from mintline.aws.dynamo import Item, Put
from mintline.aws.records import to_item
from mintline.eth import to_checksum_address
from mintline.messages import Fees, KeyRef, SignMint, SignNoop, Voucher
from mintline.records import Attempt, Mint, Problem, Transfer, created_key, open_shard
from mintline.resources import ATTEMPTS, MINTS, TRANSFERS
from mintline.states import MintStatus
from mintline_broadcaster.memory import MemoryLedger
from mintline_broadcaster.ports import Ledger, MintMoved, OpenMint, OpenTransaction, SignedTransaction
from mintline_indexer.dynamo_store import transfer_item

CHAIN_ID = 31337
CONTRACT = to_checksum_address(b"\xc0" * 20)
KEY = KeyRef(address=to_checksum_address(b"\x11" * 20), subject="user", chain_id=CHAIN_ID, secret_id="s")
FEES = Fees(max_fee_per_gas=2 * 10**9, max_priority_fee_per_gas=1)
PROBLEM = Problem(code="policy", reason="No.")


@dataclass
class Records:
    """The ledger under test, and the way around it."""

    ledger: Ledger
    put: Callable[[Mint], Awaitable[None]]
    index: Callable[[Transfer], Awaitable[None]]


def mint(status: MintStatus = MintStatus.BUILT, **changes: Any) -> Mint:
    fields: dict[str, Any] = {
        "mint_id": "m1",
        "sub": "alice",
        "status": status,
        "chain_id": CHAIN_ID,
        "contract": CONTRACT,
        "to": KEY.address,
        "sender": KEY,
        "metadata_digest": bytes(32),
        "request_digest": "00",
        "authorization": b"sealed",
        "created_at": 1,
        "updated_at": 1,
        "token_id": 2**200,
        "deadline": 1,
        "nonce": 7,
        "gas": 1,
        "fees": FEES,
    }
    return Mint(**fields | changes)


INTENT = SignMint(
    signer=KEY,
    chain_id=CHAIN_ID,
    nonce=7,
    gas=1,
    fees=FEES,
    mint_id="m1",
    contract=CONTRACT,
    voucher=Voucher(token_id=2**200, to=KEY.address, metadata_digest=bytes(32), deadline=1),
)


def attempt(number: int) -> Attempt:
    return Attempt(
        tx_hash=bytes([number]) * 32, max_fee_per_gas=number, max_priority_fee_per_gas=1, at=number, nonce=7
    )


def transaction(number: int, *, bare: bool = True) -> SignedTransaction:
    noop = SignNoop(signer=KEY, chain_id=CHAIN_ID, nonce=number, gas=1, fees=FEES)
    return SignedTransaction(
        tx_hash=bytes([number]) * 32,
        kind="sign_noop" if bare else "sign_mint",
        sender=KEY.address,
        nonce=number,
        chain_id=CHAIN_ID,
        raw=b"raw",
        attempt=0,
        at=number,
        intent=noop if bare else None,
    )


def minting(block: int = 3) -> Transfer:
    return Transfer(
        chain_id=CHAIN_ID,
        contract=CONTRACT,
        token_id=2**200,
        sender=None,
        recipient=KEY.address,
        block_number=block,
        block_hash=bytes([block]) * 32,
        log_index=0,
        tx_hash=b"\xee" * 32,
        timestamp=1,
    )


@pytest.fixture(params=["memory", pytest.param("dynamodb", marks=pytest.mark.integration)])
def records(request: pytest.FixtureRequest) -> Records:
    if request.param == "memory":
        memory = MemoryLedger()

        async def keep(kept: Mint) -> None:
            memory.mints[kept.mint_id] = kept

        async def made(transfer: Transfer) -> None:
            memory.mintings[transfer.contract, transfer.token_id] = transfer

        return Records(memory, keep, made)
    line = request.getfixturevalue("line")

    async def put(stored: Mint) -> None:
        keys: Item = {
            "created_key": created_key(stored.created_at, stored.mint_id),
            "open_shard": open_shard(stored.mint_id),
        }
        await line.dynamo.write(Put(MINTS, to_item(stored) | keys))

    async def index(transfer: Transfer) -> None:
        await line.dynamo.write(Put(TRANSFERS, transfer_item(transfer)))

    return Records(line.ledger, put, index)


async def test_submit__when_built_with_the_nonce__then_submitted_with_all_attempts(records: Records) -> None:
    await records.put(mint())
    await records.ledger.submit(INTENT, attempt(5), earlier=(attempt(4),))
    assert await records.ledger.get("m1") == mint(
        MintStatus.SUBMITTED, attempts=(attempt(4), attempt(5)), submitted_at=5, updated_at=5
    )


@pytest.mark.parametrize(
    "found", [mint(nonce=8), *(mint(status) for status in MintStatus if status is not MintStatus.BUILT)]
)
async def test_submit__when_it_is_not_that_mints_turn__then_it_tells_what_is_there(
    records: Records, found: Mint
) -> None:
    await records.put(found)
    with pytest.raises(MintMoved) as moved:
        await records.ledger.submit(INTENT, attempt(5))
    assert moved.value.mint == found
    assert await records.ledger.get("m1") == found


async def test_writes__when_there_is_no_mint__then_they_say_so(records: Records) -> None:
    ledger = records.ledger
    for write in (
        ledger.submit(INTENT, attempt(5)),
        ledger.add_attempt(mint(MintStatus.SUBMITTED), attempt(5)),
        ledger.reject("m1", PROBLEM, source=MintStatus.BUILT, at=5),
        ledger.mark_swept(mint(), at=5),
        ledger.mine(mint(), minting(), at=5),
        ledger.finalize("m1", minting(), at=5),
    ):
        with pytest.raises(MintMoved) as moved:
            await write
        assert moved.value.mint is None


async def test_add_attempt__when_the_attempts_are_those_that_were_read__then_it_is_appended_once(
    records: Records,
) -> None:
    before = mint(MintStatus.SUBMITTED, attempts=(attempt(4),))
    await records.put(before)
    await records.ledger.add_attempt(before, attempt(5))
    after = await records.ledger.get("m1")
    assert after == mint(MintStatus.SUBMITTED, attempts=(attempt(4), attempt(5)), updated_at=5)
    with pytest.raises(MintMoved) as moved:
        await records.ledger.add_attempt(before, attempt(6))
    assert moved.value.mint == after


@pytest.mark.parametrize("unfilled", [False, True])
async def test_reject__when_still_in_its_source__then_it_ends_and_is_open_while_its_nonce_is(
    records: Records, *, unfilled: bool
) -> None:
    await records.put(mint(MintStatus.SUBMITTED))
    with pytest.raises(MintMoved):
        await records.ledger.reject("m1", PROBLEM, source=MintStatus.BUILT, at=5)
    await records.ledger.reject("m1", PROBLEM, source=MintStatus.SUBMITTED, at=5, unfilled=unfilled)
    after = await records.ledger.get("m1")
    assert after == mint(MintStatus.REJECTED, problem=PROBLEM, updated_at=5, authorization=None)
    shard = open_shard("m1")
    open_then = await records.ledger.open_mints(shard, after=None, limit=9)
    assert open_then == ([OpenMint("m1", 1)] if unfilled else [])
    await records.ledger.close_mint("m1")
    assert await records.ledger.open_mints(shard, after=None, limit=9) == []


async def test_open_mints__when_paged__then_oldest_first_and_each_once(records: Records) -> None:
    shard = open_shard("m1")
    ids = [name for name in (f"m{number}" for number in range(200)) if open_shard(name) == shard][:5]
    for place, mint_id in enumerate(reversed(ids)):
        await records.put(mint(mint_id=mint_id, created_at=10 + place))
    found: list[OpenMint] = []
    while page := await records.ledger.open_mints(shard, after=found[-1] if found else None, limit=2):
        found += page
    assert [one.mint_id for one in found] == list(reversed(ids))


async def test_mark_swept__when_two_copies_read_the_same__then_one_marks_it(records: Records) -> None:
    before = mint()
    await records.put(before)
    await records.ledger.mark_swept(before, at=50)
    after = await records.ledger.get("m1")
    assert after == mint(swept_at=50, sweeps=1)
    with pytest.raises(MintMoved):
        await records.ledger.mark_swept(before, at=51)
    await records.ledger.mark_swept(after, at=99)
    assert await records.ledger.get("m1") == mint(swept_at=99, sweeps=2)


async def test_end__when_the_index_has_the_token__then_mined_and_finalized_by_that_transaction(
    records: Records,
) -> None:
    before = mint(MintStatus.SUBMITTED, problem=PROBLEM)
    await records.put(before)
    assert await records.ledger.minting(before) is None
    await records.index(minting())
    made = await records.ledger.minting(before)
    assert made == minting()
    await records.ledger.mine(before, made, at=5)
    mined = mint(
        MintStatus.MINED,
        tx_hash=made.tx_hash,
        block_number=3,
        block_hash=made.block_hash,
        mined_at=5,
        updated_at=5,
    )
    assert await records.ledger.get("m1") == mined
    with pytest.raises(MintMoved):
        await records.ledger.mine(before, made, at=6)
    with pytest.raises(MintMoved):
        await records.ledger.finalize("m1", made.evolve(tx_hash=b"\xdd" * 32), at=6)
    await records.ledger.finalize("m1", made, at=6)
    assert await records.ledger.get("m1") == mined.evolve(
        status=MintStatus.FINALIZED, finalized_at=6, updated_at=6, authorization=None
    )


async def test_transactions__when_recorded_twice_and_closed__then_each_stays_and_is_open_again(
    records: Records,
) -> None:
    ledger = records.ledger
    first, second, ours = transaction(1), transaction(2), transaction(3, bare=False)
    for one in (second, first, ours, first.evolve(attempt=9)):
        await ledger.record(one)
    hashes = [first.tx_hash, ours.tx_hash, b"\x09" * 32]
    assert await ledger.read_transactions(hashes) == {first.tx_hash: first, ours.tx_hash: ours}
    oldest = await ledger.open_transactions(after=None, limit=1)
    assert oldest == [OpenTransaction(first.tx_hash, 1)]
    assert await ledger.open_transactions(after=oldest[0], limit=9) == [OpenTransaction(second.tx_hash, 2)]
    await ledger.close(first.tx_hash)
    assert await ledger.open_transactions(after=None, limit=9) == [OpenTransaction(second.tx_hash, 2)]
    await ledger.record(first)
    assert len(await ledger.open_transactions(after=None, limit=9)) == 2


@pytest.mark.integration
async def test_record__when_written__then_the_bytes_are_binary_and_the_version_befores_hex_is_read(
    line: Any,
) -> None:
    now, before = transaction(1), transaction(2)
    await line.ledger.record(now)
    await line.dynamo.write(Put(ATTEMPTS, to_item(before)))

    item = await line.dynamo.get(ATTEMPTS, {"tx_hash": "0x" + now.tx_hash.hex()})

    assert item is not None
    assert item["raw"] == now.raw == b"raw"
    assert to_item(before)["raw"] == "0x726177"
    known = await line.ledger.read_transactions([now.tx_hash, before.tx_hash])
    assert known == {now.tx_hash: now, before.tx_hash: before}
