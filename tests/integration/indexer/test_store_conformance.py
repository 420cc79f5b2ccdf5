"""The index in memory and over DynamoDB: the same calls lead to the same records."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import pytest

from mintline.aws.dynamo import Delete, Item, Put
from mintline.aws.operations import created
from mintline.aws.records import to_item
from mintline.eth import to_checksum_address
from mintline.messages.parts import Fees, KeyRef
from mintline.records.index import Token, Transfer
from mintline.records.keys import token_ref
from mintline.records.operations import Attempt, Mint, Operation, TokenBurn, TokenOperation, TokenTransfer
from mintline.records.problems import NOT_DONE, Problem
from mintline.records.transactions import Transaction, TransactionKey, as_far_as, sender_shard
from mintline.resources import ATTEMPTS, BLOCKS, CHECKPOINTS, MINTS, TOKENS, TRANSACTIONS, TRANSFERS
from mintline.states import MintStatus, TransactionState
from mintline_indexer.chain_port import Ref
from mintline_indexer.dynamo_items import aside_partition, token_item
from mintline_indexer.dynamo_store import DynamoStore
from mintline_indexer.store_port import (
    Aside,
    Attempted,
    CheckpointConflict,
    EndedTransaction,
    Mixed,
    Outcome,
    PriorToken,
    Progress,
    Refused,
    ReopenedMint,
    ReopenedTransaction,
    Store,
    TakeBack,
    TokenKey,
    TokenWrite,
    TransactionResult,
    UndoRecord,
    Write,
)
from mintline_indexer.writes import transfer_key
from mintline_testkit.constants import CHAIN_ID, CONTRACT
from mintline_testkit.indexer.store import MemoryStore

if TYPE_CHECKING:
    from tests.integration.indexer.conftest import Harness

ALICE, BOB = (to_checksum_address(bytes([n]) * 20) for n in (0x11, 0x12))
KEY = KeyRef(address=ALICE, subject="user", chain_id=CHAIN_ID, secret_id="s")
HASH = b"\x07" * 32
PROBLEM = Problem(code="reverted", reason="No.")


@dataclass
class Tables:
    """The store under test, and the ways around it."""

    store: Store
    put: Callable[[Operation], Awaitable[None]]
    sent: Callable[[bytes, Attempted], Awaitable[None]]
    carry: Callable[[Transaction], Awaitable[None]]


def progress(revision: int, **changes: Any) -> Progress:
    at = Ref(5, HASH, 1)
    return replace(Progress(revision=revision, writer="w", head=at, finalized=at, at=revision), **changes)


def mint(mint_id: str = "m1", status: MintStatus = MintStatus.SUBMITTED, **changes: Any) -> Mint:
    fields: dict[str, Any] = {
        "mint_id": mint_id,
        "sub": "alice",
        "status": status,
        "chain_id": CHAIN_ID,
        "contract": CONTRACT,
        "to": ALICE,
        "sender": KEY,
        "metadata_digest": bytes(32),
        "request_digest": "00",
        "created_at": 1,
        "updated_at": 1,
        "token_id": 2**200,
    }
    return Mint(**fields | changes)


def token_operation(kind: Literal["transfer", "burn"]) -> TokenOperation:
    fields: dict[str, Any] = {
        "mint_id": f"{kind}_1",
        "status": MintStatus.BUILT,
        "chain_id": CHAIN_ID,
        "contract": CONTRACT,
        "token_id": 1,
        "sender": KEY,
        "nonce": 7,
        "request_digest": "00",
        "created_at": 1,
        "updated_at": 1,
    }
    return TokenTransfer(**fields, to=BOB) if kind == "transfer" else TokenBurn(**fields)


def token(token_id: int = 1, owner: str | None = ALICE) -> Token:
    return Token(
        chain_id=CHAIN_ID,
        contract=CONTRACT,
        token_id=token_id,
        owner=owner,
        metadata_digest=HASH,
        mint_id="m1",
        minted_block=5,
        block_number=5,
        tx_hash=HASH,
    )


def transfer(log_index: int = 0, sender: str | None = None, token_id: int = 1) -> Transfer:
    return Transfer(
        chain_id=CHAIN_ID,
        contract=CONTRACT,
        token_id=token_id,
        sender=sender,
        recipient=ALICE,
        block_number=5,
        block_hash=HASH,
        log_index=log_index,
        tx_hash=HASH,
        timestamp=1,
    )


def undo_record(number: int = 5, **changes: Any) -> UndoRecord:
    fields: dict[str, Any] = {
        "position": f"{number:012d}#000000",
        "number": number,
        "hash": HASH,
        "timestamp": 1,
        "parent": (number - 1, HASH, 1),
        "first": 0,
        "complete": True,
    }
    return UndoRecord(**fields | changes)


def outcome(mint_id: str = "m1", status: MintStatus = MintStatus.MINED, **changes: Any) -> Outcome:
    return replace(Outcome(mint_id, status, HASH, 5, HASH), **changes)


def transaction(
    state: TransactionState = TransactionState.SUBMITTED, nonce: int = 7, **changes: Any
) -> Transaction:
    fields: dict[str, Any] = {
        "sender_id": f"{CHAIN_ID}#{ALICE}",
        "nonce": nonce,
        "signer": KEY,
        "kind": "mint",
        "operations": ("m1", "m2"),
        "gas": 90_000,
        "fees": FEES,
        "meaning": HASH,
        "state": state,
        "attempts": (ATTEMPT,),
        "reserved_at": 1,
        "updated_at": 1,
        "submitted_at": 1,
    }
    return Transaction(**fields | changes)


def result(outcome: Literal["succeeded", "failed"] = "succeeded", nonce: int = 7) -> TransactionResult:
    problem = PROBLEM if outcome == "failed" else None
    return TransactionResult(
        TransactionKey(f"{CHAIN_ID}#{ALICE}", nonce), outcome, HASH, 5, HASH, problem=problem
    )


FEES = Fees(max_fee_per_gas=2, max_priority_fee_per_gas=1)
ATTEMPT = Attempt(tx_hash=HASH, max_fee_per_gas=2, max_priority_fee_per_gas=1, at=1)
PLACE = TransactionKey(f"{CHAIN_ID}#{ALICE}", 7)
KEY_1 = TokenKey(CONTRACT, 1)
REOPENING = TakeBack(5, transactions=(ReopenedTransaction(PLACE, HASH),))


@pytest.fixture(params=["memory", pytest.param("dynamodb", marks=pytest.mark.integration)])
def tables(request: pytest.FixtureRequest) -> Tables:
    if request.param == "memory":
        attempts: dict[bytes, Attempted] = {}
        memory = MemoryStore(attempt_table=attempts)

        async def keep(kept: Operation) -> None:
            memory.keep(kept)

        async def noted(tx_hash: bytes, attempt: Attempted) -> None:
            attempts[tx_hash] = attempt

        async def reserved(transaction: Transaction) -> None:
            memory.transaction_table[transaction.key] = transaction

        return Tables(memory, keep, noted, reserved)
    line = request.getfixturevalue("harness")

    async def put(stored: Operation) -> None:
        item: Item = to_item(stored)
        if isinstance(stored, Mint) and stored.custody == "self" and stored.token_id is not None:
            item["token_ref"] = token_ref(CHAIN_ID, stored.contract, stored.token_id)
        await line.dynamo.write(Put(MINTS, item))

    async def sent(tx_hash: bytes, attempt: Attempted) -> None:
        """As the broadcaster writes it: with sender and nonce, for any signer."""
        nonce = 3 if attempt.key is None else attempt.key.nonce
        item: Item = {"tx_hash": "0x" + tx_hash.hex(), "chain_id": CHAIN_ID, "sender": ALICE, "nonce": nonce}
        item["kind"] = "self_redeem" if attempt.own else "sign_mint"
        known = {"mint_id": attempt.mint_id, "at": attempt.at, "trace": attempt.trace or None}
        item |= {name: value for name, value in known.items() if value is not None}
        await line.dynamo.write(Put(ATTEMPTS, item))

    async def carry(carried: Transaction) -> None:
        await line.dynamo.write(created(carried))

    return Tables(line.store, put, sent, carry)


async def test_checkpoint__when_it_moves__then_by_one_revision_or_not_at_all(tables: Tables) -> None:
    store = tables.store
    assert await store.load() is None
    with pytest.raises(CheckpointConflict):
        await store.commit(progress(2))
    first = progress(1, mixed=Mixed(6, HASH, "p6"), tail="p5", collections=(CONTRACT,), backfills={BOB: 9})
    await store.commit(first, {CONTRACT: None, BOB: 9})
    assert await store.load() == first
    for revision in (1, 3):
        with pytest.raises(CheckpointConflict):
            await store.commit(progress(revision))
    assert await store.load() == first
    assert await store.peek() == replace(first, collections=(), backfills={})


async def test_contracts__when_one_moves__then_the_others_stay_where_they_are(tables: Tables) -> None:
    store = tables.store
    await store.commit(progress(1), {ALICE: 3, CONTRACT: None})
    await store.commit(progress(2), {BOB: 9})
    await store.commit(progress(3), {ALICE: None, BOB: 12})
    loaded = await store.load()
    assert loaded == progress(3, collections=tuple(sorted([ALICE, CONTRACT])), backfills={BOB: 12})
    with pytest.raises(CheckpointConflict):
        await store.commit(progress(3), {BOB: None})
    assert await store.load() == loaded


@pytest.mark.integration
async def test_contracts__when_the_checkpoint_was_deleted__then_the_next_index_follows_none_of_them(
    harness: Harness,
) -> None:
    store = DynamoStore(harness.dynamo, chain_id=CHAIN_ID)
    await store.commit(progress(1, index="first"), {CONTRACT: None, BOB: 3})
    await harness.dynamo.write(Delete(CHECKPOINTS, {"chain": str(CHAIN_ID)}))
    await store.commit(progress(1, index="second"), {BOB: 1})
    assert await store.load() == progress(1, index="second", backfills={BOB: 1})


async def test_rows__when_they_are_many__then_they_come_oldest_first(tables: Tables) -> None:
    store = tables.store
    await store.commit(progress(1))
    for revision, number in enumerate((8, 5, 7, 6), start=2):
        await store.commit(progress(revision))
        await store.keep_undo([undo_record(number)])
    assert [stored.number for stored in await store.undo_records()] == [5, 6, 7, 8]
    await store.prune([undo_record(7).position])
    assert [stored.number for stored in await store.undo_records()] == [5, 6, 8]
    assert await store.undo_record(undo_record(8).position) == undo_record(8)


async def test_block__when_written_and_undone__then_all_is_as_before(tables: Tables) -> None:
    store = tables.store
    await tables.put(mint())
    await store.commit(progress(1))
    aside = Aside(
        position="p#mints#m9",
        table="mints",
        key="m9",
        reason="size",
        block_number=5,
        block_hash=HASH,
        tx_hash=HASH,
    )
    created, moved = transfer(), transfer(1, sender=ALICE)
    written = undo_record(
        tokens=(PriorToken(contract=CONTRACT, token_id=1, token=None),),
        transfers=(transfer_key(created), transfer_key(moved)),
        mints=("m1",),
        aside=(aside.position,),
    )
    write = Write(
        tokens=(TokenWrite(KEY_1, token(), assumed_new=True),),
        transfers=(created, moved),
        outcomes=(outcome(),),
    )
    await store.keep_undo([written], [aside])
    assert not await store.write(write, fence=2, at=2)
    assert await store.tokens([KEY_1]) == {KEY_1: token()}
    assert await store.minting(KEY_1) == created
    assert await store.undo_records() == [written]
    assert await store.undo_record(written.position) == written
    assert await store.operations(["m1", "none"]) == {
        "m1": mint(
            status=MintStatus.MINED,
            tx_hash=HASH,
            block_number=5,
            block_hash=HASH,
            mined_at=2,
            updated_at=2,
        )
    }
    undo = TakeBack(
        number=5,
        tokens=written.tokens,
        transfers=written.transfers,
        mints=(ReopenedMint("m1", MintStatus.SUBMITTED, HASH),),
        aside=written.aside,
    )
    assert not await store.take_back(undo, fence=3, at=3)
    await store.prune([written.position])
    assert await store.tokens([KEY_1]) == {KEY_1: None}
    assert await store.minting(KEY_1) is None
    assert await store.undo_records() == []
    assert await store.operations(["m1"]) == {"m1": mint(updated_at=3)}
    assert not await store.write(write, fence=4, at=4)
    assert await store.tokens([KEY_1]) == {KEY_1: token()}
    assert await store.minting(KEY_1) == created
    assert (await store.operations(["m1"]))["m1"].status is MintStatus.MINED


async def test_write__when_it_is_repeated__then_it_counts_as_written_and_changes_nothing(
    tables: Tables,
) -> None:
    store = tables.store
    await tables.put(mint())
    await tables.carry(transaction())
    write = Write(
        tokens=(TokenWrite(KEY_1, token(), assumed_new=True),),
        transfers=(transfer(),),
        results=(result(),),
        outcomes=(outcome(),),
    )
    assert not await store.write(write, fence=2, at=2)
    before = await everything(store)
    assert not await store.write(write, fence=2, at=9)
    assert await everything(store) == before
    undo = taking_back()
    assert not await store.take_back(undo, fence=3, at=3)
    undone = await everything(store)
    assert not await store.take_back(undo, fence=3, at=9)
    assert await everything(store) == undone


async def everything(store: Store) -> Any:
    records = await store.operations(["m1"]), await store.transactions([PLACE])
    return await store.tokens([KEY_1]), await store.minting(KEY_1), records


def taking_back() -> TakeBack:
    return TakeBack(
        number=5,
        tokens=(PriorToken(contract=CONTRACT, token_id=1, token=None),),
        transfers=(transfer_key(transfer()),),
        transactions=(ReopenedTransaction(PLACE, HASH),),
        mints=(ReopenedMint("m1", MintStatus.SUBMITTED, HASH),),
    )


LATE = [
    Write(tokens=(TokenWrite(KEY_1, token(), assumed_new=True),)),
    Write(tokens=(TokenWrite(KEY_1, token()),)),
    Write(transfers=(transfer(),)),
    Write(results=(result(),)),
    Write(outcomes=(outcome(),)),
]


@pytest.mark.parametrize("written", [False, True], ids=["not written", "written"])
@pytest.mark.parametrize("late", LATE, ids=["new token", "token", "transfer", "result", "outcome"])
async def test_write__when_its_block_was_taken_back_meanwhile__then_it_is_fenced(
    tables: Tables, late: Write, *, written: bool
) -> None:
    """Whether the block's items had been written or not: a process was stopped before, or amid its writes."""
    store = tables.store
    await tables.put(mint())
    await tables.carry(transaction())
    if written:
        assert not await store.write(late, fence=2, at=2)
    await store.take_back(taking_back(), fence=3, at=3)
    before = await everything(store)
    with pytest.raises(CheckpointConflict):
        await store.write(late, fence=2, at=2)
    assert await everything(store) == before


