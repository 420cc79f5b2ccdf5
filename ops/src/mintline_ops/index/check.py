"""Build an index of a deployment's chain; compare the stored one with it, and repair that."""

from __future__ import annotations

from dataclasses import dataclass

from mintline_indexer.dynamo_collections import DynamoCollectionRegistry
from mintline_indexer.node_chain import NodeChain
from mintline_ops.deployments import Target, open_chain, open_records
from mintline_ops.index.items import Difference
from mintline_ops.index.rebuild import Rebuild
from mintline_ops.index.repair import repair_index


@dataclass(frozen=True, slots=True)
class IndexCheck:
    """What a rebuild came to: `differences` and `repaired` are None unless that was asked for."""

    head: int
    tokens: int
    transfers: int
    digest: str
    differences: list[Difference] | None
    repaired: list[Difference] | None


async def check(target: Target, *, whole: int, compare: bool, repair: bool) -> IndexCheck:
    """Build an index of a deployment's chain, and compare the stored one, or repair it, if asked to."""
    async with open_records(target) as records, open_chain(target) as (rpc, node):
        chain_id = await node.chain_id()
        rebuild = Rebuild(
            records=records,
            chain=NodeChain(node, rpc),
            collections=DynamoCollectionRegistry(records.client, prefix=records.prefix, chain_id=chain_id),
            chain_id=chain_id,
            whole=whole,
        )
        await rebuild.catch_up()
        differences = repaired = None
        if repair:
            outcome = await repair_index(rebuild, records.dynamo, chain_id=chain_id)
            differences, repaired = outcome.left, outcome.repaired
        elif compare:
            differences = await rebuild.differences()
        progress = rebuild.store.progress
        assert progress is not None
        return IndexCheck(
            head=progress.head.number,
            tokens=len(rebuild.store.token_table),
            transfers=len(rebuild.store.transfer_table),
            digest=rebuild.store.digest(),
            differences=differences,
            repaired=repaired,
        )
