"""The broadcaster's transaction store in memory and over DynamoDB: the same calls, the same records."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from mintline.authorizations import Authorization, key_of
from mintline.aws.authorizations import keep_authorization
from mintline.aws.dynamo import Item, Put
from mintline.aws.operations import created
from mintline.aws.records import to_item
from mintline.eth import to_checksum_address
from mintline.kinds import meaning_of
from mintline.messages.intents import SignMint
from mintline.messages.parts import Fees, KeyRef, Voucher
from mintline.records.index import Transfer
from mintline.records.keys import created_key, open_shard
from mintline.records.operations import Attempt, Mint, Operation, TokenOperation, TokenTransfer
from mintline.records.problems import TOKEN_ON_CHAIN, Problem
from mintline.records.transactions import Transaction, TransactionKey, as_far_as, sender_shard
from mintline.resources import ATTEMPTS, MINTS, TRANSFERS
from mintline.states import MintStatus, TransactionState
from mintline_broadcaster.ports import (
    MintMoved,
    OpenMint,
    OpenTransaction,
    Seal,
    SignedTransaction,
    TransactionMoved,
    TransactionStore,
)
from mintline_indexer.dynamo_items import transfer_item
from mintline_testkit.broadcaster.store import MemoryTransactionStore
from mintline_testkit.constants import CHAIN_ID, CONTRACT

if TYPE_CHECKING:
    from tests.integration.broadcaster.conftest import Harness

KEY = KeyRef(address=to_checksum_address(b"\x11" * 20), subject="user", chain_id=CHAIN_ID, secret_id="s")
FEES = Fees(max_fee_per_gas=2 * 10**9, max_priority_fee_per_gas=1)
PROBLEM = Problem(code="policy", reason="No.")
SENDER = f"{CHAIN_ID}#{KEY.address}"
SHARD = sender_shard(SENDER)


@dataclass
class Records:
    """The store under test, and a direct way to its records."""

    store: TransactionStore
    put: Callable[[Operation], Awaitable[None]]
    reserve: Callable[[Transaction], Awaitable[None]]
    index: Callable[[Transfer], Awaitable[None]]
    authorize: Callable[[Operation, Authorization], Awaitable[None]]

    async def carried(self, **changes: Any) -> tuple[Mint, Transaction]:
        """Put a mint and the transaction that carries it on record, and return both as they stand."""
        record = transaction(**changes)
        await self.put(mint())
        await self.reserve(record)
        return as_far_as(mint(), record), record


def mint(status: MintStatus = MintStatus.BUILT, **changes: Any) -> Mint:
    """Return a mint's record as it is stored."""
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
        "created_at": 1,
        "updated_at": 1,
        "token_id": 2**200,
        "deadline": 1,
        "nonce": 7,
    }
    return Mint(**fields | changes)


def own(**changes: Any) -> Mint:
    """Return the record of a mint that no transaction of ours carries."""
    return mint(**{"custody": "self", "sender": None, "nonce": None, **changes})


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


def attempt(number: int, **changes: Any) -> Attempt:
    fields: dict[str, Any] = {
        "tx_hash": bytes([number]) * 32,
        "max_fee_per_gas": number,
        "max_priority_fee_per_gas": 1,
        "at": number,
        "nonce": 7,
    }
    return Attempt(**fields | changes)


def noop(number: int) -> Attempt:
    return attempt(number, fills=True)


def transaction(nonce: int = 7, **changes: Any) -> Transaction:
    fields: dict[str, Any] = {
        "sender_id": SENDER,
        "nonce": nonce,
        "signer": KEY,
        "kind": "mint",
        "operations": ("m1",),
        "gas": 1,
        "fees": FEES,
        "meaning": meaning_of(INTENT),
        "reserved_at": 1,
        "updated_at": 1,
    }
    return Transaction(**fields | changes)


BATCH: dict[str, Any] = {"kind": "batch", "operations": ("m1", "m2", "m3")}
SEAL = Seal(("m2", "m3"), b"\x07" * 32)
SUBMITTED: dict[str, Any] = {
    "state": TransactionState.SUBMITTED,
    "attempts": (attempt(4),),
    "submitted_at": 4,
}


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


