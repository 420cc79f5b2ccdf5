"""Each way in which records and chain can differ, and each that only looks like it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from mintline.clock import UnixSeconds
from mintline.messages.parts import KeyRef
from mintline.records.index import Token, Transfer
from mintline.records.operations import (
    Attempt,
    Mint,
    RelayedTransfer,
    TokenBurn,
    TokenOperation,
    TokenTransfer,
)
from mintline.records.problems import TOKEN_ON_CHAIN, TOKEN_TAKEN, Problem
from mintline.states import MintStatus
from mintline_indexer.chain_port import Event, MintedEvent, TransferEvent
from mintline_indexer.reconciler.books import Books
from mintline_indexer.reconciler.comparison import reconcile
from mintline_indexer.reconciler.findings import HARMLESS, MEANING, Finding, Kind, unreadable
from mintline_indexer.reconciler.item_balances import HeldItems
from mintline_indexer.store_port import BalanceKey
from mintline_testkit.constants import CONTRACT

ALICE, BOB = "0x" + "2" * 40, "0x" + "3" * 40
DIGEST = bytes(range(32))
TX, BLOCK = b"\1" * 32, b"\2" * 32
NOW = 10_000.0
HELD = BalanceKey(CONTRACT, 7, ALICE)


def moved(
    block: int = 5, sender: str | None = None, recipient: str | None = ALICE, **more: Any
) -> TransferEvent:
    fields = {"block_hash": BLOCK, "tx_hash": TX, "log_index": 0, "contract": CONTRACT, "token_id": 1, **more}
    return TransferEvent(block_number=block, sender=sender, recipient=recipient, **fields)


def stamped(digest: bytes = DIGEST, token_id: int = 1) -> MintedEvent:
    return MintedEvent(5, BLOCK, TX, 1, CONTRACT, token_id, digest)


def mint(**more: Any) -> Mint:
    fields = {
        "mint_id": "mint_a",
        "sub": "user",
        "status": MintStatus.FINALIZED,
        "chain_id": 1,
        "contract": CONTRACT,
        "to": ALICE,
        "sender": KeyRef(address=ALICE, subject="user", chain_id=1, secret_id="secret"),
        "metadata_digest": DIGEST,
        "request_digest": "",
        "created_at": 0,
        "updated_at": int((NOW - 60) * 1000),
        "token_id": 1,
        "tx_hash": TX,
        "block_number": 5,
        "block_hash": BLOCK,
        "attempts": (Attempt(tx_hash=TX, max_fee_per_gas=1, max_priority_fee_per_gas=1, at=0),),
    }
    return Mint.model_validate({**fields, **more})


def token(**more: Any) -> Token:
    fields = {
        "chain_id": 1,
        "contract": CONTRACT,
        "token_id": 1,
        "owner": ALICE,
        "metadata_digest": DIGEST,
        "mint_id": "mint_a",
        "minted_block": 5,
        "block_number": 5,
        "tx_hash": TX,
    }
    return Token.model_validate({**fields, **more})


MINTED: tuple[Event, ...] = (moved(), stamped())
BOOKS = Books(
    first=1,
    last=9,
    head=9,
    mints=[mint()],
    tokens=[token()],
    events=MINTED,
    now=UnixSeconds(NOW),
    patience=900.0,
)
GONE: dict[str, Any] = {"token_id": None, "tx_hash": None, "block_number": None, "block_hash": None}


def found(**changes: Any) -> list[Finding]:
    return list(reconcile(replace(BOOKS, **changes)).findings)


def test_reconcile__when_a_token_is_above_the_range_and_indexed__then_nothing_is_said_of_it() -> None:
    assert found(last=4, tokens=[]) == []
    assert [finding.kind for finding in found(last=4, head=4, tokens=[])] == [Kind.NOT_INDEXED_YET]


def test_reconcile__when_all_three_agree__then_nothing_is_found() -> None:
    agreed = reconcile(BOOKS)
    assert agreed.findings == ()
    assert agreed.counts == {"accepted": 1, "minted": 1, "indexed": 1, "burned": 0, "mints_finalized": 1}


CASES: list[tuple[Kind, dict[str, Any]]] = [
    (
        Kind.IN_FLIGHT,
        {"mints": [mint(status=MintStatus.ACCEPTED, **GONE, attempts=())], "tokens": [], "events": ()},
    ),
    (
        Kind.WAITING,
        {
            "mints": [
                mint(
                    status=MintStatus.ACCEPTED,
                    **GONE,
                    attempts=(),
                    updated_at=0,
                    waiting=Problem(code="paused", reason="The collection is paused."),
                )
            ],
            "tokens": [],
            "events": (),
        },
    ),
    (
        Kind.UNDECIDED,
        {
            "mints": [
                mint(
                    status=MintStatus.ACCEPTED,
                    **GONE,
                    attempts=(),
                    updated_at=0,
                    waiting=TOKEN_ON_CHAIN,
                )
            ],
            "tokens": [],
            "events": (),
        },
    ),
    (
        Kind.WAITING,
        {
            "mints": [mint(status=MintStatus.ACCEPTED, **GONE, attempts=(), waiting=TOKEN_ON_CHAIN)],
            "tokens": [],
            "events": (),
        },
    ),
    (Kind.UNREADABLE, {"unreadable": [unreadable("mints", "mint_b", "status: enum", mint_id="mint_b")]}),
    (
        Kind.STUCK,
        {"mints": [mint(status="submitted", **GONE, updated_at=0)], "tokens": [], "events": ()},
    ),
    (
        Kind.AWAITS_WALLET,
        {
            "mints": [mint(status="issued", updated_at=0, deadline=int(NOW) + 1, attempts=())],
            "tokens": [],
            "events": (),
        },
    ),
    (
        Kind.STUCK,
        {
            "mints": [mint(status="issued", updated_at=0, deadline=int(NOW) - 1, attempts=())],
            "tokens": [],
            "events": (),
        },
    ),
    (Kind.NOT_INDEXED_YET, {"last": 4, "head": 4, "mints": [mint(status="submitted")], "tokens": []}),
    (Kind.FOREIGN, {"mints": [], "tokens": [token(mint_id=None)]}),
    (Kind.LOST, {"tokens": [], "events": ()}),
    (Kind.MISJUDGED, {"mints": [mint(status="rejected", problem=Problem(code="no", reason="No."))]}),
    (Kind.MISJUDGED, {"mints": [mint(status="reverted")]}),
    (Kind.UNSETTLED, {"mints": [mint(status="submitted")]}),
    (Kind.NOT_INDEXED, {"tokens": []}),
    (Kind.PHANTOM, {"mints": [], "events": ()}),
    (Kind.WRONG_OWNER, {"events": (*MINTED, moved(7, ALICE, BOB))}),
    (Kind.WRONG_OWNER, {"tokens": [token(owner=None)]}),
    (Kind.WRONG_RECIPIENT, {"mints": [mint(to=BOB)]}),
    (Kind.WRONG_ITEM, {"mints": [mint(item_id=7, quantity=3)]}),
    (Kind.WRONG_METADATA, {"events": (moved(), stamped(bytes(32)))}),
    (Kind.WRONG_METADATA, {"events": (moved(),)}),
    (Kind.WRONG_TRANSACTION, {"mints": [mint(block_hash=b"\3" * 32)]}),
    (Kind.WRONG_MINT, {"tokens": [token(mint_id="mint_b")]}),
    (Kind.WRONG_BALANCE, {"held": HeldItems(9, {HELD: None}, {HELD: 1})}),
    (Kind.DOUBLED, {"mints": [mint(), mint(mint_id="mint_b", attempts=())]}),
    (Kind.REUSED_ID, {"mints": [mint(), mint(mint_id="mint_b", status="rejected", attempts=())]}),
    (Kind.REUSED_ID, {"mints": [mint(mint_id="mint_b", status="submitted", to=BOB, attempts=()), mint()]}),
]


MOVE = moved(7, ALICE, BOB, tx_hash=b"\7" * 32, log_index=4)
BURN = moved(7, ALICE, None, tx_hash=b"\7" * 32, log_index=4)


def token_operation(kind: str = "transfer", **more: Any) -> TokenOperation:
    attempt = Attempt(tx_hash=MOVE.tx_hash, max_fee_per_gas=1, max_priority_fee_per_gas=1, at=0)
    fields: dict[str, Any] = {
        "mint_id": f"{kind}_a",
        "status": MintStatus.FINALIZED,
        "chain_id": 1,
        "contract": CONTRACT,
        "token_id": 1,
        "sender": KeyRef(address=ALICE, subject="user", chain_id=1, secret_id="secret"),
        "request_digest": "",
        "created_at": 0,
        "updated_at": int((NOW - 60) * 1000),
        "tx_hash": MOVE.tx_hash,
        "block_number": 7,
        "block_hash": BLOCK,
        "attempts": (attempt,),
    }
    fields |= more
    if kind == "relayed_transfer":
        relayer = KeyRef(address=BOB, subject="platform:relayer-1", chain_id=1, secret_id="relayer")
        return RelayedTransfer(**fields | {"wallet": fields["sender"], "sender": relayer}, to=BOB)
    return TokenTransfer(**fields, to=BOB) if kind == "transfer" else TokenBurn(**fields)


def transfer(move: TransferEvent = MOVE) -> Transfer:
    return Transfer(
        chain_id=1,
        contract=move.contract,
        token_id=move.token_id,
        sender=move.sender,
        recipient=move.recipient,
        block_number=move.block_number,
        block_hash=move.block_hash,
        log_index=move.log_index,
        tx_hash=move.tx_hash,
        timestamp=1,
    )


OUTCOME: dict[str, Any] = {"tx_hash": None, "block_number": None, "block_hash": None}


def relayed(*, deadline: int) -> TokenOperation:
    """One that was sent long ago, and whose signature is good until then."""
    return token_operation("relayed_transfer", status="submitted", updated_at=0, deadline=deadline, **OUTCOME)


STRANGER = replace(MOVE, tx_hash=b"\x08" * 32)
TOKEN_OPERATIONS: list[tuple[Kind | None, TokenOperation, TransferEvent | None, Transfer | None]] = [
    (None, token_operation(), MOVE, transfer()),
    (None, token_operation("burn"), BURN, transfer(BURN)),
    (Kind.TRANSFER_MISSING, token_operation(), MOVE, None),
    (Kind.TRANSFER_MISSING, token_operation("burn"), BURN, None),
    (Kind.TRANSFER_MISSING, token_operation(), MOVE, transfer(STRANGER)),
    (Kind.TRANSFER_MISSING, token_operation(), STRANGER, transfer(STRANGER)),
    (Kind.TRANSFER_MISSING, token_operation(), None, None),
    (Kind.TRANSFER_MISSING, token_operation(), BURN, transfer(BURN)),
    (Kind.TRANSFER_MISSING, token_operation(block_hash=b"\x09" * 32), MOVE, transfer()),
    (None, token_operation(block_number=12), None, None),
    (Kind.UNSETTLED, token_operation(status="submitted", **OUTCOME), MOVE, transfer()),
    (Kind.MISJUDGED, token_operation(status="rejected", **OUTCOME), MOVE, transfer()),
    (None, token_operation(status="rejected", **OUTCOME), None, None),
    (Kind.IN_FLIGHT, token_operation(status="submitted", **OUTCOME), None, None),
    (Kind.IN_FLIGHT, token_operation(status="submitted", **OUTCOME), STRANGER, None),
    (None, token_operation(status="submitted", **OUTCOME), replace(MOVE, block_number=12), None),
    (Kind.STUCK, token_operation(status="submitted", updated_at=0, **OUTCOME), None, None),
    (None, token_operation("relayed_transfer"), MOVE, transfer()),
    (Kind.IN_FLIGHT, relayed(deadline=int(NOW) + 1), None, None),
    (Kind.STUCK, relayed(deadline=1), None, None),
]


@pytest.mark.parametrize(("kind", "operation", "move", "indexed"), TOKEN_OPERATIONS)
def test_reconcile__when_a_token_was_to_be_transferred_or_burned__then_chain_and_index_must_have_it(
    kind: Kind | None, operation: TokenOperation, move: TransferEvent | None, indexed: Transfer | None
) -> None:
    events = MINTED if move is None else (*MINTED, move)
    owner = ALICE if move is None or move.block_number > BOOKS.last else move.recipient
    findings = found(
        events=events,
        tokens=[token(owner=owner, block_number=5 if move is None else move.block_number)],
        token_operations=[operation],
        transfers=[] if indexed is None else [indexed],
    )
    assert [(finding.kind, finding.mint_id) for finding in findings] == (
        [] if kind is None else [(kind, operation.operation_id)]
    )


def test_reconcile__when_there_are_token_operations__then_they_are_counted_by_kind_and_status() -> None:
    operations = [token_operation(), token_operation("burn", status="submitted", **OUTCOME)]
    counts = reconcile(replace(BOOKS, token_operations=operations)).counts
    assert (counts["transfers_finalized"], counts["burns_submitted"]) == (1, 1)


@pytest.mark.parametrize(("kind", "changes"), CASES)
def test_reconcile__when_one_thing_is_off__then_exactly_that_is_found(
    kind: Kind, changes: dict[str, Any]
) -> None:
    findings = found(**changes)
    assert {finding.kind for finding in findings} == {kind}
    assert all(finding.is_difference is (kind not in HARMLESS) for finding in findings)


def late(mint_id: str = "mint_b", **more: Any) -> Mint:
    """Return a mint that got a token id a second time, and ended by it."""
    taken = {"status": "reverted", "problem": TOKEN_TAKEN, "tx_hash": b"\4" * 32, "attempts": ()}
    return mint(mint_id=mint_id, **{**taken, **more})


@pytest.mark.parametrize("recipient", [ALICE, BOB], ids=["same-request", "another"])
@pytest.mark.parametrize("first", [True, False])
def test_reconcile__when_a_token_id_was_given_out_twice__then_only_the_mint_without_token_is_told_of(
    recipient: str, *, first: bool
) -> None:
    mints = [late(to=recipient), mint()] if first else [mint(), late(to=recipient)]
    [finding] = found(mints=mints)
    assert (finding.kind, finding.mint_id, finding.token_id) == (Kind.REUSED_ID, "mint_b", 1)
    assert finding.detail == "reverted token_taken; mint_a made it"


def test_reconcile__when_the_mint_that_made_a_token_is_lost_too__then_the_index_tells_which_it_was() -> None:
    findings = found(mints=[late(to=BOB)])
    assert [(finding.kind, finding.mint_id) for finding in findings] == [
        (Kind.REUSED_ID, "mint_b"),
        (Kind.FOREIGN, None),
    ]
    assert "the index names mint_a, which is not on record" in findings[1].detail


def test_reconcile__when_a_stranger_made_the_token_of_a_mint__then_it_is_foreign_alone() -> None:
    [finding] = found(mints=[late(to=BOB)], tokens=[token(mint_id=None)])
    assert finding.kind is Kind.FOREIGN
    assert "its id is that of mint_b, which is reverted and did not make it" in finding.detail


def test_reconcile__when_a_record_says_mined_of_anothers_token__then_both_say_so() -> None:
    findings = found(mints=[mint(mint_id="mint_b", to=BOB), mint(status="rejected")])
    assert {(finding.kind, finding.mint_id) for finding in findings} == {
        (Kind.MISJUDGED, "mint_a"),
        (Kind.DOUBLED, "mint_b"),
    }


def test_reconcile__when_a_mint_has_two_tokens__then_the_second_is_doubled_and_not_foreign() -> None:
    events = (*MINTED, moved(6, token_id=2), stamped(token_id=2))
    findings = found(events=events, tokens=[token(), token(token_id=2, mint_id="mint_a", minted_block=6)])
    assert [(finding.kind, finding.token_id) for finding in findings] == [(Kind.DOUBLED, 2)]


def test_reconcile__when_one_transaction_made_the_tokens_of_several_mints__then_nothing_is_found() -> None:
    events = (*MINTED, moved(token_id=2), stamped(token_id=2))
    mints = [mint(), mint(mint_id="mint_b", token_id=2)]
    assert found(events=events, mints=mints, tokens=[token(), token(token_id=2, mint_id="mint_b")]) == []
    third = (*events, moved(token_id=3), stamped(token_id=3))
    doubled = found(events=third, mints=mints, tokens=[token(), token(token_id=2, mint_id="mint_b")])
    assert [(finding.kind, finding.token_id) for finding in doubled] == [
        (Kind.DOUBLED, 3),
        (Kind.NOT_INDEXED, 3),
    ]
    assert "token 1 and 2" in doubled[0].detail


@pytest.mark.parametrize(
    "changes",
    [
        {"events": (*MINTED, moved(12, ALICE, BOB))},
        {"events": (*MINTED, moved(12, ALICE, BOB)), "tokens": [token(owner=BOB, block_number=12)]},
        {"events": (*MINTED, moved(7, ALICE, None)), "tokens": [token(owner=None, block_number=7)]},
        {"events": (*MINTED, moved(7, ALICE, BOB)), "tokens": [token(owner=BOB, block_number=7)]},
        {"tokens": [token(mint_id=None)]},
        {"first": 6, "mints": [], "events": ()},
        {"first": 6, "events": ()},
        {"mints": [mint(), mint(mint_id="mint_b", status="rejected", **GONE, attempts=())]},
    ],
)
def test_reconcile__when_it_only_looks_different__then_nothing_is_found(changes: dict[str, Any]) -> None:
    assert found(**changes) == []


def test_kinds__when_listed__then_each_is_explained_and_tested() -> None:
    tested = {kind for kind, _ in CASES} | {kind for kind, *_ in TOKEN_OPERATIONS if kind is not None}
    assert set(MEANING) == set(Kind) == tested
