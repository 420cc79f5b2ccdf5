"""Items of ERC-1155 collections that the lines of a request name."""

from __future__ import annotations

from collections.abc import Sequence

from mintline.records.collections import RegisteredContract
from mintline.tasks import results_of
from mintline_api.features.bulk.models import LineRequest
from mintline_api.features.bulk.recipients import AT_ONCE, refuse_lines
from mintline_api.features.items.use_cases import Item, Items, asked_item
from mintline_api.http.problems import Fault, RequestRefused


def line_items(lines: Sequence[LineRequest], collection: RegisteredContract) -> list[Item | None]:
    """Return the item of each line, None for each in an ERC-721 collection.

    Raises RequestRefused with each line that does not fit the collection's standard.
    """
    items: list[Item | None] = []
    faults: list[Fault] = []
    for number, line in enumerate(lines):
        try:
            items.append(asked_item(collection, line.token_id, line.quantity, at=f"#/mints/{number}"))
        except RequestRefused as refused:
            faults += refused.faults
    refuse_lines(faults)
    return items


async def check_items(
    items: Sequence[Item | None], contract: str, metadata: Sequence[str], *, items_of: Items
) -> None:
    """Raise RequestRefused with each line whose item has other metadata, on record or in an earlier line."""
    first: dict[int, int] = {}
    faults: list[Fault] = []
    for number, item in enumerate(items):
        earlier = None if item is None else first.setdefault(item.item_id, number)
        if earlier is not None and metadata[earlier] != metadata[number]:
            detail = f"expected the metadata of #/mints/{earlier}, which has the same item"
            faults.append(Fault(detail, pointer=f"#/mints/{number}/metadata"))
    refuse_lines(faults)

    async def check(number: int) -> Sequence[Fault]:
        pointer = f"#/mints/{number}/metadata"
        try:
            await items_of.check(contract, items[number], metadata[number], pointer=pointer)
        except RequestRefused as refused:
            return refused.faults
        return ()

    line_faults = await results_of(first.values(), check, at_once=AT_ONCE)
    refuse_lines([fault for of_line in line_faults for fault in of_line])


async def begin_items(
    items: Sequence[Item | None],
    contract: str,
    metadata: Sequence[str],
    *,
    items_of: Items,
    client_id: str,
    request_id: str,
    now: int,
) -> None:
    """Make sure that each line's item has its metadata; `now` is in Unix milliseconds.

    Raises RequestRefused if another request has just given one of them other metadata.
    """
    texts = {item.item_id: (item, text) for item, text in zip(items, metadata, strict=True) if item}

    async def begin(named: tuple[Item, str]) -> None:
        item, text = named
        await items_of.begin(contract, item, text, client_id=client_id, operation_id=request_id, now=now)

    await results_of(texts.values(), begin, at_once=AT_ONCE)