def in_memory() -> Records:
    memory = MemoryTransactionStore()

    async def keep(kept: Operation) -> None:
        if isinstance(kept, TokenOperation):
            memory.token_operations[kept.operation_id] = kept
        elif isinstance(kept, Mint):
            memory.mints[kept.mint_id] = kept

    async def made(transfer: Transfer) -> None:
        memory.mintings[transfer.contract, transfer.token_id] = transfer

    async def take(record: Transaction) -> None:
        memory.transactions[record.key] = record

    async def authorize(operation: Operation, given: Authorization) -> None:
        key = key_of(operation)
        assert key is not None
        memory.authorizations[key] = given

    return Records(memory, keep, take, made, authorize)


@pytest.fixture(params=["memory", pytest.param("dynamodb", marks=pytest.mark.integration)])
def records(request: pytest.FixtureRequest) -> Records:
    if request.param == "memory":
        return in_memory()
    line = request.getfixturevalue("harness")

    async def put(stored: Operation) -> None:
        item: Item = to_item(stored) | {"created_key": created_key(stored.created_at, stored.mint_id)}
        if stored.nonce is None:
            item["open_shard"] = open_shard(stored.mint_id)
        await line.dynamo.write(Put(MINTS, item))

    async def index(transfer: Transfer) -> None:
        await line.dynamo.write(Put(TRANSFERS, transfer_item(transfer)))

    async def reserve(record: Transaction) -> None:
        await line.dynamo.write(created(record))

    async def authorize(operation: Operation, given: Authorization) -> None:
        await keep_authorization(line.dynamo, operation, given)

    return Records(line.store, put, reserve, index, authorize)


async def test_enter__when_it_is_what_the_nonce_was_reserved_for__then_submitted_and_so_is_its_mint(
    records: Records,
) -> None:
    await records.carried()
    await records.store.enter(INTENT, attempt(5))
    after = transaction(
        state=TransactionState.SUBMITTED, attempts=(attempt(5),), submitted_at=5, updated_at=5
    )
    assert await records.store.transaction(after.key) == after
    stands = await records.store.get("m1")
    assert stands == as_far_as(mint(), after)
    assert stands is not None
    assert (stands.status, stands.attempts) == (MintStatus.SUBMITTED, (attempt(5),))


@pytest.mark.parametrize(
    "transaction",
    [
        transaction(gas=2),
        transaction(meaning=bytes(32)),
        transaction(signer=KEY.evolve(subject="other")),
        transaction(filling_at=2),
        transaction(claiming=True),
        transaction(**SUBMITTED),
        transaction(state=TransactionState.MINED, outcome="succeeded"),
        transaction(state=TransactionState.FINAL, outcome="filled"),
    ],
    ids=["gas", "meaning", "signer", "to-be-filled", "claiming", "submitted", "mined", "final"],
)
async def test_enter__when_the_record_says_otherwise__then_it_tells_what_is_there(
    records: Records, transaction: Transaction
) -> None:
    await records.reserve(transaction)
    with pytest.raises(TransactionMoved) as moved:
        await records.store.enter(INTENT, attempt(5))
    assert moved.value.transaction == transaction
    assert await records.store.transaction(transaction.key) == transaction


async def test_writes__when_there_is_no_record__then_they_say_so(records: Records) -> None:
    store = records.store
    for write in (
        store.enter(INTENT, attempt(5)),
        store.add_attempt(transaction(**SUBMITTED), attempt(5)),
        store.mark(transaction(), at=5),
        store.fill(transaction(), at=5),
        store.reseal(transaction(), SEAL, at=5),
        store.close(transaction(), "filled", at=5),
    ):
        with pytest.raises(TransactionMoved) as lost:
            await write
        assert lost.value.transaction is None
    for other in (
        store.reject(own(), PROBLEM, at=5),
        store.mark_swept(own(), at=5),
        store.mine(own(status=MintStatus.ISSUED), minting(), at=5),
        store.finalize("m1", minting(), at=5),
    ):
        with pytest.raises(MintMoved) as moved:
            await other
        assert moved.value.mint is None


