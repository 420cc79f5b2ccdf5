"""Each kind of transaction settles what it carries, by its own module."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, ClassVar, Literal, get_args

import pytest
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from mintline.messages.codec import decode
from mintline.messages.intents import TransactionKind
from mintline.messages.work import ReviewMint
from mintline.records.operations import (
    Attempt,
    Operation,
    RelayedBurn,
    RelayedTransfer,
    TokenBurn,
    TokenOperation,
    TokenTransfer,
)
from mintline.records.problems import NOT_DONE
from mintline.resources import BROADCAST
from mintline.states import MintStatus, TransactionState
from mintline_indexer.indexer import Indexer
from mintline_indexer.kinds import KINDS, VOUCHER, TokenChanges
from mintline_indexer.metrics import Metrics
from mintline_indexer.store_port import Attempted, Refused, TakeBack, TokenKey, Write
from mintline_testkit.chain import Move, Sent
from mintline_testkit.constants import CONTRACT
from mintline_testkit.indexer.harness import ALICE, BOB, FINALITY, SENDER, Harness
from mintline_testkit.indexer.polling import catch_up
from mintline_testkit.indexer.store import MemoryStore

DIGEST = bytes(32)
TokenOperationKind = Literal["transfer", "burn", "relayed_transfer", "relayed_burn"]
TOKEN_KINDS = get_args(TokenOperationKind)
RECORDS: dict[str, type[TokenOperation]] = {
    "transfer": TokenTransfer,
    "burn": TokenBurn,
    "relayed_transfer": RelayedTransfer,
    "relayed_burn": RelayedBurn,
}


async def finish(harness: Harness, indexer: Indexer) -> None:
    for _ in range(FINALITY + 1):
        harness.chain.mine()
    await catch_up(indexer)


async def reorganize(harness: Harness, indexer: Indexer, depth: int = 1) -> None:
    harness.chain.drop(depth)
    for _ in range(depth + 1):
        harness.chain.mine()
    await catch_up(indexer)


def refused(logs: Sequence[Any]) -> list[str | None]:
    return [entry["mint_id"] for entry in logs if entry["event"] == "mint_outcome_refused"]


def token_operation(harness: Harness, kind: TokenOperationKind) -> str:
    """Record a request to transfer or burn token 1, and the transaction that carries it; return its id."""
    fields: dict[str, Any] = {
        "mint_id": f"{kind}_1",
        "status": MintStatus.BUILT,
        "chain_id": 1,
        "contract": CONTRACT,
        "token_id": 1,
        "sender": SENDER,
        "request_digest": "",
        "created_at": 0,
        "updated_at": 0,
    }
    if kind.startswith("relayed_"):
        # The transaction is a relayer's, whose address is not looked at: the token is the wallet's.
        fields |= {"wallet": SENDER, "counter": 0, "deadline": 1}
    record = RECORDS[kind]
    operation = record.model_validate(fields | ({"to": BOB} if "to" in record.model_fields else {}))
    harness.store.keep(operation)
    harness.carry(operation.operation_id, kind=kind)
    return operation.operation_id


def sent_by(
    harness: Harness, operation_id: str, *moves: Move, name: int = 1, succeeded: bool = True, revert: str = ""
) -> Sent:
    sent = Sent(bytes([name]) * 32, CONTRACT, moves, succeeded=succeeded, revert=revert)
    harness.sign(sent.hash, operation_id)
    return sent


def recipient(kind: str) -> str | None:
    return BOB if kind.endswith("transfer") else None


def batch(harness: Harness, count: int, *, name: int = 3) -> tuple[list[str], Sent]:
    """Record a batch of mints of tokens 1, 2, …; return their ids and its transaction."""
    ids = [f"m{number}" for number in range(1, count + 1)]
    for number, mint_id in enumerate(ids, start=1):
        harness.record(mint_id, MintStatus.SUBMITTED)
        mint = harness.store.mint_table[mint_id]
        harness.store.mint_table[mint_id] = mint.evolve(token_id=number, custody="sponsored")
    harness.store.transaction_table.clear()
    harness.carry(*ids, kind="batch")
    moves = tuple(Move(CONTRACT, number, None, ALICE, DIGEST) for number in range(1, count + 1))
    sent = Sent(bytes([name]) * 32, CONTRACT, moves)
    harness.sign(sent.hash, *ids)
    return ids, sent


def failing(sent: Sent) -> Sent:
    return Sent(sent.hash, CONTRACT, succeeded=False)


def test_kinds__when_walked__then_each_kind_of_transaction_has_its_module() -> None:
    assert set(KINDS) == set(get_args(TransactionKind))
    assert [name for name, kind in KINDS.items() if kind.makes_tokens] == ["mint", "batch"]
    assert [name for name, kind in KINDS.items() if kind.when_failed is None] == ["batch"]
    modules = {f"mintline_indexer.kinds.{name}" for name in KINDS}
    assert {type(kind).__module__ for kind in KINDS.values()} == modules


def test_kinds__when_an_operation_is_of_another_kind__then_none_did_it(harness: Harness) -> None:
    """What a transaction's record names is believed by the operation's own kind alone."""
    harness.record("m1", MintStatus.SUBMITTED)
    mint = harness.store.mint_table["m1"].evolve(token_id=1)
    operations: dict[str, Operation] = {
        "mint": mint,
        "transfer": harness.operation(token_operation(harness, "transfer")),
        "burn": harness.operation(token_operation(harness, "burn")),
        "relayed_transfer": harness.operation(token_operation(harness, "relayed_transfer")),
        "relayed_burn": harness.operation(token_operation(harness, "relayed_burn")),
    }
    moves = [
        Move(CONTRACT, 1, None, ALICE, DIGEST),
        Move(CONTRACT, 1, ALICE, BOB),
        Move(CONTRACT, 1, ALICE, None),
    ]
    sent = Sent(b"\x01" * 32, CONTRACT, tuple(moves))
    changes = TokenChanges.of(harness.chain.mine([sent]).events)
    did = {
        name: [
            operation_id
            for operation_id, operation in operations.items()
            if kind.did(operation, sent.hash, changes)
        ]
        for name, kind in (*KINDS.items(), ("voucher", VOUCHER))
    }
    assert did == {
        "mint": ["mint"],
        "batch": ["mint"],
        "voucher": ["mint"],
        "transfer": ["transfer"],
        "burn": ["burn"],
        "relayed_transfer": ["relayed_transfer"],
        "relayed_burn": ["relayed_burn"],
        "deploy": [],
        "administer": [],
        "top_up": [],
        "noop": [],
    }
    assert not any(
        kind.did(operation, b"\x02" * 32, changes)
        for kind in KINDS.values()
        for operation in operations.values()
    )


@pytest.mark.parametrize("kind", TOKEN_KINDS)
async def test_token_operation__when_its_transaction_moved_the_token__then_it_is_mined_undone_and_final(
    harness: Harness, kind: TokenOperationKind
) -> None:
    harness.chain.mine([harness.mint(1)])
    operation_id = token_operation(harness, kind)
    sent = sent_by(harness, operation_id, Move(CONTRACT, 1, ALICE, recipient(kind)))
    block = harness.chain.mine([sent]).block
    registry = CollectorRegistry()
    indexer = harness.start()
    indexer._metrics = Metrics(registry)

    with capture_logs() as logs:
        await catch_up(indexer)

    stands = harness.operation_stands(operation_id)
    assert (stands.status, stands.tx_hash, stands.block_hash) == (MintStatus.MINED, sent.hash, block.hash)
    assert harness.operation(operation_id).status is MintStatus.BUILT
    assert harness.store.token_table[TokenKey(CONTRACT, 1)].owner == recipient(kind)
    await reorganize(harness, indexer)
    assert harness.operation_stands(operation_id).status is MintStatus.SUBMITTED
    assert [decode(each.body) for each in await harness.queues.receive(BROADCAST, wait=0)] == [
        ReviewMint(mint_id=operation_id)
    ]
    harness.chain.mine([sent])
    await catch_up(indexer)
    await finish(harness, indexer)
    assert harness.operation_stands(operation_id).status is MintStatus.FINALIZED
    assert harness.carrying(operation_id).state is TransactionState.FINAL
    assert refused(logs) == []
    mined = registry.get_sample_value("mintline_mints_total", {"status": "mined"})
    finalized = registry.get_sample_value("mintline_mints_total", {"status": "finalized"})
    assert (mined, finalized) == (0, 0), "it is no mint"


REASONS = {
    "ERC721NonexistentToken": "not_owner",
    "ERC721InsufficientApproval": "not_owner",
    "ERC721IncorrectOwner": "not_owner",
    "ERC721InvalidReceiver": "recipient_refused",
    "InvalidAccountNonce": "signature_used",
    "SignatureExpired": "signature_expired",
    "EnforcedPause": "reverted",
    "": "reverted",
}


@pytest.mark.parametrize("revert", REASONS)
@pytest.mark.parametrize("kind", TOKEN_KINDS)
async def test_token_operation__when_its_transaction_fails__then_it_is_reverted_and_says_why(
    harness: Harness, kind: TokenOperationKind, revert: str
) -> None:
    harness.chain.mine([harness.mint(1)])
    operation_id = token_operation(harness, kind)
    harness.chain.mine([sent_by(harness, operation_id, succeeded=False, revert=revert)])
    indexer = harness.start()

    with capture_logs() as logs:
        await catch_up(indexer)
        await finish(harness, indexer)

    stands = harness.operation_stands(operation_id)
    assert stands.problem is not None
    assert (stands.status, stands.problem.code) == (MintStatus.REVERTED, REASONS[revert])
    assert (harness.carrying(operation_id).state, harness.carrying(operation_id).outcome) == (
        TransactionState.FINAL,
        "failed",
    )
    assert refused(logs) == []


STRANGE = {
    "another token": Move(CONTRACT, 2, ALICE, BOB),
    "another recipient": Move(CONTRACT, 1, ALICE, "0x" + "4" * 40),
    "another sender": Move(CONTRACT, 1, BOB, BOB),
    "burned": Move(CONTRACT, 1, ALICE, None),
}


@pytest.mark.parametrize("what", STRANGE)
async def test_transfer__when_its_transaction_did_something_else__then_it_is_not_done_and_told(
    harness: Harness, what: str
) -> None:
    harness.chain.mine([harness.mint(1)])
    harness.chain.mine([harness.mint(2)])
    operation_id = token_operation(harness, "transfer")
    harness.chain.mine([sent_by(harness, operation_id, STRANGE[what])])

    with capture_logs() as logs:
        await catch_up(harness.start())

    stands = harness.operation_stands(operation_id)
    assert (stands.status, stands.problem) == (MintStatus.REVERTED, NOT_DONE)
    assert refused(logs) == [operation_id]


async def test_transfer__when_another_transaction_moves_the_token_likewise__then_it_goes_on(
    harness: Harness,
) -> None:
    harness.chain.mine([harness.mint(1)])
    operation_id = token_operation(harness, "transfer")
    harness.chain.mine([Sent(b"\x0e" * 32, CONTRACT, (Move(CONTRACT, 1, ALICE, BOB),))])
    before = harness.operation_stands(operation_id)

    await catch_up(harness.start())

    assert harness.operation_stands(operation_id) == before


@pytest.mark.parametrize("kind", TOKEN_KINDS)
async def test_token_operation__when_it_is_found_by_a_range_of_old_blocks__then_it_is_settled(
    harness: Harness, kind: TokenOperationKind
) -> None:
    """An index that is rebuilt reads old blocks by their events, without their transactions."""
    harness.chain.mine([harness.mint(1)])
    operation_id = token_operation(harness, kind)
    harness.chain.mine([sent_by(harness, operation_id, Move(CONTRACT, 1, ALICE, recipient(kind)))])
    for _ in range(40):
        harness.chain.mine()

    await catch_up(harness.start())

    assert harness.operation_stands(operation_id).status is MintStatus.FINALIZED
    assert harness.carrying(operation_id).state is TransactionState.FINAL


@pytest.mark.parametrize("kind", ["top_up", "noop"])
async def test_transaction__when_it_carries_no_operation__then_there_is_nothing_to_tell(
    harness: Harness, kind: Literal["top_up", "noop"]
) -> None:
    place = harness.carry(kind=kind)
    sent = Sent(b"\x01" * 32, CONTRACT, (Move(CONTRACT, 1, None, ALICE, DIGEST),))
    harness.attempts[sent.hash] = Attempted(place)
    attempt = Attempt(tx_hash=sent.hash, max_fee_per_gas=2, max_priority_fee_per_gas=1, at=0)
    recorded = harness.store.transaction_table[place]
    harness.store.transaction_table[place] = recorded.evolve(attempts=(attempt,))
    before = dict(harness.store.transaction_table)
    harness.chain.mine([sent])

    with capture_logs() as logs:
        await catch_up(harness.start())

    assert refused(logs) == []
    assert harness.store.transaction_table == before


async def test_batch__when_it_fails__then_it_is_failed_and_left_open_and_its_mints_are_submitted(
    harness: Harness,
) -> None:
    ids, sent = batch(harness, 3)
    before = dict(harness.store.mint_table)
    harness.chain.mine([failing(sent)])
    registry = CollectorRegistry()
    indexer = harness.start()
    indexer._metrics = Metrics(registry)

    with capture_logs() as logs:
        await catch_up(indexer)
        await reorganize(harness, indexer)
        assert (harness.carrying("m1").state, harness.carrying("m1").outcome) == (
            TransactionState.SUBMITTED,
            None,
        )
        harness.chain.mine([failing(sent)])
        await catch_up(indexer)
        await finish(harness, indexer)

    carrying = harness.carrying("m1")
    assert (carrying.state, carrying.outcome, carrying.to_be_split) == (
        TransactionState.MINED,
        "failed",
        True,
    )
    assert carrying.problem is not None
    assert [harness.stands(mint_id).status for mint_id in ids] == [MintStatus.SUBMITTED] * 3
    assert harness.store.mint_table == before
    assert registry.get_sample_value("mintline_mints_total", {"status": "reverted"}) == 0
    assert not {entry["event"] for entry in logs} & {"mint_outcome_refused", "transaction_not_final"}


async def test_batch__when_it_failed_and_its_operations_go_again__then_the_next_one_has_their_outcome(
    harness: Harness,
) -> None:
    ids, sent = batch(harness, 2)
    harness.chain.mine([failing(sent)])
    indexer = harness.start()
    await catch_up(indexer)
    await finish(harness, indexer)
    failed = harness.carrying("m1")
    harness.store.transaction_table[failed.key] = failed.evolve(state=TransactionState.FINAL)
    again = failed.evolve(
        nonce=failed.nonce + 1,
        operations=("m1",),
        attempts=(),
        outcome=None,
        state=TransactionState.SUBMITTED,
    )
    harness.store.transaction_table[again.key] = again
    harness.store.mint_table["m1"] = harness.store.mint_table["m1"].evolve(nonce=again.nonce)
    harness.store.mint_table["m2"] = harness.store.mint_table["m2"].evolve(status=MintStatus.REJECTED)
    second = Sent(b"\x04" * 32, CONTRACT, (Move(CONTRACT, 1, None, ALICE, DIGEST),))
    harness.sign(second.hash, "m1")
    harness.chain.mine([second])
    await catch_up(indexer)
    await finish(harness, indexer)
    assert [harness.stands(mint_id).status for mint_id in ids] == [MintStatus.FINALIZED, MintStatus.REJECTED]
    tables = (dict(harness.store.mint_table), dict(harness.store.transaction_table))
    harness.store.progress = None
    harness.store.token_table.clear()
    harness.store.transfer_table.clear()
    harness.store.block_rows.clear()

    with capture_logs() as logs:
        indexer = harness.start()
        await catch_up(indexer)
        await finish(harness, indexer)

    assert (harness.store.mint_table, harness.store.transaction_table) == tables
    assert refused(logs) == []


class Counted(MemoryStore):
    """Counts what is asked for, and what is written."""

    requested: ClassVar[Counter[str]] = Counter()
    writes: ClassVar[list[Write]] = []
    undone: ClassVar[list[TakeBack]] = []

    async def write(self, write: Write, *, fence: int, at: int) -> Refused:
        self.writes.append(write)
        return await super().write(write, fence=fence, at=at)

    async def take_back(self, undo: TakeBack, *, fence: int, at: int) -> Refused:
        self.undone.append(undo)
        return await super().take_back(undo, fence=fence, at=at)

    async def attempts(self, tx_hashes: Sequence[bytes]) -> dict[bytes, Attempted]:
        self.requested["attempts"] += len(tx_hashes)
        return await super().attempts(tx_hashes)

    async def transactions(self, places: Any) -> Any:
        self.requested["transactions"] += len(places)
        return await super().transactions(places)

    async def operations(self, operation_ids: Sequence[str], known: Any = None) -> dict[str, Operation]:
        self.requested["operations"] += len(operation_ids)
        return await super().operations(operation_ids, known or {})

    async def tokens(self, keys: Sequence[TokenKey]) -> Any:
        self.requested["tokens"] += len(keys)
        return await super().tokens(keys)


async def test_batch__when_it_made_five_hundred_tokens__then_one_record_is_written_for_all_of_them(
    harness: Harness,
) -> None:
    count = 500
    ids, sent = batch(harness, count)
    before = dict(harness.store.mint_table)
    harness.store = harness.like(Counted)
    indexer = harness.start()
    await catch_up(indexer)
    Counted.requested.clear()
    Counted.writes.clear()
    harness.chain.mine([sent])

    await catch_up(indexer)

    assert {token.mint_id for token in harness.store.token_table.values()} == set(ids)
    # Each record is read once, and none of the tokens, which are new.
    assert Counted.requested == {"attempts": 1, "transactions": 1, "operations": count, "tokens": 0}
    assert sum(len(write) for write in Counted.writes) == 2 * count + 1
    assert max(len(write) for write in Counted.writes) <= 100
    assert [len(write.results) for write in Counted.writes] == [0] * 10 + [1]
    assert not any(write.outcomes for write in Counted.writes)
    undo_records = [
        undo_record for undo_record in harness.store.block_rows.values() if undo_record.number == 1
    ]
    assert max(len(undo_record.model_dump_json()) for undo_record in undo_records) < 40_000
    await reorganize(harness, indexer)
    assert [harness.stands(mint_id).status for mint_id in ids] == [MintStatus.SUBMITTED] * count
    assert harness.store.token_table == {}
    assert [len(undo.transactions) for undo in Counted.undone] == [1] + [0] * 10
    # The transaction is looked at once, not each of its operations.
    assert [decode(each.body) for each in await harness.queues.receive(BROADCAST, wait=0)] == [
        ReviewMint(mint_id="m1")
    ]
    harness.chain.mine([sent])
    await catch_up(indexer)
    Counted.writes.clear()
    await finish(harness, indexer)
    assert [harness.stands(mint_id).status for mint_id in ids] == [MintStatus.FINALIZED] * count
    assert harness.store.mint_table == before
