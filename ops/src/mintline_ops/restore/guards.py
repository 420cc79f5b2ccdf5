"""What has to hold before tables are written: no service works, and the chain is at least where they are."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass

from mintline.aws.dynamo import Item
from mintline.chain.node import Node
from mintline.errors import Misconfigured, Unavailable
from mintline.resources import CHECKPOINTS, EVENT_CURSORS
from mintline_ops.deployments import Records, Target
from mintline_ops.preflight.account import Account, AwsAccount, Refusal

WATCHED = (CHECKPOINTS, EVENT_CURSORS)
"""Small tables that the indexer and the notifier write while they work."""


async def check_services(target: Target) -> None:
    """Raise Misconfigured if ECS runs services of the deployment; what is not on AWS has none there."""
    if target.settings.aws_endpoint_url is not None:
        return
    async with AsyncExitStack() as stack:
        account = AwsAccount(stack, target.settings.aws_region, None)
        running = await running_services(account, target.settings.resource_prefix)
    if running:
        raise Misconfigured(
            f"services run: {', '.join(running)}: set their desired count to 0 first (docs/restore.md)"
        )


async def running_services(account: Account, cluster: str) -> list[str]:
    """Return the services of a cluster that run tasks, or are to; none if there is no such cluster.

    Raises Unavailable if AWS does not say.
    """
    running: list[str] = []
    token: str | None = None
    try:
        while True:
            page = await account.ask(
                "ecs",
                "list_services",
                cluster=cluster,
                maxResults=10,
                **({"nextToken": token} if token else {}),
            )
            if page["serviceArns"]:
                response = await account.ask(
                    "ecs", "describe_services", cluster=cluster, services=page["serviceArns"]
                )
                running += [
                    str(each["serviceName"])
                    for each in response["services"]
                    if each["desiredCount"] or each["runningCount"] or each["pendingCount"]
                ]
            token = page.get("nextToken")
            if token is None:
                return sorted(running)
    except Refusal as refusal:
        if refusal.code == "ClusterNotFoundException":
            return []
        raise Unavailable(f"cannot tell whether services run: ecs answered {refusal.code}") from refusal


@dataclass(frozen=True, slots=True)
class Stillness:
    """What the index's checkpoints and the notifier's cursors were, which nothing may move."""

    records: Records
    seen: list[Item]

    @classmethod
    async def watch(
        cls, records: Records, seconds: float, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> Stillness:
        """Look for `seconds`; raises Misconfigured if anything writes meanwhile."""
        stillness = cls(records, await _watched(records))
        await sleep(seconds)
        await stillness.check()
        return stillness

    async def check(self) -> None:
        """Raise Misconfigured if an indexer or a notifier has written since."""
        if await _watched(self.records) != self.seen:
            names = " or ".join(table.name for table in WATCHED)
            raise Misconfigured(f"a service writes {names}: stop all services, then run it again")


async def _watched(records: Records) -> list[Item]:
    items = [item for table in WATCHED async for item in records.every(table)]
    return sorted(items, key=repr)


async def chain_head(records: Records, node: Node) -> int:
    """Return the chain's newest block; raises Misconfigured if the index has been further than that."""
    chain_id, head = await asyncio.gather(node.chain_id(), node.block_number())
    item = await records.dynamo.get(CHECKPOINTS, {"chain": str(chain_id)})
    indexed = None if item is None else item.get("head_number")
    if isinstance(indexed, int) and indexed > head:
        raise Misconfigured(
            f"the index has block {indexed} of chain {chain_id}, and the node's newest is {head}: "
            "pass a node that is in step"
        )
    return head
