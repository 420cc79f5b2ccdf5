"""Records as DynamoDB items, and the one way to move an operation along its state machine."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from functools import lru_cache
from typing import TypeVar

from pydantic import ValidationError

from mintline.aws.changes import key_of
from mintline.aws.dynamo import Clause, Item, Put, Update, Value
from mintline.errors import Unreadable, Unusable
from mintline.frozen import Frozen, faults_of
from mintline.records.keys import (
    balance_ref,
    block_shard,
    created_key,
    external_ref,
    open_shard,
    row_shard,
    token_ref,
)
from mintline.records.locks import ExternalId
from mintline.records.operations import OPERATIONS, Mint, Operation
from mintline.resource_types import Table
from mintline.resources import EXTERNAL_IDS, MINTS
from mintline.set_aside import SetAside
from mintline.states import MintStatus, stored_sources

RecordT = TypeVar("RecordT", bound=Frozen)

OPEN = "open_shard"
"""The attribute that keeps a mint in the index of open ones."""
IN_BLOCK = "block_shard"
"""The attribute that keeps a mint or a transaction in the index of its block."""
_SPENT = (OPEN, "authorization")
"""What a mint at its end has no more use for; an authorization is in records of before 0058 alone."""
_CLOSING = frozenset({MintStatus.FINALIZED, MintStatus.REJECTED})
"""States that nothing leaves. `reverted` is none of them: the indexer closes it once its block is final."""


def to_item(record: Frozen) -> Item:
    """Return a record's attributes; a field that is None is an absent attribute."""
    item: Item = record.model_dump(mode="json", exclude_none=True)
    return item


def operation_item(operation: Operation) -> Item:
    """Return the item that creates an operation: one that is accepted is in the index of open ones too."""
    operation_id = operation.operation_id
    item = {**to_item(operation), "created_key": created_key(operation.created_at, operation_id)}
    if operation.status is MintStatus.ACCEPTED:
        item[OPEN] = open_shard(operation_id)
    return item


def external_id_put(mint: Mint) -> Put:
    """Return the write that gives a mint its external id, unless another mint of who asked has it."""
    assert mint.external_id is not None
    name = ExternalId(external_ref=external_ref(mint.asked_by, mint.external_id), mint_id=mint.mint_id)
    return Put(EXTERNAL_IDS, to_item(name), where=(Clause("unused_name", "external_ref", "missing"),))


def from_item(model: type[RecordT], item: Item) -> RecordT:
    """Return a record from an item; what is in it, at any depth, and is no field is passed over.

    That is keys of indexes, and what a later release added: updates leave it in the item as it is.

    An absent attribute is the field's default, or None. Raises Unreadable, which quotes nothing of it.
    """
    try:
        return model.model_validate(
            {name: item.get(name) for name, required in _fields_of(model) if required or name in item},
            extra="ignore",
        )
    except ValidationError as error:
        raise Unreadable(f"{model.__name__.strip('_')}: {faults_of(error)}") from None


@lru_cache(maxsize=256)
def _fields_of(model: type[Frozen]) -> tuple[tuple[str, bool], ...]:
    """Return the names of a record's fields, each with whether it is required."""
    return tuple((name, field.is_required()) for name, field in model.model_fields.items())


_OPERATIONS: Mapping[object, type[Operation]] = {
    model.model_fields["kind"].default: model for model in OPERATIONS
}


def operation_from(item: Item) -> Operation:
    """Return the operation of an item of `mints`, which has none but mints of before there were kinds.

    Raises Unreadable, as `from_item`.
    """
    kind = item.get("kind", "mint")
    if (model := _OPERATIONS.get(kind)) is None:
        raise Unreadable("kind: this release does not know operations of this kind")
    return from_item(model, item)


def read_operation_item(item: Item, aside: SetAside) -> Operation:
    """Return the operation of an item; raises Unreadable, having noted it as set aside."""
    try:
        return operation_from(item)
    except Unreadable as error:
        raise unusable(MINTS, item, error, aside) from None


def read(model: type[RecordT], table: Table, item: Item, aside: SetAside) -> RecordT:
    """Return a record from an item of a table; raises Unreadable, having noted it as set aside."""
    try:
        return from_item(model, item)
    except Unreadable as error:
        raise unusable(table, item, error, aside) from None


def unusable(table: Table, item: Item, error: Unusable, aside: SetAside) -> Unusable:
    """Return `error`, which says that an item (or its key) cannot be used, having noted it as set aside."""
    aside.note(table.name, "/".join(str(value) for value in key_of(table, item).values()), error)
    return error


def readable(
    model: type[RecordT], table: Table, items: Iterable[Item], aside: SetAside
) -> Iterator[tuple[Item, RecordT]]:
    """Yield items with their records, but for those that are unreadable, which are set aside."""
    for item in items:
        with suppress(Unreadable):
            yield item, read(model, table, item, aside)


def transition(
    mint_id: str,
    target: MintStatus,
    *,
    at: int,
    set: Item | None = None,  # noqa: A002 - DynamoDB's own word
    remove: tuple[str, ...] = (),
    append: Mapping[str, list[Value]] | None = None,
    where: tuple[Clause, ...] = (),
) -> Update:
    """Return the conditional write that moves an operation's record to `target` from any state that may.

    `at` is in Unix milliseconds. The clause `legal_source` fails for a mint that has moved on already.
    A mint that gets a block, or loses it, enters or leaves the block's index by the same write.
    A mint that reaches its end leaves the index of open mints by the same write, and its user's authorization
    goes: nothing of it will be signed again.
    """
    written = {**indexed(mint_id, set or {}), **(set or {})}
    gone = (IN_BLOCK, *remove) if "block_number" in remove else remove
    legal = Clause("legal_source", "status", "in", tuple(source.value for source in stored_sources(target)))
    return Update(
        table=MINTS,
        key={"mint_id": mint_id},
        set={"status": target.value, "updated_at": at, **written},
        remove=(*gone, *_SPENT) if target in _CLOSING else gone,
        append=append or {},
        where=(legal, *where),
    )


def token_place(chain_id: int, contract: str, token_id: int) -> Item:
    """Return a token's key in TOKENS."""
    return {"token_ref": token_ref(chain_id, contract, token_id)}


def balance_place(chain_id: int, contract: str, token_id: int, holder: str | None) -> Item:
    """Return a balance's key in BALANCES; `holder` None for an item's supply."""
    return {"balance_ref": balance_ref(chain_id, contract, token_id, holder)}


def row_place(chain_id: int, position: str) -> Item:
    """Return an undo record's key in BLOCKS."""
    return {"chain": row_shard(chain_id, position), "position": position}


def indexed(record_id: str, written: Item) -> Item:
    """Return the key of the index by block that goes with what is written of a mint or a transaction."""
    number = written.get("block_number")
    return {IN_BLOCK: block_shard(number, record_id)} if isinstance(number, int) else {}