async def test_add_attempt__when_the_attempts_are_those_that_were_read__then_it_is_appended_once(
    records: Records,
) -> None:
    before = transaction(**SUBMITTED)
    await records.reserve(before)
    await records.store.add_attempt(before, attempt(5))
    after = before.evolve(attempts=(attempt(4), attempt(5)), updated_at=5)
    assert await records.store.transaction(after.key) == after
    with pytest.raises(TransactionMoved) as moved:
        await records.store.add_attempt(before, attempt(6))
    assert moved.value.transaction == after


async def test_add_attempt__when_two_race_for_the_first_one__then_one_of_them_must_look_again(
    records: Records,
) -> None:
    before = transaction(state=TransactionState.SUBMITTED, filling_at=2)
    await records.reserve(before)
    await records.store.add_attempt(before, noop(5))
    for late in (
        records.store.add_attempt(before, noop(6)),
        records.store.close(before, "filled", at=7),
    ):
        with pytest.raises(TransactionMoved) as moved:
            await late
        assert moved.value.transaction is not None
        assert moved.value.transaction.attempts == (noop(5),)


async def test_add_attempt__when_two_race__then_one_of_them_must_look_again(records: Records) -> None:
    before = transaction(**SUBMITTED)
    await records.reserve(before)
    results = await asyncio.gather(
        *(records.store.add_attempt(before, attempt(number)) for number in (5, 6)), return_exceptions=True
    )
    [lost] = [result for result in results if result is not None]
    assert isinstance(lost, TransactionMoved)
    after = await records.store.transaction(before.key)
    assert lost.transaction == after
    assert after is not None
    assert len(after.attempts) == 2


@pytest.mark.parametrize("before", [transaction(), transaction(**SUBMITTED)], ids=["reserved", "submitted"])
async def test_add_attempt__when_it_is_a_noop__then_the_nonce_is_for_it_and_nothing_else(
    records: Records, before: Transaction
) -> None:
    await records.reserve(before)
    await records.store.add_attempt(before, noop(5))
    after = before.evolve(
        state=TransactionState.SUBMITTED,
        attempts=(*before.attempts, noop(5)),
        filling_at=5,
        updated_at=5,
    )
    assert await records.store.transaction(after.key) == after
    with pytest.raises(TransactionMoved):
        await records.store.add_attempt(after, attempt(6))
    await records.store.add_attempt(after, noop(7))


async def test_add_attempt__when_a_batch_is_being_claimed__then_a_noop_alone_and_it_ends_the_claims(
    records: Records,
) -> None:
    before = transaction(**BATCH, claiming=True)
    await records.reserve(before)
    with pytest.raises(TransactionMoved):
        await records.store.add_attempt(before, attempt(5))
    await records.store.add_attempt(before, noop(5))
    after = await records.store.transaction(before.key)
    assert after == before.evolve(
        state=TransactionState.SUBMITTED, attempts=(noop(5),), filling_at=5, updated_at=5, claiming=None
    )


@pytest.mark.parametrize("state", [TransactionState.MINED, TransactionState.FINAL])
@pytest.mark.parametrize("late", [attempt(5), noop(5)], ids=["own", "noop"])
async def test_add_attempt__when_the_nonce_is_used__then_the_transaction_stays_as_it_is(
    records: Records, state: TransactionState, late: Attempt
) -> None:
    settled = transaction(**SUBMITTED | {"state": state, "outcome": "succeeded"})
    await records.reserve(settled)
    with pytest.raises(TransactionMoved):
        await records.store.add_attempt(settled, late)
    assert await records.store.transaction(settled.key) == settled


@pytest.mark.parametrize("fields", [{}, SUBMITTED], ids=["built", "submitted"])
async def test_reject__when_a_transaction_carries_it__then_its_nonce_is_for_a_noop_by_the_same_write(
    records: Records, fields: dict[str, Any]
) -> None:
    before, carried = await records.carried(**fields)
    await records.store.reject(before, PROBLEM, at=9, carried=carried)
    after = await records.store.get("m1")
    filled = carried.evolve(filling_at=9, updated_at=9)
    assert after == as_far_as(mint(MintStatus.REJECTED, problem=PROBLEM, updated_at=9), filled)
    assert await records.store.transaction(carried.key) == filled
    assert await records.store.open_transactions(SHARD, after=None, limit=9) == [
        OpenTransaction(carried.key, 1)
    ]
    with pytest.raises(MintMoved) as moved:
        await records.store.reject(before, PROBLEM, at=10, carried=carried)
    assert moved.value.mint == after