@pytest.mark.parametrize(
    "undo", list(taking_back().split(1)), ids=["token", "transfer", "transaction", "mint"]
)
async def test_undoing__when_the_block_was_written_again_meanwhile__then_it_is_fenced(
    tables: Tables, undo: TakeBack
) -> None:
    store = tables.store
    await tables.put(mint())
    await tables.carry(transaction())
    write = Write(
        tokens=(TokenWrite(KEY_1, token(), assumed_new=True),),
        transfers=(transfer(),),
        results=(result(),),
        outcomes=(outcome(),),
    )
    assert not await store.write(write, fence=2, at=2)
    assert not await store.take_back(taking_back(), fence=4, at=4)
    assert not await store.write(write, fence=5, at=5)
    before = await everything(store)
    with pytest.raises(CheckpointConflict):
        await store.take_back(undo, fence=3, at=3)
    assert await everything(store) == before


async def test_undoing__when_a_token_was_there_that_was_not_read__then_it_stays(tables: Tables) -> None:
    older = token(owner=BOB).evolve(minted_block=4)
    await tables.store.write(Write(tokens=(TokenWrite(KEY_1, older),)), fence=2, at=2)
    assumed = Write(tokens=(TokenWrite(KEY_1, token(), assumed_new=True),))
    assert (await tables.store.write(assumed, fence=3, at=3)).assumed == {KEY_1}
    await tables.store.take_back(replace(taking_back(), transactions=(), mints=()), fence=4, at=4)
    assert await tables.store.tokens([KEY_1]) == {KEY_1: older}


