"""Writes as values: what to change, under which named clauses, and both of DynamoDB's languages for it.

A change becomes a PartiQL statement only when that says exactly the same, because 25 statements share one
request and each succeeds or fails alone. What AWS's developer guide ("PartiQL for DynamoDB") leaves apart:

- `INSERT` fails with DuplicateItem when the key exists: it says `Put` with the one clause "key missing".
- `UPDATE` never creates an item: it says `Update` only when a clause implies that the item exists.
- There is no `if_not_exists`, so adding to a counter or a list that may be missing is UpdateItem's.
- `DELETE` with a condition on an absent item succeeds in silence, so a conditional `Delete` is DeleteItem's.
- A missing attribute differs from every value in a condition expression, but not in PartiQL: so `ne` is not
  PartiQL's either.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Literal, TypeAlias

from mintline.aws.items import Item, Value, encode_item, encode_value
from mintline.resource_types import Table

Operator: TypeAlias = Literal[
    "eq", "ne", "in", "missing", "exists", "empty", "lt", "le", "gt", "ge", "older", "not_before"
]

_SYMBOLS: Mapping[str, str] = {"eq": "=", "ne": "<>", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}
_OPEN_ENDED: Mapping[str, str] = {"older": "<", "not_before": ">="}
_PRESENT = frozenset({"eq", "in", "exists", "lt", "le", "gt", "ge"})
"""Operators that only an existing item satisfies."""
_BY_EXPRESSION = frozenset({"ne", "empty", "older", "not_before"})
"""Operators that hold for a missing attribute and for some values, which PartiQL cannot say."""


@dataclass(frozen=True, slots=True)
class Clause:
    """One named part of a write's condition.

    `values` has one entry, several for `in`, none for existence. `empty` holds for an empty list and for an
    attribute that is missing, which records read as one. `older` holds for a smaller number, and
    `not_before` for any other; both hold for an attribute that is missing.
    """

    name: str
    attribute: str
    op: Operator
    values: tuple[Value, ...] = ()


@dataclass(frozen=True, slots=True)
class Put:
    """Write a whole item."""

    table: Table
    item: Item
    where: tuple[Clause, ...] = ()

    @property
    def key(self) -> Item:
        """The item's primary key."""
        return key_of(self.table, self.item)


@dataclass(frozen=True, slots=True)
class Update:
    """Change some attributes of an item, creating it if it is absent and no clause forbids that.

    `add` counts from 0 and `append` appends to an empty list where the attribute is missing.
    """

    table: Table
    key: Item
    set: Item = field(default_factory=dict)
    remove: tuple[str, ...] = ()
    add: Mapping[str, int] = field(default_factory=dict)
    append: Mapping[str, list[Value]] = field(default_factory=dict)
    where: tuple[Clause, ...] = ()


@dataclass(frozen=True, slots=True)
class Delete:
    """Remove an item."""

    table: Table
    key: Item
    where: tuple[Clause, ...] = ()


@dataclass(frozen=True, slots=True)
class Check:
    """Condition a transaction on an item that it does not change."""

    table: Table
    key: Item
    where: tuple[Clause, ...]


Change: TypeAlias = Put | Update | Delete | Check


def key_of(table: Table, item: Item) -> Item:
    """Return the primary key of `item`."""
    names = [table.partition.name, *([table.sort.name] if table.sort else [])]
    return {name: item[name] for name in names}


def identity(change: Change) -> tuple[Any, ...]:
    """Return what two changes of one item share: its table and key values."""
    return item_id(change.table, change.item if isinstance(change, Put) else change.key)


def item_id(table: Table, key: Item) -> tuple[Any, ...]:
    """Return one hashable name of an item, whatever the order of its key's attributes."""
    partition = key[table.partition.name]
    return (table.name, partition) if table.sort is None else (table.name, partition, key[table.sort.name])


