"""The latest records of operations, so that a transaction's steps need not read them again."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass

from mintline.aws.items import Item
from mintline.aws.records import read_operation_item
from mintline.errors import Unreadable
from mintline.records.operations import Operation
from mintline.set_aside import SetAside

MOST = 8_000
"""Each takes about 3 kB. What is not known any more is read again, a hundred in a request."""


@dataclass(slots=True)
class _Known:
    operation: Operation | None = None
    item: Item | None = None
    """What is later than `operation`, and was not asked for yet."""


class KnownOperations:
    """Remembers operations, most of them as items: those are read once somebody asks for them."""

    def __init__(self, *, set_aside: SetAside) -> None:
        self._set_aside = set_aside
        self._known: OrderedDict[str, _Known] = OrderedDict()

    def note(self, item: Item) -> None:
        """Note the latest item of an operation."""
        name = item.get("mint_id")
        if isinstance(name, str):
            self._place(name).item = item

    def read(self, operation: Operation, item: Item | None = None) -> None:
        """Note what an operation's item says: the latest one, unless another than `item` was noted since."""
        known = self._place(operation.operation_id)
        known.operation = operation
        if known.item is item:
            known.item = None

    def all(self, names: Iterable[str]) -> dict[str, Operation]:
        """Return those that are known; of an unreadable item, which is set aside, what was read before."""
        operations: dict[str, Operation] = {}
        for name in names:
            if (known := self._known.get(name)) is None:
                continue
            item, known.item = known.item, None
            if item is not None:
                with suppress(Unreadable):
                    known.operation = read_operation_item(item, self._set_aside)
            if known.operation is not None:
                operations[name] = known.operation
        return operations

    def _place(self, name: str) -> _Known:
        known = self._known.setdefault(name, _Known())
        self._known.move_to_end(name)
        if len(self._known) > MOST:
            self._known.popitem(last=False)
        return known