@pytest.mark.integration
async def test_write__when_a_token_is_of_before_there_were_fences__then_it_is_written(
    harness: Harness,
) -> None:
    await harness.dynamo.write(Put(TOKENS, token_item(token())))
    moved = token(owner=BOB)
    assert not await harness.store.write(Write(tokens=(TokenWrite(KEY_1, moved),)), fence=2, at=2)
    assert await harness.store.tokens([KEY_1]) == {KEY_1: moved}
    burned = token(owner=None)
    assert not await harness.store.write(Write(tokens=(TokenWrite(KEY_1, burned),)), fence=3, at=3)
    item = await harness.dynamo.get(TOKENS, {"token_ref": token_ref(CHAIN_ID, CONTRACT, 1)})
    assert item == token_item(burned) | {"fence": 3}


@pytest.mark.integration
async def test_history__when_markers_are_among_the_transfers__then_pages_are_full_of_the_others(
    harness: Harness,
) -> None:
    transfers = tuple(transfer(index) for index in range(6))
    await harness.store.write(Write(transfers=transfers), fence=2, at=2)
    gone = tuple(transfer_key(transfers[index]) for index in (0, 1, 3))
    await harness.store.take_back(TakeBack(5, transfers=gone), fence=3, at=3)
    ref = token_ref(CHAIN_ID, CONTRACT, 1)
    page = await harness.dynamo.query(TRANSFERS, partition=ref, limit=2)
    assert [item["log_index"] for item in page.items] == [2, 4]
    page = await harness.dynamo.query(TRANSFERS, partition=ref, limit=2, start=page.next)
    assert [item["log_index"] for item in page.items] == [5]
    assert await harness.store.minting(KEY_1) == transfers[2]