def holds(change: Change, item: Item | None) -> bool:
    """Tell whether `item` is as `change` would leave it: how a write whose answer was lost is recognized."""
    if isinstance(change, Put):
        return item == change.item
    if isinstance(change, Delete):
        return item is None
    if isinstance(change, Check) or item is None or change.add:
        return False
    appended = (
        (kept := item.get(name)) and isinstance(kept, list) and kept[-len(values) :] == values
        for name, values in change.append.items()
    )
    return (
        all(name in item and item[name] == value for name, value in change.set.items())
        and not any(name in item for name in change.remove)
        and all(appended)
    )


class _Names:
    """Hands out placeholders for attribute names and values: any name may be a reserved word."""

    def __init__(self) -> None:
        self.names: dict[str, str] = {}
        self.values: dict[str, Any] = {}
        self._known: dict[str, str] = {}

    def name(self, attribute: str) -> str:
        if attribute not in self._known:
            placeholder = f"#{len(self._known)}"
            self._known[attribute] = placeholder
            self.names[placeholder] = attribute
        return self._known[attribute]

    def value(self, value: Value) -> str:
        placeholder = f":{len(self.values)}"
        self.values[placeholder] = encode_value(value)
        return placeholder


def _condition(clauses: Iterable[Clause], names: _Names) -> str:
    parts = []
    for clause in clauses:
        attribute = names.name(clause.attribute)
        match clause.op:
            case "missing":
                parts.append(f"attribute_not_exists({attribute})")
            case "exists":
                parts.append(f"attribute_exists({attribute})")
            case "empty":
                parts.append(f"(attribute_not_exists({attribute}) OR {attribute} = {names.value([])})")
            case "older" | "not_before":
                compared = f"{attribute} {_OPEN_ENDED[clause.op]} {names.value(clause.values[0])}"
                parts.append(f"(attribute_not_exists({attribute}) OR {compared})")
            case "in":
                listed = ", ".join(names.value(value) for value in clause.values)
                parts.append(f"{attribute} IN ({listed})")
            case _:
                parts.append(f"{attribute} {_SYMBOLS[clause.op]} {names.value(clause.values[0])}")
    return " AND ".join(parts)


def _update_expression(update: Update, names: _Names) -> str:
    assignments = [f"{names.name(a)} = {names.value(v)}" for a, v in update.set.items()]
    for attribute, values in update.append.items():
        name = names.name(attribute)
        assignments.append(
            f"{name} = list_append(if_not_exists({name}, {names.value([])}), {names.value(values)})"
        )
    parts = []
    if assignments:
        parts.append("SET " + ", ".join(assignments))
    if update.remove:
        parts.append("REMOVE " + ", ".join(names.name(a) for a in update.remove))
    if update.add:
        parts.append("ADD " + ", ".join(f"{names.name(a)} {names.value(v)}" for a, v in update.add.items()))
    return " ".join(parts)


