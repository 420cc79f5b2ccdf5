"""Batches, transfers and burns on a real contract and real tables: settled, compared and built again."""

from __future__ import annotations

import random
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from prometheus_client import CollectorRegistry

from mintline.aws.dynamo import Delete
from mintline.clock import Monotonic, UnixMs
from mintline.resources import TRANSFERS
from mintline.states import MintStatus, TransactionState
from mintline_indexer.dynamo_collections import DynamoCollectionRegistry
from mintline_indexer.indexer import Indexer
from mintline_indexer.metrics import Metrics
from mintline_indexer.node_chain import NodeChain
from mintline_indexer.reconciler import passes
from mintline_indexer.reconciler.findings import Kind
from mintline_ops.deployments import Records
from mintline_ops.index.rebuild import Rebuild
from mintline_testkit.chain import FakeChain, Move, Sent
from mintline_testkit.constants import CHAIN_ID
from mintline_testkit.indexer.polling import catch_up
from mintline_testkit.indexer.store import MemoryCollectionRegistry
from tests.integration.indexer.test_reconciler import reconciler

if TYPE_CHECKING:
    from tests.integration.indexer.conftest import Harness

pytestmark = pytest.mark.integration


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passes, "PAUSE", 0.0)


async def lived(harness: Harness) -> Indexer:
    """Mint a batch, fail another, transfer, burn, and fail to do either; all of it is mined, and followed."""
    await harness.register()
    indexer = harness.indexer()
    owner, other = harness.accounts[1], harness.accounts[2]
    await harness.carried(await harness.mint([1, 2, 3], owner), "batch", *harness.sponsored([1, 2, 3], owner))
    await harness.mine()
    await catch_up(indexer)
    await harness.carried(await harness.mint([9, 1], owner), "batch", *harness.sponsored([9], owner))
    transfer = harness.token_operation("transfer", 1, owner, to=other)
    await harness.carried(await harness.transfer(1, owner, other), "transfer", transfer)
    await harness.carried(await harness.burn(2, owner), "burn", harness.token_operation("burn", 2, owner))
    await harness.mine()
    refused = harness.token_operation("transfer", 2, owner, to=other)
    await harness.carried(await harness.transfer(2, owner, other), "transfer", refused)
    stolen = harness.token_operation("burn", 3, other)
    await harness.carried(await harness.burn(3, other), "burn", stolen)
    await harness.mine()
    await catch_up(indexer)
    return indexer


EXPECTED = {
    "mint_1": MintStatus.MINED,
    "mint_2": MintStatus.MINED,
    "mint_3": MintStatus.MINED,
    "mint_9": MintStatus.SUBMITTED,
    "transfer_1": MintStatus.MINED,
    "burn_2": MintStatus.MINED,
    "transfer_2": MintStatus.REVERTED,
    "burn_3": MintStatus.REVERTED,
}


async def test_kinds__when_mined_and_final__then_each_stands_by_its_transaction_and_all_agree(
    harness: Harness,
) -> None:
    indexer = await lived(harness)
    operations = await harness.store.operations([*EXPECTED])
    final = {MintStatus.MINED: MintStatus.FINALIZED}
    assert {
        name: final.get(operation.status, operation.status) for name, operation in operations.items()
    } == {name: final.get(status, status) for name, status in EXPECTED.items()}
    problems = [operations[name].problem for name in ("transfer_2", "burn_3")]
    assert [problem and problem.code for problem in problems] == ["not_owner"] * 2

    await harness.mine(70)
    await catch_up(indexer)

    operations = await harness.store.operations([*EXPECTED])
    assert {name: operation.status for name, operation in operations.items()} == {
        name: final.get(status, status) for name, status in EXPECTED.items()
    }
    states = {
        (transaction["kind"]["S"], transaction["outcome"]["S"], transaction["state"]["S"])
        for transaction in await harness.every("transactions")
    }
    mined, ended = TransactionState.MINED.value, TransactionState.FINAL.value
    assert ("batch", "failed", mined) in states
    assert {state for kind, outcome, state in states if (kind, outcome) != ("batch", "failed")} == {ended}
    done = await reconciler(harness).newest()
    assert (done.alarming, done.counts) == (0, {Kind.IN_FLIGHT: 1})