async def test_write__when_tokens_or_mints_are_not_as_assumed__then_it_names_them_and_writes_the_others(
    tables: Tables,
) -> None:
    store = tables.store
    await tables.put(mint("m1", MintStatus.REJECTED))
    await tables.put(mint("m2"))
    await store.write(Write(tokens=(TokenWrite(KEY_1, token()),)), fence=1, at=1)
    refused = await store.write(
        Write(
            tokens=(TokenWrite(KEY_1, token(owner=BOB), assumed_new=True),),
            outcomes=(outcome("m1"), outcome("m2"), outcome("none")),
        ),
        fence=2,
        at=2,
    )
    assert refused == Refused(assumed={KEY_1, "m1", "none"})
    assert await store.tokens([KEY_1]) == {KEY_1: token()}
    assert (await store.operations(["m2"]))["m2"].status is MintStatus.MINED


@pytest.mark.parametrize(
    ("mint", "block_hash"),
    [(mint(status=MintStatus.MINED, block_hash=b"\x08" * 32), HASH), (mint(), HASH)],
    ids=["another block", "not mined"],
)
async def test_reopening__when_the_mint_is_not_of_this_block__then_it_is_stale(
    tables: Tables, mint: Mint, block_hash: bytes
) -> None:
    await tables.put(mint)
    undo = TakeBack(5, mints=(ReopenedMint("m1", MintStatus.SUBMITTED, block_hash),))
    assert (await tables.store.take_back(undo, fence=2, at=2)).assumed == {"m1"}
    assert await tables.store.operations(["m1"]) == {"m1": mint}


