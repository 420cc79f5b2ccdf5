"""Collections of a factory: what their operations did, and how their records follow from that."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import pytest
from structlog.testing import capture_logs

from mintline.clone_calls import address_of
from mintline.clones import CloneArgs
from mintline.errors import Conflict
from mintline.eth import to_checksum_address
from mintline.messages.parts import Clone, CollectionChange
from mintline.records.collection_state import settled
from mintline.records.collections import CloneState, PendingChange, RegisteredContract
from mintline.records.operations import CollectionCall, CollectionDeployment, CollectionOperation, Operation
from mintline.records.problems import ALREADY_CREATED, Problem
from mintline.states import MintStatus, TransactionState
from mintline_indexer.clones import followed, settle
from mintline_indexer.indexer import Indexer
from mintline_testkit.chain import Sent
from mintline_testkit.constants import CONTRACT
from mintline_testkit.indexer.harness import ALICE, FINALITY, Harness
from mintline_testkit.indexer.polling import catch_up

FACTORY = to_checksum_address(b"\xf1" * 20)
CLONE = Clone(
    factory=FACTORY,
    implementation="0x" + "c1" * 20,
    principal="client",
    operation_id="deploy_1",
    args=CloneArgs(name="Name", symbol="SYM", owner=ALICE),
)
ADDRESS = address_of(CLONE)
PAUSE = CollectionChange(action="pause")
ROYALTY = CollectionChange(action="set_royalty", receiver=ALICE, bps=250)
Kind = Literal["deploy", "administer"]


def operation(kind: Kind, **changes: Any) -> CollectionOperation:
    fields: dict[str, Any] = {
        "mint_id": f"{kind}_1",
        "status": MintStatus.BUILT,
        "chain_id": 1,
        "contract": ADDRESS,
        "principal": "client",
        "clone": CLONE,
        "request_digest": "",
        "created_at": 0,
        "updated_at": 0,
        **changes,
    }
    if kind == "deploy":
        return CollectionDeployment(**fields)
    return CollectionCall(**{"change": PAUSE, **fields})


def collection(**changes: Any) -> RegisteredContract:
    fields = {
        "collection_id": f"1#{ADDRESS}",
        "chain_id": 1,
        "contract": ADDRESS,
        "name": "Name",
        "symbol": "SYM",
        "deployed_block": 5,
        "clone": CLONE,
        "status": "deploying",
    }
    return RegisteredContract(**{**fields, **changes})


def sent_for(harness: Harness, kind: Kind, *, succeeded: bool = True, revert: str = "") -> Sent:
    """Record an operation and the transaction that carries it; return the latter, as it is mined."""
    harness.store.keep(operation(kind))
    harness.carry(f"{kind}_1", kind=kind)
    to = FACTORY if kind == "deploy" else ADDRESS
    sent = Sent(b"\x07" * 32, to, (), succeeded=succeeded, revert=revert)
    harness.sign(sent.hash, f"{kind}_1")
    return sent


def following(harness: Harness) -> Indexer:
    harness.collections.deployed |= {FACTORY: 1, ADDRESS: 1}
    return harness.start()


@pytest.mark.parametrize("kind", ["deploy", "administer"])
async def test_operation__when_its_transaction_is_mined__then_it_is_mined_undone_and_final(
    harness: Harness, kind: Kind
) -> None:
    sent = sent_for(harness, kind)
    block = harness.chain.mine([sent]).block
    indexer = following(harness)

    with capture_logs() as logs:
        await catch_up(indexer)
        stands = harness.operation_stands(f"{kind}_1")
        assert (stands.status, stands.block_number) == (MintStatus.MINED, block.number)
        harness.chain.drop(1)
        for _ in range(2):
            harness.chain.mine()
        await catch_up(indexer)
        assert harness.operation_stands(f"{kind}_1").status is MintStatus.SUBMITTED
        harness.chain.mine([sent])
        for _ in range(FINALITY + 1):
            harness.chain.mine()
        await catch_up(indexer)

    assert harness.operation_stands(f"{kind}_1").status is MintStatus.FINALIZED
    assert harness.carrying(f"{kind}_1").state is TransactionState.FINAL
    assert not {"mint_without_events", "mint_outcome_refused"} & {entry["event"] for entry in logs}


@pytest.mark.parametrize(
    ("kind", "revert", "code"),
    [
        ("deploy", "AlreadyCreated", "already_created"),
        ("deploy", "InvalidArgs", "reverted"),
        ("administer", "EnforcedPause", "reverted"),
    ],
)
async def test_operation__when_its_transaction_fails__then_it_is_reverted_and_says_why(
    harness: Harness, kind: Kind, revert: str, code: str
) -> None:
    harness.chain.mine([sent_for(harness, kind, succeeded=False, revert=revert)])

    await catch_up(following(harness))

    stands = harness.operation_stands(f"{kind}_1")
    assert stands.problem is not None
    assert (stands.status, stands.problem.code) == (MintStatus.REVERTED, code)


FAILED = Problem(code="reverted", reason="It did.")
DEPLOYMENTS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "accepted": ({"status": MintStatus.ACCEPTED}, {}),
    "submitted": ({"status": MintStatus.SUBMITTED}, {}),
    "mined": ({"status": MintStatus.MINED, "block_number": 9}, {"status": "ready", "deployed_block": 9}),
    "final": (
        {"status": MintStatus.FINALIZED, "block_number": 9},
        {"status": "ready", "deployed_block": 9, "deployment_final": True},
    ),
    "refused": ({"status": MintStatus.REJECTED}, {"status": "failed", "deployment_final": True}),
    "failed on chain": (
        {"status": MintStatus.REVERTED, "block_number": 9, "problem": FAILED},
        {"status": "failed"},
    ),
    "failed in a final block": (
        {"status": MintStatus.REVERTED, "block_number": 7, "problem": FAILED},
        {"status": "failed", "deployment_final": True},
    ),
    "made before": (
        {"status": MintStatus.REVERTED, "block_number": 9, "problem": ALREADY_CREATED},
        {"status": "ready"},
    ),
    "made before, by the simulation": (
        {"status": MintStatus.REJECTED, "problem": ALREADY_CREATED},
        {"status": "ready", "deployment_final": True},
    ),
}


@pytest.mark.parametrize("state", DEPLOYMENTS)
def test_settled__when_its_deployment_is_so_far__then_the_collection_is(state: str) -> None:
    stands, expected = DEPLOYMENTS[state]
    for before in (collection(), collection(status="ready")):
        moved = settled(before, operation("deploy", **stands), None, finalized=7)
        assert moved == collection(**expected)


def test_settled__when_the_deployment_is_final__then_nothing_moves_it_again() -> None:
    ready = collection(status="ready", deployment_final=True)
    later = operation("deploy", status=MintStatus.SUBMITTED)
    assert settled(ready, later, None, finalized=7) == ready


def test_settled__when_a_pause_went_ahead__then_each_of_the_two_changes_stands_by_itself() -> None:
    before = collection(
        status="ready",
        deployment_final=True,
        pending=PendingChange(operation_id="administer_1", change=ROYALTY),
        pausing=PendingChange(operation_id="administer_2", change=PAUSE),
    )
    royalty = operation("administer", status=MintStatus.SUBMITTED)
    pause = operation("administer", mint_id="administer_2", status=MintStatus.FINALIZED, block_number=7)

    paused = settled(before, None, royalty, pause, finalized=7)
    assert (paused.state, paused.pending, paused.pausing) == (CloneState().after(PAUSE), before.pending, None)
    mined = operation("administer", status=MintStatus.FINALIZED, block_number=7)
    both = settled(paused, None, mined, finalized=7)
    assert (both.state, both.changes) == (CloneState().after(PAUSE).after(ROYALTY), ())
    first = settled(before, None, mined, None, finalized=7)
    assert (first.state, first.pending, first.pausing) == (CloneState().after(ROYALTY), None, before.pausing)


@pytest.mark.parametrize("change", [PAUSE, ROYALTY], ids=lambda change: change.action)
def test_settled__when_a_change_is_mined__then_it_stands_and_is_kept_once_it_is_final(
    change: CollectionChange,
) -> None:
    pending = PendingChange(operation_id="administer_1", change=change)
    before = collection(status="ready", deployment_final=True, pending=pending)
    after = CloneState().after(change)

    def stands(status: MintStatus, **fields: Any) -> RegisteredContract:
        return settled(before, None, operation("administer", status=status, **fields), finalized=7)

    mined = stands(MintStatus.MINED, block_number=9)
    assert (mined.state, mined.standing) == (CloneState(), after)
    undone = settled(mined, None, operation("administer", status=MintStatus.SUBMITTED), finalized=7)
    assert undone == before
    assert undone.standing == CloneState()
    final = stands(MintStatus.FINALIZED, block_number=9)
    assert (final.state, final.standing, final.pending) == (after, after, None)
    refused = stands(MintStatus.REJECTED)
    assert (refused.state, refused.pending) == (CloneState(), None)
    assert stands(MintStatus.REVERTED, block_number=9).pending == pending
    assert stands(MintStatus.REVERTED, block_number=7).pending is None
    another = operation("administer", mint_id="administer_2", status=MintStatus.FINALIZED)
    assert settled(before, None, another, finalized=7) == before


@dataclass
class Records:
    """Records whose writes may fail."""

    kept: Mapping[str, Operation]
    busy: bool = False
    moved: list[RegisteredContract] = field(default_factory=list)

    async def operations(self, ids: Iterable[str]) -> Mapping[str, Operation]:
        return {mint_id: self.kept[mint_id] for mint_id in ids if mint_id in self.kept}

    async def move(self, before: RegisteredContract, after: RegisteredContract) -> None:
        assert before != after
        if self.busy:
            raise Conflict("another writer")
        self.moved.append(after)


async def test_settle__when_an_operation_moved__then_its_record_is_written_once() -> None:
    listed = RegisteredContract(**collection().model_dump() | {"contract": CONTRACT, "clone": None})
    records = Records({"deploy_1": operation("deploy", status=MintStatus.FINALIZED, block_number=9)})

    known = await settle([listed, collection()], records, finalized=9)

    assert known == [listed, records.moved[0]]
    assert await settle(known, records, finalized=9) == known
    assert len(records.moved) == 1


async def test_settle__when_another_wrote_it_meanwhile_or_it_cannot_be_read__then_it_stays() -> None:
    mined = {"deploy_1": operation("deploy", status=MintStatus.MINED, block_number=9)}
    for records in (Records(mined, busy=True), Records({})):
        assert await settle([collection()], records, finalized=9) == [collection()]


def test_followed__when_some_are_clones__then_their_factory_is_followed_from_the_first_on() -> None:
    deploying = collection(deployed_block=3)
    ready = collection(status="ready", deployed_block=4)
    failed = collection(status="failed", deployed_block=8)
    listed = collection(clone=None, contract=CONTRACT, status="ready", deployed_block=1)
    assert followed([ready, deploying, failed, listed]) == {FACTORY: 3, ADDRESS: 4, CONTRACT: 1}
    assert followed([deploying]) == {FACTORY: 3}
