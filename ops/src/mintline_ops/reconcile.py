"""Reads a deployment's tables and its chain, and finds where they differ."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Container, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from prometheus_client import CollectorRegistry
from pydantic import TypeAdapter, ValidationError

from mintline.admin import Admin, Check, process_registry
from mintline.aws.dynamo import Item
from mintline.aws.records import from_item, operation_from
from mintline.chain.node import Node
from mintline.chain.rpc import Rpc, RpcError
from mintline.clock import monotonic, unix_seconds
from mintline.errors import Misconfigured, Retryable, Unavailable, Unreadable
from mintline.fields import Address
from mintline.frozen import Frozen
from mintline.records.collections import Collection, RegisteredContract
from mintline.records.index import Balance, Checkpoint, Token, Transfer
from mintline.records.keys import balance_ref
from mintline.records.operations import Mint, TokenOperation
from mintline.records.transactions import Transaction, as_far_as_any
from mintline.resource_types import Table
from mintline.resources import BALANCES, CHECKPOINTS, COLLECTIONS, MINTS, TOKENS, TRANSACTIONS, TRANSFERS
from mintline_indexer.chain_port import ChainReader, Event
from mintline_indexer.dynamo_items import transfer_place
from mintline_indexer.node_chain import NodeChain
from mintline_indexer.reconciler.books import Books
from mintline_indexer.reconciler.comparison import Reconciliation, reconcile
from mintline_indexer.reconciler.findings import Finding, unreadable
from mintline_indexer.reconciler.item_balances import (
    HeldItems,
    held_on_chain,
    holders_of,
    with_supplies,
)
from mintline_indexer.reconciler.metrics import Metrics
from mintline_indexer.reconciler.passes import Pass, Reconciler
from mintline_indexer.reconciler.reading import Reader, events_between, transfer_keys
from mintline_indexer.store_port import BalanceKey
from mintline_ops.deployments import Records, Target, open_chain, open_records

RecordT = TypeVar("RecordT", bound=Frozen)
_ADDRESS: TypeAdapter[str] = TypeAdapter(Address)

HOST = "127.0.0.1"
"""Where the metrics of a watch are."""
ATTEMPTS = 3
"""A line that runs is looked at again before a difference counts: a reorg in between looks like one."""
PAUSE = 2.0
"""Seconds between two looks."""


@asynccontextmanager
async def open_reconciler(
    target: Target, metrics: Metrics, *, blocks: int, patience: float
) -> AsyncIterator[Reconciler]:
    """Open a reconciler of a deployment's final blocks."""
    async with open_records(target) as records, open_chain(target) as (rpc, node):
        reader = Reader(
            dynamo=records.dynamo,
            chain=NodeChain(node, rpc),
            chain_id=await node.chain_id(),
            patience=patience,
        )
        yield Reconciler(reader, blocks=blocks, metrics=metrics, now=unix_seconds, clock=monotonic)


async def in_range(
    target: Target, *, first: int | None, last: int | None, blocks: int, patience: float
) -> Pass:
    """Check a range of a deployment's final blocks; what it costs is bounded by the range."""
    metrics = Metrics(CollectorRegistry())
    async with open_reconciler(target, metrics, blocks=blocks, patience=patience) as reconciler:
        return await reconciler.check(first, last)


@dataclass(frozen=True, slots=True)
class ScheduledChecks:
    """Checks of a deployment's newest final blocks, one every `seconds`."""

    metrics_url: str
    reconciler: Reconciler
    seconds: float

    async def passes(self) -> AsyncIterator[Pass | Retryable | RpcError]:
        """Yield each pass, or the error for which there was none, without an end."""
        while True:
            try:
                yield await self.reconciler.newest()
            except (Retryable, RpcError) as error:
                yield error
            await asyncio.sleep(self.seconds)


@asynccontextmanager
async def open_scheduled_checks(
    target: Target, *, every: float, blocks: int, patience: float, admin_port: int
) -> AsyncIterator[ScheduledChecks]:
    """Open a watch of a deployment, with its metrics and readiness on a port of the loopback."""
    registry = process_registry()
    metrics = Metrics(registry)
    async with open_reconciler(target, metrics, blocks=blocks, patience=patience) as reconciler:
        checks: dict[str, Check] = {"passes": partial(reconciler.check_age, 3 * every)}
        async with Admin(host=HOST, port=admin_port, checks=checks, registry=registry) as admin:
            yield ScheduledChecks(f"http://{HOST}:{admin.port}/metrics", reconciler, every)


def report(books: Books, reconciliation: Reconciliation) -> dict[str, Any]:
    """Return what was found as JSON values."""
    return {
        "first": books.first,
        "last": books.last,
        "index_head": books.head,
        "counts": dict(reconciliation.counts),
        "differences": len(reconciliation.differences),
        "findings": [finding.to_json() for finding in reconciliation.findings],
    }


async def settled(target: Target, *, patience: float) -> tuple[Books, Reconciliation]:
    """Reconcile a whole deployment, again while there is a difference, which may be one of the moment."""
    async with open_records(target) as records, open_chain(target) as (rpc, node):
        for attempt in range(1, ATTEMPTS + 1):
            books = await read(records, rpc, node, patience=patience)
            reconciliation = reconcile(books)
            if not reconciliation.differences or attempt == ATTEMPTS:
                break
            await asyncio.sleep(PAUSE)
    return books, reconciliation