async def test_outcome__when_a_users_own_transaction_failed__then_its_mint_waits_with_the_problem(
    tables: Tables,
) -> None:
    await tables.put(mint(custody="self", sender=None))
    await tables.store.commit(progress(1))
    failed = outcome(status=MintStatus.ISSUED, problem=PROBLEM)
    assert not await tables.store.write(Write(outcomes=(failed,)), fence=2, at=2)
    assert await tables.store.operations(["m1"]) == {
        "m1": mint(status=MintStatus.ISSUED, custody="self", sender=None, problem=PROBLEM, updated_at=2)
    }


async def test_rows__when_some_are_pruned__then_the_others_stay_in_order(tables: Tables) -> None:
    store = tables.store
    undo_records = [undo_record(number) for number in (12, 7, 9)]
    for revision, each in enumerate(undo_records, start=1):
        await store.commit(progress(revision))
        await store.keep_undo([each])
    assert [each.number for each in await store.undo_records()] == [7, 9, 12]
    await store.prune([undo_records[2].position, "gone already"])
    assert [each.number for each in await store.undo_records()] == [7, 12]
    assert await store.undo_record(undo_records[2].position) is None


async def test_attempts_and_vouchers__when_asked_for__then_only_those_that_are_there(tables: Tables) -> None:
    attempts = {
        HASH: Attempted(PLACE, at=5, trace="00-t"),
        b"\x08" * 32: Attempted(mint_id="m2", own=True),
        # Of before transactions had records.
        b"\x0a" * 32: Attempted(PLACE, "m1"),
    }
    for tx_hash, attempt in attempts.items():
        await tables.sent(tx_hash, attempt)
    assert await tables.store.attempts([*attempts, b"\x09" * 32]) == attempts
    await tables.put(mint("m3", custody="self", sender=None, token_id=2**200))
    await tables.put(mint("m4", token_id=3))
    keys = [TokenKey(CONTRACT, token_id) for token_id in (2**200, 3, 4)]
    assert await tables.store.vouchers(keys) == {keys[0]: "m3"}


async def test_finalize__when_some_are_not_mined__then_it_tells_where_they_stand(tables: Tables) -> None:
    await tables.put(mint("m1", MintStatus.MINED))
    await tables.put(mint("m2", MintStatus.SUBMITTED))
    await tables.put(mint("m3", MintStatus.REVERTED))
    refused = await tables.store.finalize(["m1", "m2", "m3", "none"], at=9)
    assert refused == {"m2": MintStatus.SUBMITTED, "m3": MintStatus.REVERTED, "none": None}
    assert await tables.store.operations(["m1"]) == {
        "m1": mint("m1", MintStatus.FINALIZED, finalized_at=9, updated_at=9)
    }


