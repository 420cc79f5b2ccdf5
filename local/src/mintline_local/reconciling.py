"""`mintline reconcile`: reads the tables and the chain, and says where they differ."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from mintline.aws.records import from_item
from mintline.chain.node import Node
from mintline.chain.rpc import Rpc
from mintline.errors import Misconfigured
from mintline.records import Checkpoint, Collection, Mint, Token
from mintline.resources import CHECKPOINTS, COLLECTIONS, MINTS, TOKENS
from mintline_indexer.chain_port import Chain, Event, RangeTooWide
from mintline_indexer.node_chain import NodeChain
from mintline_local.command import Json, State, execute
from mintline_local.console import Screen
from mintline_local.deployments import (
    REGION,
    EndpointUrl,
    Place,
    Prefix,
    Records,
    Region,
    RpcUrls,
    open_chain,
    open_records,
    place_of,
)
from mintline_local.places import DEFAULT_STATE
from mintline_local.reconcile import MEANING, Books, Finding, Reconciliation, reconcile

RANGE = 5_000
"""Blocks whose events are asked for at once; halved when the node refuses."""
LOOKS = 3
"""A line that runs is looked at again before a difference counts: a reorg in between looks like one."""
PAUSE = 2.0
"""Seconds between two looks."""


def command(
    *,
    from_block: Annotated[
        int | None, typer.Option(min=0, help="The first block; the first collection's.")
    ] = None,
    to_block: Annotated[int | None, typer.Option(min=0, help="The last block; the index's head.")] = None,
    patience: Annotated[float, typer.Option(min=0, help="Seconds for which a mint may stand still.")] = 900.0,
    prefix: Prefix = None,
    region: Region = REGION,
    endpoint_url: EndpointUrl = None,
    rpc: RpcUrls = None,
    state: State = DEFAULT_STATE,
    as_json: Json = False,
) -> None:
    """Compare what was accepted, minted and indexed; exits 1 if they differ."""
    screen = Screen(as_json=as_json)
    place = place_of(state, prefix, region, endpoint_url, rpc)
    books, found = execute(settled(place, first=from_block, last=to_block, patience=patience))
    screen.say(f"blocks {books.first} to {books.last}, the index at {books.head}")
    for name, count in found.counts.items():
        screen.say(f"  {name:<20} {count}", style="dim")
    for finding in found.findings:
        screen.say(_told(finding), style="red" if finding.is_difference else "dim")
    differences = len(found.differences)
    screen.say(f"{differences} differences" if differences else "no difference", style="bold")
    screen.result(report(books, found))
    if differences:
        raise typer.Exit(1)


def report(books: Books, found: Reconciliation) -> dict[str, Any]:
    """Return what was found as JSON values."""
    return {
        "first": books.first,
        "last": books.last,
        "index_head": books.head,
        "counts": dict(found.counts),
        "differences": len(found.differences),
        "findings": [finding.to_json() for finding in found.findings],
    }


def _told(finding: Finding) -> str:
    token = f"token {finding.token_id} of {finding.contract}" if finding.token_id is not None else ""
    block = f"block {finding.block}" if finding.block is not None else ""
    about = ", ".join(part for part in (finding.mint_id, token, block) if part)
    return f"{finding.kind.value}: {about}: {MEANING[finding.kind]} ({finding.detail})"


async def settled(
    place: Place, *, first: int | None = None, last: int | None = None, patience: float
) -> tuple[Books, Reconciliation]:
    """Reconcile a deployment, looking again while there is a difference, which may be one of the moment."""
    async with open_records(place) as records, open_chain(place) as (rpc, node):
        for look in range(1, LOOKS + 1):
            books = await read(records, rpc, node, first=first, last=last, patience=patience)
            found = reconcile(books)
            if not found.differences or look == LOOKS:
                break
            await asyncio.sleep(PAUSE)
    return books, found


async def read(
    records: Records, rpc: Rpc, node: Node, *, first: int | None, last: int | None, patience: float
) -> Books:
    """Read everything that is compared, in an order in which nothing can run ahead: see `Books`."""
    chain_id = await node.chain_id()
    item = await records.dynamo.get(CHECKPOINTS, {"chain": str(chain_id)})
    if item is None:
        raise Misconfigured(f"{records.prefix} has no index of chain {chain_id}")
    head = from_item(Checkpoint, item).head_number
    collections = [from_item(Collection, found) async for found in records.every(COLLECTIONS)]
    contracts = {found.contract: found.deployed_block for found in collections if found.chain_id == chain_id}
    asked = first, last
    first = min(contracts.values(), default=0) if first is None else first
    last = head if last is None else min(last, head)
    if first > last and asked != (None, None):
        raise Misconfigured(f"there is no block from {first} to {last}: the index has come to {head}")
    mints = [from_item(Mint, found) async for found in records.every(MINTS)]
    tokens = [from_item(Token, found) async for found in records.every(TOKENS)]
    latest = await node.block_number()
    events = await events_between(NodeChain(node, rpc), first, latest, sorted(contracts))
    return Books(
        first=first,
        last=last,
        head=head,
        mints=[mint for mint in mints if mint.chain_id == chain_id],
        tokens=[token for token in tokens if token.chain_id == chain_id],
        events=events,
        now=time.time(),
        patience=patience,
    )


async def events_between(chain: Chain, first: int, last: int, contracts: Sequence[str]) -> list[Event]:
    """Return the contracts' events of a range of blocks, in order, in as many pieces as the node wants."""
    events: list[Event] = []
    width = RANGE
    while contracts and first <= last:
        end = min(last, first + width - 1)
        try:
            events += await chain.events_between(first, end, contracts)
        except RangeTooWide as error:
            if end == first:
                raise Misconfigured(f"no node gives the events of block {first} alone: {error}") from error
            width = max(1, (end - first + 1) // 2)
            continue
        first = end + 1
    return events