async def test_reject__when_it_was_read_at_its_end__then_it_stays(records: Records) -> None:
    before, carried = await records.carried(
        **SUBMITTED | {"state": TransactionState.FINAL, "outcome": "succeeded"}
    )
    assert before.status is MintStatus.FINALIZED
    with pytest.raises(MintMoved):
        await records.store.reject(before, PROBLEM, at=9, carried=carried)
    assert await records.store.get("m1") == before
    assert await records.store.transaction(carried.key) == carried


async def test_reject__when_the_transaction_moved_on__then_neither_is_changed(records: Records) -> None:
    before, carried = await records.carried()
    await records.store.enter(INTENT, attempt(5))
    with pytest.raises(MintMoved) as moved:
        await records.store.reject(before, PROBLEM, at=9, carried=carried)
    assert moved.value.mint is not None
    assert moved.value.mint.status is MintStatus.SUBMITTED
    after = await records.store.transaction(carried.key)
    assert after is not None
    assert after.filling_at is None


async def test_reject__when_nothing_carries_it__then_it_ends_and_is_open_no_more(records: Records) -> None:
    await records.put(own(status=MintStatus.ISSUED))
    with pytest.raises(MintMoved):
        await records.store.reject(own(), PROBLEM, at=5)
    await records.store.reject(own(status=MintStatus.ISSUED), PROBLEM, at=5)
    assert await records.store.get("m1") == own(status=MintStatus.REJECTED, problem=PROBLEM, updated_at=5)
    assert await records.store.open_mints(open_shard("m1"), after=None, limit=9) == []


async def test_reseal__when_it_is_still_to_be_signed__then_it_goes_on_with_fewer_operations_once(
    records: Records,
) -> None:
    before = transaction(**BATCH)
    await records.reserve(before)
    await records.store.reseal(before, SEAL, at=5)
    after = transaction(**BATCH | {"operations": ("m2", "m3"), "meaning": SEAL.meaning}, updated_at=5)
    assert await records.store.transaction(before.key) == after
    with pytest.raises(TransactionMoved) as moved:
        await records.store.reseal(before, Seal(("m3",), bytes(32)), at=6)
    assert moved.value.transaction == after
    with pytest.raises(TransactionMoved):
        await records.store.enter(INTENT, attempt(5))


NOT_TO_BE_SEALED = pytest.mark.parametrize(
    "changes",
    [
        {"claiming": True},
        {"filling_at": 2},
        SUBMITTED,
        {"state": TransactionState.FINAL, "outcome": "used"},
        {"meaning": bytes(32)},
    ],
    ids=["claiming", "to-be-filled", "submitted", "final", "meaning"],
)


@NOT_TO_BE_SEALED
async def test_reseal__when_it_is_not_as_it_was_read__then_it_tells_what_is_there(
    records: Records, changes: dict[str, Any]
) -> None:
    stored = transaction(**BATCH | changes)
    await records.reserve(stored)
    with pytest.raises(TransactionMoved) as moved:
        await records.store.reseal(transaction(**BATCH), SEAL, at=5)
    assert moved.value.transaction == stored
    assert await records.store.transaction(stored.key) == stored


async def test_reject__when_the_batch_goes_on_without_it__then_both_by_one_write(records: Records) -> None:
    before, batch = await records.carried(**BATCH)
    await records.store.reject(before, PROBLEM, at=9, carried=batch, seal=SEAL)
    after = transaction(**BATCH | {"operations": ("m2", "m3"), "meaning": SEAL.meaning}, updated_at=9)
    assert await records.store.transaction(batch.key) == after
    rejected = await records.store.get("m1")
    assert rejected is not None
    assert (rejected.status, rejected.problem) == (MintStatus.REJECTED, PROBLEM)