async def test_transaction__when_settled_undone_settled_and_final__then_its_mints_stand_by_it_unwritten(
    tables: Tables,
) -> None:
    store, stored = tables.store, mint("m1", MintStatus.BUILT, nonce=7)
    await tables.put(stored)
    await tables.carry(transaction())
    await store.commit(progress(1))
    submitted = (await store.operations(["m1"]))["m1"]
    assert submitted == as_far_as(stored, transaction())
    assert submitted.status is MintStatus.SUBMITTED
    written = undo_record(transactions=(EndedTransaction(sender_id=PLACE.sender_id, nonce=7, mints=2),))
    await store.keep_undo([written])
    assert not await store.write(Write(results=(result(),)), fence=2, at=2)
    mined = transaction(
        TransactionState.MINED,
        outcome="succeeded",
        tx_hash=HASH,
        block_number=5,
        block_hash=HASH,
        mined_at=2,
        updated_at=2,
    )
    assert await store.transactions([PLACE, TransactionKey(PLACE.sender_id, 8)]) == {PLACE: mined}
    assert await store.operations(["m1"]) == {"m1": as_far_as(stored, mined)}
    assert await store.undo_records() == [written]
    assert not await store.take_back(REOPENING, fence=3, at=3)
    assert await store.transactions([PLACE]) == {PLACE: transaction(updated_at=3)}
    assert not await store.write(Write(results=(result("failed"),)), fence=4, at=4)
    failed = mined.evolve(outcome="failed", problem=PROBLEM, mined_at=4, updated_at=4)
    assert await store.transactions([PLACE]) == {PLACE: failed}
    assert (await store.operations(["m1"]))["m1"].status is MintStatus.REVERTED
    assert await store.finalize_transactions([PLACE], at=9) == {}
    final = failed.evolve(state=TransactionState.FINAL, finalized_at=9, updated_at=9)
    assert await store.transactions([PLACE]) == {PLACE: final}
    assert await store.operations(["m1"], {PLACE: mined}) == {"m1": as_far_as(stored, mined)}


async def test_transaction__when_it_succeeded_without_an_operation__then_that_is_named_until_it_is_undone(
    tables: Tables,
) -> None:
    store, stored = tables.store, [mint(f"m{n}", MintStatus.BUILT, nonce=7) for n in (1, 2)]
    for each in stored:
        await tables.put(each)
    await tables.carry(transaction(kind="batch"))
    await store.commit(progress(1))
    assert not await store.write(Write(results=(replace(result(), not_made=("m2",)),)), fence=2, at=2)
    assert (await store.transactions([PLACE]))[PLACE].not_made == ("m2",)
    operations = await store.operations(["m1", "m2"])
    assert (operations["m1"].status, operations["m2"].status) == (MintStatus.MINED, MintStatus.REVERTED)
    assert operations["m2"].problem == NOT_DONE
    assert not await store.take_back(REOPENING, fence=3, at=3)
    assert await store.transactions([PLACE]) == {PLACE: transaction(kind="batch", updated_at=3)}


async def test_batch__when_it_failed__then_its_row_says_so_and_its_operations_stand_as_submitted(
    tables: Tables,
) -> None:
    store = tables.store
    await tables.put(mint("m1", MintStatus.BUILT, nonce=7, custody="sponsored"))
    await tables.carry(transaction(kind="batch"))
    await store.commit(progress(1))
    written = undo_record(to_be_split=(EndedTransaction(sender_id=PLACE.sender_id, nonce=7),))
    failed = replace(result("failed"), to_be_split=True)
    await store.keep_undo([written])
    assert not await store.write(Write(results=(failed,)), fence=2, at=2)
    assert await store.undo_records() == [written]
    assert (await store.transactions([PLACE]))[PLACE].to_be_split
    assert (await store.operations(["m1"]))["m1"].status is MintStatus.SUBMITTED


