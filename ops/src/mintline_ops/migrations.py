"""Brings the tables of an earlier version to the form that this version reads, by numbered steps.

Which steps are done, and how far one has come, is an item of CHECKPOINTS; a step that is interrupted goes on
from there, and may repeat what it did last. No service may run meanwhile. An indexer that does is stopped by
the first step, which makes the checkpoint unreadable to the version before; this version's indexer refuses
the tables until the step that gives the checkpoint its layout.
"""

from __future__ import annotations

from dataclasses import dataclass

from mintline.aws.dynamo import Dynamo
from mintline.messages.parts import KeyRef
from mintline.resources import ACCOUNTS, ATTEMPTS, CHECKPOINTS, MINTS
from mintline_ops.index_migrations import (
    give_contracts_items,
    give_layout,
    key_tokens_by_token,
    link_undo_records,
    spread_mints_of_blocks,
    spread_undo_records,
)
from mintline_ops.migration_tables import RECORD, MigratedTables, Step, move_each
from mintline_ops.query_migrations import key_tokens_for_queries, key_transfers_for_queries
from mintline_ops.transaction_migration import move_mint, record_attempt, record_top_up


@dataclass(frozen=True, slots=True)
class Migrated:
    """A step that was carried out, and how many items it wrote."""

    number: int
    name: str
    items: int


async def migrate(dynamo: Dynamo, *, treasury: KeyRef) -> list[Migrated]:
    """Carry out the steps that are not done yet, in their order, and return them.

    `treasury` is the key that signs top-ups: earlier versions noted no more of it than its address.
    Raises Unavailable when an indexer writes meanwhile.
    """
    item = await dynamo.get(CHECKPOINTS, RECORD) or {}
    record = {name: value for name, value in item.items() if name not in RECORD}
    done = record.get("done", 0)
    assert isinstance(done, int)
    tables = MigratedTables(dynamo, record, treasury)
    migrated = []
    for number, (name, step) in enumerate(STEPS, start=1):
        if number > done:
            migrated.append(Migrated(number, name, await step(tables)))
            await tables.note({"done": number})
    return migrated


async def _move_mints(tables: MigratedTables) -> int:
    return await move_each(tables, MINTS, lambda item: move_mint(tables.dynamo, item))


async def _record_top_ups(tables: MigratedTables) -> int:
    return await move_each(tables, ACCOUNTS, lambda item: record_top_up(tables.dynamo, item, tables.treasury))


async def _record_attempts(tables: MigratedTables) -> int:
    return await move_each(tables, ATTEMPTS, lambda item: record_attempt(tables.dynamo, item))


STEPS: tuple[tuple[str, Step], ...] = (
    ("contracts", give_contracts_items),
    ("tokens", key_tokens_by_token),
    ("blocks", spread_undo_records),
    ("mints", spread_mints_of_blocks),
    ("layout", give_layout),
    ("open mints", _move_mints),
    ("top-ups", _record_top_ups),
    ("attempts", _record_attempts),
    ("undo records", link_undo_records),
    ("queries of tokens", key_tokens_for_queries),
    ("queries of transfers", key_transfers_for_queries),
)
"""In the order of their numbers, from 1: steps are added at the end, and none is ever changed."""
