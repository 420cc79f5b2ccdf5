"""The steps of a restore that write: copies are made, and put back once no service works."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from mintline.aws.dynamo import Item, Update
from mintline.clock import unix_ms, unix_seconds
from mintline.errors import Unavailable
from mintline.resource_types import Table
from mintline.resources import MINTS, TRANSACTIONS
from mintline_ops.deployments import Records, Target, open_chain, open_records
from mintline_ops.restore.copies import Copies, Copy, parse_time
from mintline_ops.restore.filling import Filled, Filler
from mintline_ops.restore.guards import Stillness, chain_head, check_services
from mintline_ops.restore.reopening import Every, Reopened, Write, reopen
from mintline_ops.restore.rules import chosen, replaced


@dataclass(frozen=True, slots=True)
class Planned:
    """The moment that all tables can be restored to, and where their copies stand."""

    at: datetime
    copies: list[Copy]


@dataclass(frozen=True, slots=True)
class PutBack:
    """What was put back into each table, and which records were made open again by that, or would be."""

    tables: list[Filled]
    reopened: Reopened


async def plan(target: Target, *, to: str, tables: Sequence[str]) -> Planned:
    """Say what would be copied, changing nothing."""
    wanted = chosen(tables)
    async with open_records(target) as records:
        copies = Copies(records.client, records.prefix)
        at = await copies.moment(wanted, parse_time(to))
        return Planned(at, await copies.states(wanted, at))


async def make_copies(target: Target, *, to: str, tables: Sequence[str]) -> Planned:
    """Have a copy made of each table as it was at one moment; services may run meanwhile."""
    wanted = chosen(tables)
    async with open_records(target) as records:
        copies = Copies(records.client, records.prefix)
        at = await copies.moment(wanted, parse_time(to))
        return Planned(at, await copies.make(wanted, at))


async def put_back(
    target: Target,
    *,
    at: datetime,
    tables: Sequence[str],
    replace: Sequence[str],
    skip_ids: int,
    watch: float,
    dry_run: bool,
) -> PutBack:
    """Fill the tables from their copies of that moment, and compare once more; or say what would be written.

    Then what records of different times do not fit together by is set right (`reopening`).

    Looks for `watch` seconds whether a service writes. Raises Misconfigured if one does, or if a copy has a
    block that the chain does not have, before anything is written; and also if a service did by the end. A
    dry run compares while services may run. Safe to repeat.
    """
    wanted = chosen(tables)
    replacing = replaced(replace, wanted)
    async with open_records(target) as records, open_chain(target) as (_, node):
        await Copies(records.client, records.prefix).check(wanted, at)
        head = await chain_head(records, node)
        filler = Filler(
            records.client,
            records.prefix,
            at=at,
            replacing=replacing,
            head=head,
            skip_ids=skip_ids,
            now=int(unix_seconds()),
        )
        if not dry_run:
            await check_services(target)
        await filler.check_blocks(wanted)
        if dry_run:
            filled = [await filler.fill(table, dry_run=True) for table in wanted]
            return PutBack(filled, await _would_reopen(records, filler, await node.chain_id(), wanted))
        stillness = await Stillness.watch(records, watch)
        filled = [await filler.fill(table, dry_run=False) for table in wanted]
        await _verify(filler, wanted)
        opened = await _reopen(records.every, records.dynamo.write, await node.chain_id(), wanted)
        await stillness.check()
        return PutBack(filled, opened)


async def _would_reopen(records: Records, filler: Filler, chain_id: int, wanted: Sequence[Table]) -> Reopened:
    """Return what would be opened again if the tables were filled, writing nothing.

    While services run, what they build meanwhile may be among it.
    """

    def every(table: Table) -> AsyncIterator[Item]:
        return filler.after(table) if table in wanted else records.every(table)

    async def write(_: Update) -> None:
        pass

    return await _reopen(every, write, chain_id, wanted)


async def _reopen(every: Every, write: Write, chain_id: int, wanted: Sequence[Table]) -> Reopened:
    if MINTS not in wanted and TRANSACTIONS not in wanted:
        return Reopened()
    return await reopen(every, write, chain_id, at=unix_ms(), rebuild=TRANSACTIONS in wanted)


async def _verify(filler: Filler, tables: Sequence[Table]) -> None:
    left = [filled for table in tables if (filled := await filler.fill(table, dry_run=True)).due]
    if left:
        names = ", ".join(filled.table.name for filled in left)
        raise Unavailable(f"items are missing again from {names}: is a service running? Run it again")