@pytest.mark.parametrize("kind", ["transfer", "burn"])
async def test_token_operation__when_its_transaction_is_settled_undone_and_final__then_it_stands_by_that(
    tables: Tables, kind: Literal["transfer", "burn"]
) -> None:
    store, stored = tables.store, token_operation(kind)
    await tables.put(stored)
    carrying = transaction(kind=kind, operations=(stored.operation_id,))
    await tables.carry(carrying)
    await store.commit(progress(1))
    assert await store.operations([stored.operation_id]) == {stored.operation_id: as_far_as(stored, carrying)}
    assert not await store.write(Write(results=(result(),)), fence=2, at=2)
    assert await standing_of(store, stored) is MintStatus.MINED
    assert not await store.take_back(REOPENING, fence=3, at=3)
    assert await standing_of(store, stored) is MintStatus.SUBMITTED
    assert not await store.write(Write(results=(result("failed"),)), fence=4, at=4)
    assert await standing_of(store, stored) is MintStatus.REVERTED
    assert await store.finalize_transactions([PLACE], at=9) == {}
    assert await standing_of(store, stored) is MintStatus.REVERTED


@pytest.mark.parametrize("kind", ["transfer", "burn"])
async def test_token_operation__when_its_outcome_is_on_its_own_record__then_it_is_finalized_or_undone(
    tables: Tables, kind: Literal["transfer", "burn"]
) -> None:
    store, stored = tables.store, token_operation(kind)
    await tables.put(stored)
    await store.commit(progress(1))
    ended = Write(outcomes=(outcome(stored.operation_id, carried=True),))
    assert not await store.write(ended, fence=2, at=2)
    undo = TakeBack(5, mints=(ReopenedMint(stored.operation_id, MintStatus.BUILT, HASH),))
    assert not await store.take_back(undo, fence=3, at=3)
    assert await store.operations([stored.operation_id]) == {stored.operation_id: stored.evolve(updated_at=3)}
    assert not await store.write(ended, fence=4, at=4)
    assert await store.finalize([stored.operation_id], at=9) == {}
    assert await standing_of(store, stored) is MintStatus.FINALIZED


async def standing_of(store: Store, operation: Operation) -> MintStatus:
    return (await store.operations([operation.operation_id]))[operation.operation_id].status


@pytest.mark.parametrize(
    "state", [TransactionState.RESERVED, TransactionState.MINED, TransactionState.FINAL, None]
)
async def test_settlement__when_the_transaction_is_not_submitted__then_it_is_stale(
    tables: Tables, state: TransactionState | None
) -> None:
    transactions = {} if state is None else {PLACE: transaction(state)}
    for each in transactions.values():
        await tables.carry(each)
    refused = await tables.store.write(Write(results=(result(),)), fence=2, at=2)
    assert refused == Refused(assumed={PLACE})
    assert await tables.store.transactions([PLACE]) == transactions


@pytest.mark.parametrize(
    "transaction",
    [
        transaction(TransactionState.MINED, block_hash=b"\x08" * 32, outcome="succeeded"),
        transaction(TransactionState.FINAL, block_hash=HASH, outcome="succeeded"),
        transaction(),
    ],
    ids=["another block", "final", "not mined"],
)
async def test_unsettling__when_the_transaction_is_not_of_this_block__then_it_is_stale(
    tables: Tables, transaction: Transaction
) -> None:
    await tables.carry(transaction)
    assert (await tables.store.take_back(REOPENING, fence=2, at=2)).assumed == {PLACE}
    assert await tables.store.transactions([PLACE]) == {PLACE: transaction}


async def test_outcome__when_another_transaction_made_a_carried_mints_token__then_it_is_on_the_mint(
    tables: Tables,
) -> None:
    store, stored = tables.store, mint("m1", MintStatus.BUILT, nonce=7)
    await tables.put(stored)
    await tables.put(mint("m2", MintStatus.BUILT, custody="self", sender=None))
    failed = transaction(TransactionState.MINED, outcome="failed", problem=PROBLEM)
    await tables.carry(failed)
    await store.commit(progress(1))
    assert (await store.write(Write(outcomes=(outcome("m2"),)), fence=2, at=2)).assumed == {"m2"}
    write = Write(outcomes=(outcome("m1", carried=True),))
    assert not await store.write(write, fence=2, at=2)
    placed = {"tx_hash": HASH, "block_number": 5, "block_hash": HASH, "mined_at": 2, "updated_at": 2}
    mined = stored.evolve(status=MintStatus.MINED, **placed)
    assert await store.operations(["m1"]) == {"m1": as_far_as(mined, failed)}
    assert (await store.operations(["m1"]))["m1"].tx_hash == HASH
    assert not await store.write(write, fence=3, at=3)
    elsewhere, here = (
        TakeBack(5, mints=(ReopenedMint("m1", MintStatus.BUILT, at),)) for at in (b"\x08" * 32, HASH)
    )
    assert (await store.take_back(elsewhere, fence=4, at=3)).assumed == {"m1"}
    assert not await store.take_back(here, fence=5, at=3)
    assert await store.operations(["m1"]) == {"m1": as_far_as(stored.evolve(updated_at=3), failed)}
    assert (await store.take_back(here, fence=6, at=4)).assumed == {"m1"}


