"""Lines as CSV (RFC 4180): the columns and the JSON that a row stands for.

One column names the recipient in each row; the others are metadata, `external_id` and `tags`, and in an
ERC-1155 collection `token_id` and `quantity`, where metadata may be left to other rows of the item. A column
`attribute:TRAIT` is one trait with a text value; `attributes` holds the whole list as JSON.
"""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from mintline import strict_json
from mintline_api.features.drops.lines import StoredLine
from mintline_api.features.drops.problems import CSV_COLUMNS
from mintline_api.http.problems import Fault, RequestRefused

RECIPIENTS = ("address", "user", "email")
ITEM = ("token_id", "quantity")
METADATA = ("name", "description", "image", "external_url", "animation_url", "background_color")
REPORT = ("line", "pointer", "reason")
"""What `GET …/refused` adds; ignored when it comes back."""
KNOWN = frozenset({*RECIPIENTS, *ITEM, *METADATA, "attributes", "external_id", "tags", *REPORT})
TRAIT = "attribute:"
TAG_SEPARATOR = ";"
MAX_COLUMNS = 128


class BadRow(ValueError):  # noqa: N818 - named for what was found
    """A row that stands for no line; the message says why, `pointer` where."""

    def __init__(self, detail: str, *, pointer: str = "#") -> None:
        super().__init__(detail)
        self.pointer = pointer


def row_of(text: str) -> list[str]:
    """Return the values of one record; raises BadRow."""
    try:
        rows = list(csv.reader([text], strict=True))
    except csv.Error as error:
        raise BadRow(f"not a CSV record: {error}") from None
    return rows[0] if rows else []


def csv_text(values: Sequence[str]) -> str:
    """Return one record with its line end."""
    return ",".join(map(_cell, values)) + "\r\n"


def _cell(value: str) -> str:
    quoted = value.replace('"', '""')
    return f'"{quoted}"' if any(character in value for character in ',"\r\n') else value


def names_columns(row: Sequence[str], *, items: bool = False) -> bool:
    """Tell whether a row is a header row: it names known columns alone, all that are required among them."""
    names = _names(row)
    return set(_required(items=items)) <= set(names) and all(_known(name) for name in names)


def columns_of(row: Sequence[str], *, items: bool = False) -> tuple[str, ...]:
    """Return the columns that the first row names; raises RequestRefused for unknown or missing ones.

    `items`: those of lines in an ERC-1155 collection.
    """
    names = _names(row)
    faults = [Fault(f"unknown column {name[:100]!r}", pointer="#") for name in names if not _known(name)]
    twice = (name for name, count in Counter(names).items() if count > 1)
    faults += [Fault(f"column {name!r} appears twice", pointer="#") for name in twice]
    faults += [
        Fault(f"column {name!r} is missing", pointer="#")
        for name in _required(items=items)
        if name not in names
    ]
    if not set(RECIPIENTS) & set(names):
        faults.append(Fault("expected at least one of the columns address, user and email", pointer="#"))
    if len(names) > MAX_COLUMNS:
        faults.append(Fault(f"expected at most {MAX_COLUMNS} columns", pointer="#"))
    if faults:
        raise RequestRefused(CSV_COLUMNS, f"The first row: {faults[0].detail}.", faults=faults[:20])
    return tuple(names)


def value_of(row: Sequence[str], columns: Sequence[str]) -> dict[str, Any]:
    """Return the JSON object that a row stands for, empty cells left out; raises BadRow."""
    if len(row) != len(columns):
        raise BadRow(f"expected {len(columns)} values, not {len(row)}")
    cells = {name: value for name, value in zip(columns, row, strict=True) if value and name not in REPORT}
    metadata: dict[str, Any] = {name: cells[name] for name in METADATA if name in cells}
    if attributes := _attributes(cells):
        metadata["attributes"] = attributes
    value: dict[str, Any] = {
        "recipient": {name: cells[name] for name in RECIPIENTS if name in cells},
        **{name: cells[name] for name in ITEM if name in cells},
    }
    if metadata or "token_id" not in columns:
        value["metadata"] = metadata
    if "external_id" in cells:
        value["external_id"] = cells["external_id"]
    if "tags" in cells:
        value["tags"] = [tag for tag in (each.strip() for each in cells["tags"].split(TAG_SEPARATOR)) if tag]
    return value


def row_for(line: StoredLine, columns: Sequence[str]) -> str:
    """Return an accepted line as a CSV record of these columns that says the same."""
    metadata = {} if line.metadata is None else json.loads(line.metadata)
    traits = metadata.pop("attributes", [])
    cells = {name: value for name, value in metadata.items() if isinstance(value, str)}
    cells |= {"address": line.address or "", "user": line.user or "", "email": line.email or ""}
    cells |= {"external_id": line.external_id or "", "tags": TAG_SEPARATOR.join(line.tags or ())}
    if line.item_id is not None:
        cells |= {"token_id": str(line.item_id), "quantity": str(line.tokens)}
    left: list[Any] = []
    for trait in traits:
        column = f"{TRAIT}{trait.get('trait_type')}"
        if column in columns and column not in cells and isinstance(trait["value"], str):
            cells[column] = trait["value"]
        else:
            left.append(trait)
    if left:
        cells["attributes"] = json.dumps(left, ensure_ascii=False)
    return csv_text([cells.get(name, "") for name in columns]).removesuffix("\r\n")


def _attributes(cells: Mapping[str, str]) -> list[Any]:
    attributes: list[Any] = []
    if "attributes" in cells:
        try:
            listed = strict_json.parse(cells["attributes"].encode(), what="The cell")
        except (strict_json.NotJson, strict_json.AmbiguousJson) as error:
            raise BadRow(str(error), pointer="#/metadata/attributes") from None
        if not isinstance(listed, list):
            raise BadRow("expected a JSON array", pointer="#/metadata/attributes")
        attributes += listed
    attributes += [
        {"trait_type": name.removeprefix(TRAIT), "value": value}
        for name, value in cells.items()
        if name.startswith(TRAIT)
    ]
    return attributes


def _names(row: Sequence[str]) -> list[str]:
    return [name.strip() if name.strip().startswith(TRAIT) else name.strip().lower() for name in row]


def _required(*, items: bool) -> tuple[str, ...]:
    return ("token_id",) if items else ("name", "image")


def _known(name: str) -> bool:
    return name in KNOWN or (name.startswith(TRAIT) and len(name) > len(TRAIT))