def expression(change: Change, prefix: str) -> dict[str, Any]:
    """Return the change as the arguments that the single-item calls and TransactWriteItems share."""
    names = _Names()
    arguments: dict[str, Any] = {"TableName": change.table.table_name(prefix)}
    if isinstance(change, Put):
        arguments["Item"] = encode_item(change.item)
    else:
        arguments["Key"] = encode_item(change.key)
    if isinstance(change, Update) and (text := _update_expression(change, names)):
        arguments["UpdateExpression"] = text
    if change.where:
        arguments["ConditionExpression"] = _condition(change.where, names)
        arguments["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
    if names.names:
        arguments["ExpressionAttributeNames"] = names.names
    if names.values:
        arguments["ExpressionAttributeValues"] = names.values
    return arguments


def expressions(batch: Iterable[Change], prefix: str) -> Iterator[dict[str, Any]]:
    """Yield `expression` of each change; updates that share all but their key are written out once."""
    first: Update | None = None
    arguments: dict[str, Any] = {}
    for change in batch:
        if first is not None and isinstance(change, Update) and _shares_all_but_key(change, first):
            yield arguments | {"Key": encode_item(change.key)}
        else:
            first = change if isinstance(change, Update) else None
            arguments = expression(change, prefix)
            yield arguments


def _shares_all_but_key(update: Update, other: Update) -> bool:
    # The same objects, not equal ones: True equals 1, and DynamoDB tells them apart.
    return (
        update.table is other.table
        and update.set is other.set
        and update.remove is other.remove
        and update.add is other.add
        and update.append is other.append
        and update.where is other.where
    )


def is_plain(change: Change) -> bool:
    """Tell whether the change is an unconditional put or delete: BatchWriteItem's kind."""
    return isinstance(change, Put | Delete) and not change.where


def write_request(change: Put | Delete) -> dict[str, Any]:
    """Return an unconditional put or delete as BatchWriteItem has it."""
    if isinstance(change, Put):
        return {"PutRequest": {"Item": encode_item(change.item)}}
    return {"DeleteRequest": {"Key": encode_item(change.key)}}


def statement(change: Change, prefix: str) -> dict[str, Any] | None:
    """Return the change as one statement of BatchExecuteStatement, or None if PartiQL cannot say it."""
    if isinstance(change, Put):
        return _insert(change, prefix)
    if isinstance(change, Update):
        return _update(change, prefix)
    return None


def _insert(put: Put, prefix: str) -> dict[str, Any] | None:
    if len(put.where) != 1:
        return None
    [lock], table = put.where, put.table
    in_key = lock.attribute == table.partition.name or (table.sort and lock.attribute == table.sort.name)
    if lock.op != "missing" or not in_key:
        return None
    text = _insert_text(table.table_name(prefix), tuple(put.item))
    if text is None:
        return None
    return {
        "Statement": text,
        "Parameters": [encode_value(value) for value in put.item.values()],
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }


@lru_cache(maxsize=256)
def _insert_text(table_name: str, names: tuple[str, ...]) -> str | None:
    """Return the statement that inserts an item with these attributes; None if PartiQL cannot name them."""
    if any("'" in name for name in names):
        return None
    members = ", ".join(f"'{name}': ?" for name in names)
    return f'INSERT INTO "{table_name}" VALUE {{{members}}}'


def _update(update: Update, prefix: str) -> dict[str, Any] | None:
    operators = {clause.op for clause in update.where}
    names = [*update.key, *update.set, *update.remove]
    calls = bool(update.add or update.append) or not operators.isdisjoint(_BY_EXPRESSION)
    inexpressible = calls or '"' in "".join(names)
    if inexpressible or not operators & _PRESENT or not (update.set or update.remove):
        return None
    parameters: list[Any] = []

    def bound(values: Sequence[Value]) -> str:
        parameters.extend(encode_value(value) for value in values)
        return ", ".join("?" * len(values))

    parts = [f'SET "{name}" = {bound([value])}' for name, value in update.set.items()]
    parts += [f'REMOVE "{name}"' for name in update.remove]
    conditions = [f'"{name}" = {bound([value])}' for name, value in update.key.items()]
    conditions += [_predicate(clause, bound) for clause in update.where]
    table = update.table.table_name(prefix)
    return {
        "Statement": f'UPDATE "{table}" {" ".join(parts)} WHERE {" AND ".join(conditions)}',
        "Parameters": parameters,
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }


def _predicate(clause: Clause, bound: Any) -> str:
    match clause.op:
        case "missing":
            return f'"{clause.attribute}" IS MISSING'
        case "exists":
            return f'"{clause.attribute}" IS NOT MISSING'
        case "in" if len(clause.values) > 1:
            return f'"{clause.attribute}" IN [{bound(clause.values)}]'
        case "in":
            return f'"{clause.attribute}" = {bound(clause.values)}'
        case _:
            return f'"{clause.attribute}" {_SYMBOLS[clause.op]} {bound(clause.values)}'
