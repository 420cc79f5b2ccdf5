"""The reconciler on real tables and a real chain: what a range shows, and what is no finding."""

from __future__ import annotations

import json
import os
import sys
from asyncio import create_subprocess_exec
from asyncio.subprocess import PIPE
from typing import TYPE_CHECKING, Any

import pytest
from prometheus_client import CollectorRegistry

from mintline.aws.dynamo import Item, Put, Update
from mintline.aws.records import IN_BLOCK, to_item
from mintline.clock import monotonic, unix_seconds
from mintline.errors import Unavailable
from mintline.records.keys import block_shard
from mintline.records.transactions import carried_by
from mintline.resources import MINTS, TRANSACTIONS
from mintline.settings import ServiceSettings
from mintline_indexer.node_chain import NodeChain
from mintline_indexer.reconciler import passes
from mintline_indexer.reconciler.findings import Kind
from mintline_indexer.reconciler.metrics import Metrics
from mintline_indexer.reconciler.passes import Reconciler
from mintline_indexer.reconciler.reading import Reader
from mintline_testkit.constants import CHAIN_ID
from mintline_testkit.indexer.polling import catch_up

if TYPE_CHECKING:
    from tests.integration.indexer.conftest import Harness

pytestmark = pytest.mark.integration


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passes, "PAUSE", 0.0)


def reconciler(harness: Harness, *, chain: Any = None, blocks: int = 1_000) -> Reconciler:
    reader = Reader(
        dynamo=harness.dynamo,
        chain=chain or NodeChain(harness.node, harness.rpc),
        chain_id=CHAIN_ID,
        patience=10**12,
    )
    return Reconciler(
        reader,
        blocks=blocks,
        metrics=Metrics(CollectorRegistry()),
        now=unix_seconds,
        clock=monotonic,
    )


async def minted(harness: Harness, token_id: int, mint_id: str) -> None:
    """Mint a token, and have its mint on record as what it is."""
    await harness.submitted(await harness.mint([token_id], harness.accounts[1]), mint_id)
    mint = await harness.mint_record(mint_id)
    digest = token_id.to_bytes(32, "big")
    update: dict[str, Any] = {"token_id": str(token_id), "metadata_digest": "0x" + digest.hex()}
    await harness.dynamo.write(Update(MINTS, {"mint_id": mint.mint_id}, set=update))
    await harness.mine()


async def test_range__when_records_chain_and_index_agree_and_more_is_under_way__then_nothing_is_found(
    harness: Harness,
) -> None:
    await harness.register()
    indexer = harness.indexer()
    await minted(harness, 1, "mint_a")
    await harness.transfer(1, harness.accounts[1], harness.accounts[2])
    await harness.mine(70)
    await catch_up(indexer)
    await minted(harness, 2, "mint_b")  # mined, and not final
    await harness.submitted("0x" + "77" * 32, "mint_c")  # in the pool
    await harness.mine()

    done = await reconciler(harness).newest()

    assert (done.alarming, done.findings) == (0, done.findings)
    assert {finding.mint_id for finding in done.findings} == {"mint_b", "mint_c"}
    assert done.counts == {Kind.IN_FLIGHT: 2}
    assert (done.checked["minted"], done.checked["indexed"]) == (1, 1)


async def test_range__when_outcomes_are_not_what_was_asked_for__then_each_is_named_and_only_there(
    harness: Harness,
) -> None:
    await harness.register()
    indexer = harness.indexer()
    await minted(harness, 1, "mint_a")
    await minted(harness, 2, "mint_b")
    await harness.mint([3], harness.accounts[1])
    await harness.mine(70)
    await catch_up(indexer)
    good = await harness.mint_record("mint_a")
    stolen = (await harness.mint_record("mint_b")).evolve(to=harness.accounts[4])
    forged = good.evolve(mint_id="mint_lost", token_id=9)
    damaged = good.evolve(mint_id="mint_damaged")
    spoiled: Item = {"status": "nonsense"}
    for record, changes in ((stolen, {}), (forged, {}), (damaged, spoiled)):
        assert record.block_number is not None
        in_block: Item = {IN_BLOCK: block_shard(record.block_number, record.mint_id)}
        await harness.dynamo.write(Put(MINTS, to_item(record) | in_block | changes))

    done = await reconciler(harness).newest()

    assert {(finding.kind, finding.mint_id, finding.token_id) for finding in done.findings} == {
        (Kind.WRONG_RECIPIENT, "mint_b", 2),
        (Kind.LOST, "mint_lost", 9),
        (Kind.FOREIGN, None, 3),
        (Kind.UNREADABLE, "mint_damaged", None),
    }
    assert done.alarming == 4
    assert good.block_number is not None
    elsewhere = await reconciler(harness).check(good.block_number + 10, good.block_number + 20)
    assert (elsewhere.alarming, elsewhere.checked["accepted"]) == (0, 0)


async def test_range__when_a_transactions_record_is_damaged__then_it_is_named_and_hides_no_mint(
    harness: Harness,
) -> None:
    await harness.register()
    indexer = harness.indexer()
    await minted(harness, 1, "mint_a")
    await minted(harness, 2, "mint_b")
    await harness.mine(70)
    await catch_up(indexer)
    place = carried_by(await harness.mint_record("mint_a"))
    assert place is not None
    key: Item = {"sender_id": place.sender_id, "nonce": place.nonce}
    await harness.dynamo.write(Update(TRANSACTIONS, key, set={"state": "nonsense"}))

    done = await reconciler(harness).newest()

    assert {(finding.kind, finding.mint_id, finding.token_id) for finding in done.findings} == {
        (Kind.UNREADABLE, None, None),
        (Kind.UNSETTLED, "mint_a", 1),
    }
    assert done.checked["accepted"] == 2


async def test_pass__when_the_nodes_have_another_final_block__then_it_fails_and_finds_nothing(
    harness: Harness,
) -> None:
    await harness.register()
    await harness.mine(70)
    await catch_up(harness.indexer())

    class Forked(NodeChain):
        async def confirmed(self, _block: Any) -> bool:
            return False

    with pytest.raises(Unavailable, match="do not confirm block"):
        await reconciler(harness, chain=Forked(harness.node, harness.rpc)).newest()


async def test_process__when_it_makes_one_pass__then_its_log_says_what_it_found_and_it_ends(
    harness: Harness, aws_settings: ServiceSettings, anvil_automine: str
) -> None:
    """As the scheduled task on AWS runs it."""
    await harness.register()
    await harness.mint([3], harness.accounts[1])
    await harness.mine(70)
    await catch_up(harness.indexer())
    environment = {
        **os.environ,
        "MINTLINE_AWS_ENDPOINT_URL": str(aws_settings.aws_endpoint_url),
        "MINTLINE_RESOURCE_PREFIX": harness.prefix,
        "MINTLINE_CHAIN_ID": str(CHAIN_ID),
        "MINTLINE_RPC_URLS": json.dumps([anvil_automine]),
        "MINTLINE_RECONCILE_BLOCKS": "5000",
    }

    process = await create_subprocess_exec(
        sys.executable, "-m", "mintline_indexer.reconciler", stdout=PIPE, env=environment
    )
    output, _ = await process.communicate()

    assert process.returncode == 0
    lines = [json.loads(text) for text in output.splitlines()]
    (summary,) = (entry for entry in lines if entry["event"] == "reconciled")
    assert (summary["findings"], summary["counts"]) == (1, {"foreign": 1})
    (finding,) = (entry for entry in lines if entry["event"] == "reconcile_finding")
    assert (finding["level"], finding["kind"], finding["token_id"]) == ("error", "foreign", "3")