@NOT_TO_BE_SEALED
async def test_reject__when_the_batch_cannot_go_on_without_it__then_neither_is_changed(
    records: Records, changes: dict[str, Any]
) -> None:
    stored = transaction(**BATCH | changes)
    await records.put(mint())
    await records.reserve(stored)
    with pytest.raises(MintMoved):
        await records.store.reject(mint(), PROBLEM, at=9, carried=transaction(**BATCH), seal=SEAL)
    assert await records.store.get("m1") == as_far_as(mint(), stored)
    assert await records.store.transaction(stored.key) == stored


async def test_reject__when_it_is_one_of_a_batch__then_the_batch_is_as_it_was(records: Records) -> None:
    before, batch = await records.carried(**BATCH, **SUBMITTED)
    await records.store.reject(before, PROBLEM, at=9)
    assert await records.store.transaction(batch.key) == batch
    rejected = await records.store.get("m1")
    assert rejected is not None
    assert rejected.status is MintStatus.REJECTED


def token_transfer(**changes: Any) -> TokenTransfer:
    fields: dict[str, Any] = {
        "mint_id": "t1",
        "status": MintStatus.ACCEPTED,
        "chain_id": CHAIN_ID,
        "contract": CONTRACT,
        "sender": KEY,
        "token_id": 2**200,
        "to": CONTRACT,
        "request_digest": "00",
        "created_at": 1,
        "updated_at": 1,
    }
    return TokenTransfer(**fields | changes)


async def test_envelope__when_it_is_of_the_very_operation__then_it_is_found_and_no_other(
    records: Records,
) -> None:
    transfer, other = token_transfer(), token_transfer(token_id=3)
    await records.authorize(transfer, Authorization(envelope=b"sealed"))
    assert await records.store.envelope(transfer) == b"sealed"
    assert await records.store.envelope(transfer.evolve(status=MintStatus.BUILT, nonce=7)) == b"sealed"
    assert await records.store.envelope(other) == b""
    assert await records.store.envelope(mint(authorization=b"its own")) == b"its own"


async def test_transfer__when_it_is_open__then_it_is_found_marked_and_ended_as_a_mint_is(
    records: Records,
) -> None:
    store = records.store
    await records.put(token_transfer())
    assert await store.open_mints(open_shard("t1"), after=None, limit=9) == [OpenMint("t1", 1)]
    await store.mark_swept(token_transfer(), at=5)
    assert await store.get("t1") == token_transfer(swept_at=5, sweeps=1)
    built = token_transfer(status=MintStatus.BUILT, nonce=7)
    carrier = transaction(kind="transfer", operations=("t1",))
    await records.put(built)
    await records.reserve(carrier)
    assert await store.operations(["t1", "m1"]) == {"t1": as_far_as(built, carrier)}
    await store.reject(built, PROBLEM, at=9, carried=carrier)
    after = await store.get("t1")
    assert isinstance(after, TokenTransfer)
    assert (after.status, after.problem) == (MintStatus.REJECTED, PROBLEM)
    assert await store.transaction(carrier.key) == carrier.evolve(filling_at=9, updated_at=9)
    with pytest.raises(MintMoved) as moved:
        await store.reject(built, PROBLEM, at=10, carried=carrier)
    assert (moved.value.operation, moved.value.mint) == (after, None)


async def test_open_mints__when_paged__then_oldest_first_and_each_once(records: Records) -> None:
    shard = open_shard("m1")
    ids = [name for name in (f"m{number}" for number in range(200)) if open_shard(name) == shard][:5]
    for place, mint_id in enumerate(reversed(ids)):
        await records.put(own(mint_id=mint_id, created_at=10 + place))
    mints: list[OpenMint] = []
    while page := await records.store.open_mints(shard, after=mints[-1] if mints else None, limit=2):
        mints += page
    assert [mint.mint_id for mint in mints] == list(reversed(ids))