@pytest.mark.parametrize("operation_id", ["transfer_1", "burn_2"])
async def test_reconciler__when_the_index_lost_a_transfer__then_its_operation_is_named(
    harness: Harness, operation_id: str
) -> None:
    indexer = await lived(harness)
    await harness.mine(70)
    await catch_up(indexer)
    operation = (await harness.store.operations([operation_id]))[operation_id]
    ref = f"{CHAIN_ID}#{harness.contract}#{operation.token_id}"
    page = await harness.dynamo.query(TRANSFERS, partition=ref, limit=9)
    lost = page.items[-1]
    await harness.dynamo.write(Delete(TRANSFERS, {"token_ref": ref, "position": lost["position"]}))

    done = await reconciler(harness).newest()

    [finding] = [finding for finding in done.findings if finding.kind.is_alarming]
    assert (finding.kind, finding.mint_id) == (Kind.TRANSFER_MISSING, operation_id)
    assert "not in the index" in finding.detail


@pytest.mark.parametrize("final", [False, True])
async def test_rebuild__when_batches_transfers_and_burns_were_mined__then_it_is_the_same(
    harness: Harness, *, final: bool
) -> None:
    indexer = await lived(harness)
    if final:
        await harness.mine(70)
        await catch_up(indexer)
    rebuild = Rebuild(
        records=Records(harness.client, harness.dynamo, harness.prefix),
        chain=NodeChain(harness.node, harness.rpc),
        collections=DynamoCollectionRegistry(harness.client, prefix=harness.prefix, chain_id=CHAIN_ID),
        chain_id=CHAIN_ID,
        whole=1_000,
    )
    assert await rebuild.differences() == []
    outcomes = {item["mint_id"]: item["outcome"] for key, item in rebuild.store.items() if key[0] == "mints"}
    failed = MintStatus.REVERTED
    assert outcomes == {
        name: "reverted" if status is failed else "mined"
        for name, status in EXPECTED.items()
        if name != "mint_9"
    }


async def test_batch__when_it_made_five_hundred_tokens__then_requests_are_an_eighth_a_token(
    harness: Harness,
) -> None:
    count = 500
    owner = harness.accounts[1]
    mints = harness.sponsored(range(1, count + 1), owner)
    moves = tuple(
        Move(harness.contract, token_id, None, owner, mint.metadata_digest)
        for token_id, mint in enumerate(mints, start=1)
    )
    sent = Sent(b"\x01" * 32, harness.contract, moves)
    place = await harness.carried("0x" + sent.hash.hex(), "batch", *mints)
    chain = FakeChain(finality=3)
    indexer = Indexer(
        chain=chain,
        store=harness.store,
        collections=MemoryCollectionRegistry({harness.contract: 1}),
        chain_id=CHAIN_ID,
        writer="writer",
        takeover_after=10.0,
        widest=10,
        whole=10,
        metrics=Metrics(CollectorRegistry()),
        clock=lambda: Monotonic(0.0),
        now=lambda: UnixMs(1),
        rng=random.Random(1),
    )
    await catch_up(indexer)
    chain.mine([sent])
    before = Counter(harness.calls.counts())
    await catch_up(indexer)
    for _ in range(4):
        chain.mine()
    await catch_up(indexer)
    requests = Counter(harness.calls.counts()) - before

    transaction = (await harness.store.transactions([place]))[place]
    assert (transaction.state, transaction.outcome) == (TransactionState.FINAL, "succeeded")
    assert await harness.status_of("mint_500") is MintStatus.FINALIZED
    # 40 writes of 25 items, as a token and its transfer are two, 5 reads of a hundred records each, and
    # what a block costs whatever it holds.
    assert requests.total() <= count / 8, requests