async def read(records: Records, rpc: Rpc, node: Node, *, patience: float) -> Books:
    """Read everything that is compared, in an order in which nothing can run ahead: see `Books`."""
    chain_id = await node.chain_id()
    item = await records.dynamo.get(CHECKPOINTS, {"chain": str(chain_id)})
    if item is None:
        raise Misconfigured(f"{records.prefix} has no index of chain {chain_id}")
    try:
        head = from_item(Checkpoint, item).head_number
    except Unreadable as error:
        raise Unavailable(f"checkpoints {chain_id} is not valid: {error}") from error
    damaged: list[Finding] = []
    contracts, first = await _contracts(records, chain_id, damaged)
    stored = [operation async for operation in _readable(records, MINTS, operation_from, damaged)]
    decode = partial(from_item, Transaction)
    transactions = {
        transaction.key: transaction
        async for transaction in _readable(records, TRANSACTIONS, decode, damaged)
    }
    operations = [
        as_far_as_any(operation, transactions) for operation in stored if operation.chain_id == chain_id
    ]
    tokens = [token async for token in _readable(records, TOKENS, partial(from_item, Token), damaged)]
    balances, unread = await _balances(records, damaged)
    latest = await node.block_number()
    chain = NodeChain(node, rpc)
    events = await events_between(chain, first, latest, sorted(contracts))
    token_operations = [operation for operation in operations if isinstance(operation, TokenOperation)]
    return Books(
        first=first,
        last=head,
        head=head,
        mints=[operation for operation in operations if isinstance(operation, Mint)],
        tokens=[token for token in tokens if token.chain_id == chain_id],
        token_operations=token_operations,
        transfers=await _transfers(records, transfer_keys(token_operations, events), damaged),
        events=events,
        held=await held_items(chain, balances, events, chain_id=chain_id, head=head, unread=unread),
        now=unix_seconds(),
        patience=patience,
        unreadable=damaged,
    )


async def _balances(records: Records, damaged: list[Finding]) -> tuple[list[Balance], set[str]]:
    """Return all balances, and the keys of those that cannot be read, which are added to `damaged`."""
    balances: list[Balance] = []
    unread: set[str] = set()
    async for item in records.every(BALANCES):
        try:
            balances.append(from_item(Balance, item))
        except Unreadable as error:
            unread.add(str(item["balance_ref"]))
            damaged.append(unreadable(BALANCES.name, str(item["balance_ref"]), error))
    return balances, unread


async def held_items(
    chain: ChainReader,
    balances: Sequence[Balance],
    events: Sequence[Event],
    *,
    chain_id: int,
    head: int,
    unread: Container[str],
) -> HeldItems:
    """Return all balances and supplies of a chain, by the index and by the chain after block `head`.

    `balances` are those that the index has. Those whose keys are `unread` are missing from the index's: what
    it has of them is not known.
    """
    own = (balance for balance in balances if balance.chain_id == chain_id)
    stored = {BalanceKey(balance.contract, balance.token_id, balance.holder): balance for balance in own}
    keys = holders_of(event for event in events if event.block_number <= head)
    keys |= {key for key in stored if key.holder is not None}
    on_chain = with_supplies(await held_on_chain(chain, keys, block=head))
    indexed = {key: stored.get(key) for key in on_chain if balance_ref(chain_id, *key) not in unread}
    return HeldItems(head, indexed, on_chain)


async def _contracts(records: Records, chain_id: int, damaged: list[Finding]) -> tuple[set[str], int]:
    """Return a chain's contracts, and the block that the oldest was deployed in.

    A collection that cannot be read is added to `damaged`; its contract is in its key, and is compared from
    the others' oldest block on.
    """
    contracts: set[str] = set()
    deployed: list[int] = []
    async for item in records.every(COLLECTIONS):
        chain, _, contract = str(item["collection_id"]).partition("#")
        if chain != str(chain_id):
            continue
        with suppress(ValidationError):
            contracts.add(_ADDRESS.validate_python(contract))
        try:
            deployed.append(from_item(RegisteredContract, item).deployed_block)
            from_item(Collection, item)
        except Unreadable as error:
            damaged.append(unreadable(COLLECTIONS.name, str(item["collection_id"]), error))
    return contracts, min(deployed, default=0)


async def _transfers(
    records: Records, keys: Sequence[tuple[str, str]], damaged: list[Finding]
) -> list[Transfer]:
    transfers = []
    items = await asyncio.gather(*(records.dynamo.get(TRANSFERS, transfer_place(key)) for key in keys))
    for key, item in zip(keys, items, strict=True):
        try:
            transfers += [] if item is None else [from_item(Transfer, item)]
        except Unreadable as error:
            damaged.append(unreadable(TRANSFERS.name, " ".join(key), error))
    return transfers


async def _readable(
    records: Records, table: Table, decode: Callable[[Item], RecordT], damaged: list[Finding]
) -> AsyncIterator[RecordT]:
    """Yield a table's records; one that cannot be read is added to `damaged`, and hides no other."""
    async for item in records.every(table):
        try:
            yield decode(item)
        except Unreadable as error:
            names = (key.name for key in (table.partition, table.sort) if key is not None)
            key = " ".join(str(item[name]) for name in names)
            damaged.append(unreadable(table.name, key, error, mint_id=key if table is MINTS else None))