async def test_open_transactions__when_paged__then_oldest_first_until_they_are_closed(
    records: Records,
) -> None:
    nonces = [9, 10, 100, 7, 8]
    for age, nonce in enumerate(nonces):
        await records.reserve(transaction(nonce, reserved_at=age))
    transactions: list[OpenTransaction] = []
    while page := await records.store.open_transactions(
        SHARD, after=transactions[-1] if transactions else None, limit=2
    ):
        transactions += page
    assert [transaction.key.nonce for transaction in transactions] == nonces
    await records.store.close(transaction(10, reserved_at=1), "filled", at=9)
    left = await records.store.open_transactions(SHARD, after=None, limit=9)
    assert [transaction.key.nonce for transaction in left] == [9, 100, 7, 8]


async def test_transactions_from__when_some_are_final__then_the_open_ones_in_the_order_of_nonces(
    records: Records,
) -> None:
    for nonce in (12, 9, 10, 100, 8):
        state = TransactionState.FINAL if nonce == 10 else TransactionState.RESERVED
        await records.reserve(transaction(nonce, state=state))
    await records.reserve(transaction(11, sender_id=f"{CHAIN_ID}#{CONTRACT}"))
    transactions = await records.store.transactions_from(TransactionKey(SENDER, 9))
    assert [transaction.nonce for transaction in transactions] == [9, 12, 100]


async def test_close__when_it_is_as_it_was_read__then_final_with_its_outcome_once(records: Records) -> None:
    before = transaction(**SUBMITTED)
    await records.reserve(before)
    with pytest.raises(TransactionMoved):
        await records.store.close(transaction(), "filled", at=9)
    await records.store.close(before, "filled", at=9)
    after = before.evolve(state=TransactionState.FINAL, outcome="filled", finalized_at=9, updated_at=9)
    assert await records.store.transaction(before.key) == after
    with pytest.raises(TransactionMoved) as moved:
        await records.store.close(before, "filled", at=10)
    assert moved.value.transaction == after


async def test_open_gap__when_nothing_is_on_record__then_it_is_and_when_it_is_open_then_not(
    records: Records,
) -> None:
    missed = transaction(3, kind="noop", operations=(), filling_at=1)
    assert await records.store.open_gap(missed) == missed
    assert await records.store.open_gap(missed.evolve(reserved_at=9)) is None
    assert await records.store.transaction(missed.key) == missed


async def test_open_gap__when_it_was_closed_as_filled__then_it_is_open_again(records: Records) -> None:
    closed = transaction(
        3, state=TransactionState.FINAL, outcome="filled", finalized_at=5, attempts=(noop(4),)
    )
    ended = transaction(4, state=TransactionState.FINAL, outcome="succeeded")
    await records.reserve(closed)
    await records.reserve(ended)
    gap = transaction(3, kind="noop", operations=(), reserved_at=9)
    opened = await records.store.open_gap(gap)
    assert opened == closed.evolve(
        state=TransactionState.SUBMITTED, outcome=None, finalized_at=None, filling_at=9, updated_at=9
    )
    [key] = [
        transaction
        for transaction in await records.store.open_transactions(SHARD, after=None, limit=9)
        if transaction.key == closed.key
    ]
    assert key.reserved_at in (1, 9)
    assert await records.store.open_gap(transaction(4)) is None
    assert await records.store.transaction(ended.key) == ended


async def test_mark__when_two_copies_read_the_same__then_one_marks_it(records: Records) -> None:
    before = transaction()
    await records.reserve(before)
    await records.store.mark(before, at=50)
    after = await records.store.transaction(before.key)
    assert after == transaction(swept_at=50, sweeps=1)
    with pytest.raises(TransactionMoved):
        await records.store.mark(before, at=51)
    assert after is not None
    await records.store.mark(after, at=99)
    assert await records.store.transaction(before.key) == transaction(swept_at=99, sweeps=2)


async def test_mark_swept__when_two_copies_read_the_same__then_one_marks_it(records: Records) -> None:
    before = own(status=MintStatus.ACCEPTED)
    await records.put(before)
    await records.store.mark_swept(before, at=50)
    after = await records.store.get("m1")
    assert after == before.evolve(swept_at=50, sweeps=1)
    with pytest.raises(MintMoved):
        await records.store.mark_swept(before, at=51)
    assert after is not None
    await records.store.mark_swept(after, at=99)
    assert await records.store.get("m1") == before.evolve(swept_at=99, sweeps=2)