@pytest.mark.parametrize("status", [MintStatus.MINED, MintStatus.REVERTED])
async def test_reopening__when_a_mint_had_its_outcome_before_it_was_carried__then_it_is_built(
    tables: Tables, status: MintStatus
) -> None:
    """Of a version before transactions had records, which gave it one without an outcome since."""
    ended = {"tx_hash": HASH, "block_number": 5, "block_hash": HASH, "mined_at": 1, "problem": PROBLEM}
    await tables.put(mint("m1", status, nonce=7, **ended))
    await tables.carry(transaction())
    undo = TakeBack(5, mints=(ReopenedMint("m1", MintStatus.BUILT, HASH),))
    assert not await tables.store.take_back(undo, fence=2, at=2)
    built = mint("m1", MintStatus.BUILT, nonce=7, updated_at=2)
    assert await tables.store.operations(["m1"]) == {"m1": as_far_as(built, transaction())}


async def test_finalize__when_some_transactions_are_not_mined__then_it_tells_where_they_stand(
    tables: Tables,
) -> None:
    states = (TransactionState.MINED, TransactionState.SUBMITTED, TransactionState.FINAL)
    places = [TransactionKey(PLACE.sender_id, nonce) for nonce in range(4)]
    for nonce, state in enumerate(states):
        await tables.carry(transaction(state, nonce))
    refused = await tables.store.finalize_transactions(places, at=9)
    expected = (TransactionState.SUBMITTED, TransactionState.FINAL, None)
    assert refused == dict(zip(places[1:], expected, strict=True))
    final = transaction(TransactionState.FINAL, 0, finalized_at=9, updated_at=9)
    assert await tables.store.transactions(places[:1]) == {places[0]: final}


@pytest.mark.integration
async def test_finalize__when_a_transaction_is_final__then_it_is_in_no_index_of_open_ones(
    harness: Harness,
) -> None:
    await harness.dynamo.write(created(transaction(TransactionState.MINED)))
    shard = sender_shard(PLACE.sender_id)
    for expected in ([7], []):
        page = await harness.dynamo.query(
            TRANSACTIONS, index=TRANSACTIONS.index("open"), partition=shard, limit=9
        )
        assert [item["nonce"] for item in page.items] == expected
        await harness.store.finalize_transactions([PLACE], at=9)


@pytest.mark.integration
async def test_write__when_a_record_has_no_room_left__then_it_is_named_and_the_others_are_written(
    harness: Harness,
) -> None:
    store = DynamoStore(harness.dynamo, chain_id=CHAIN_ID)
    full = to_item(mint("m1")) | {"metadata": ""}
    room = 400 * 1024 - sum(len(name) + len(str(value)) for name, value in full.items())
    await harness.dynamo.write(Put(MINTS, full | {"metadata": "x" * (room - 200)}))
    await harness.dynamo.write(Put(MINTS, to_item(mint("m2"))))
    await store.commit(progress(1))
    problem = Problem(code="reverted", reason="r" * 1000)
    bad = outcome("m1", MintStatus.REVERTED, problem=problem)
    good = outcome("m2", MintStatus.REVERTED, problem=problem)
    refused = await store.write(Write(outcomes=(bad, good)), fence=2, at=2)
    assert set(refused.unusable) == {"m1"}
    assert "size" in refused.unusable["m1"]
    assert not refused.assumed
    assert (await store.operations(["m2"]))["m2"].status is MintStatus.REVERTED
    crammed = to_item(transaction())
    room = 400 * 1024 - sum(len(name) + len(str(value)) for name, value in crammed.items())
    await harness.dynamo.write(Put(TRANSACTIONS, crammed | {"padding": "x" * (room - 20)}))
    failed = replace(result("failed"), problem=problem)
    refused = await store.write(Write(results=(failed,)), fence=2, at=2)
    assert set(refused.unusable) == {PLACE}
    aside = Aside(
        position="p", table="mints", key="m1", reason="size", block_number=5, block_hash=HASH, tx_hash=HASH
    )
    await store.keep_undo([], [aside])
    listed = await harness.dynamo.query(BLOCKS, partition=aside_partition(CHAIN_ID), limit=9)
    assert [item["key"] for item in listed.items] == ["m1"]
    assert await store.undo_records() == []