@pytest.mark.parametrize("custody", ["custodial", "self", "restored"])
async def test_end__when_the_index_has_the_token__then_mined_and_finalized_by_that_transaction(
    records: Records, custody: str
) -> None:
    if custody == "self":
        before = own(status=MintStatus.SUBMITTED, problem=PROBLEM)
        await records.put(before)
    elif custody == "restored":
        before = mint(MintStatus.ACCEPTED, nonce=None, deadline=None, waiting=TOKEN_ON_CHAIN)
        await records.put(before)
    else:
        before, _ = await records.carried(**SUBMITTED)
    assert await records.store.minting(before) is None
    await records.index(minting())
    transfer = await records.store.minting(before)
    assert transfer == minting()
    await records.store.mine(before, transfer, at=5)
    mined = before.evolve(
        status=MintStatus.MINED,
        problem=None,
        waiting=None,
        tx_hash=transfer.tx_hash,
        block_number=3,
        block_hash=transfer.block_hash,
        mined_at=5,
        updated_at=5,
    )
    assert await records.store.get("m1") == mined
    with pytest.raises(MintMoved):
        await records.store.mine(before, transfer, at=6)
    with pytest.raises(MintMoved):
        await records.store.finalize("m1", transfer.evolve(tx_hash=b"\xdd" * 32), at=6)
    await records.store.finalize("m1", transfer, at=6)
    assert await records.store.get("m1") == mined.evolve(
        status=MintStatus.FINALIZED, finalized_at=6, updated_at=6
    )


async def test_mined_by__when_a_transaction_mined_mints_by_their_own_records__then_these_and_no_others(
    records: Records,
) -> None:
    restored = {"nonce": None, "deadline": None}
    named = [mint(MintStatus.ACCEPTED, mint_id=f"m{number}", **restored) for number in range(4)]
    transfers = [minting(), minting(), minting().evolve(tx_hash=b"\xdd" * 32), minting(4)]
    for each, by in zip(named, transfers, strict=True):
        await records.put(each)
        await records.store.mine(each, by, at=5)
    await records.store.finalize("m1", transfers[1], at=6)
    await records.put(mint(MintStatus.ACCEPTED, mint_id="waits", **restored))
    mints = await records.store.mined_by(b"\xee" * 32, 3)
    assert sorted((mint.mint_id, mint.status) for mint in mints) == [
        ("m0", MintStatus.MINED),
        ("m1", MintStatus.FINALIZED),
    ]
    assert await records.store.mined_by(b"\xee" * 32, 5) == []


async def test_record__when_written_twice__then_the_first_stays(records: Records) -> None:
    store = records.store
    first = SignedTransaction(
        tx_hash=b"\x01" * 32,
        kind="sign_mint",
        sender=KEY.address,
        nonce=7,
        chain_id=CHAIN_ID,
        raw=b"\x02" * 300,
        attempt=0,
        at=1,
    )
    for transaction in (first, first.evolve(at=2), first.evolve(tx_hash=b"\x02" * 32)):
        await store.record(transaction)
    assert await store.read_signed([first.tx_hash, b"\x09" * 32]) == {first.tx_hash: first}


@pytest.mark.integration
async def test_record__when_written__then_the_bytes_are_binary_and_the_version_befores_hex_is_read(
    harness: Harness,
) -> None:
    now, before = (
        SignedTransaction(
            tx_hash=bytes([number]) * 32,
            kind="sign_mint",
            sender=KEY.address,
            nonce=number,
            chain_id=CHAIN_ID,
            raw=b"raw",
            attempt=0,
            at=number,
        )
        for number in (1, 2)
    )
    await harness.store.record(now)
    await harness.dynamo.write(Put(ATTEMPTS, to_item(before)))

    item = await harness.dynamo.get(ATTEMPTS, {"tx_hash": "0x" + now.tx_hash.hex()})

    assert item is not None
    assert item["raw"] == now.raw == b"raw"
    assert to_item(before)["raw"] == "0x726177"
    known = await harness.store.read_signed([now.tx_hash, before.tx_hash])
    assert known == {now.tx_hash: now, before.tx_hash: before}
