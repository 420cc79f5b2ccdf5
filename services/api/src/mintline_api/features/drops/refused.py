"""Hands refused lines back in the format in which they came, each with pointers and reasons.

NDJSON: the line's own object with the member `refused`, or that member alone if the line was no object. CSV:
the line's own columns and three more. Either can be corrected and sent again: what was added is ignored then.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterable
from typing import Any

from mintline import strict_json
from mintline.drop_records import Drop, DropPart
from mintline_api.features.drops.csv_lines import REPORT, BadRow, csv_text, row_of
from mintline_api.features.drops.lines import RefusedLine, from_ndjson
from mintline_api.features.drops.ports import DropStore, LineObjects


async def refused_text(drop: Drop, *, store: DropStore, objects: LineObjects) -> AsyncIterator[bytes]:
    """Yield the refused lines of a drop as text, a part at a time."""
    columns: tuple[str, ...] = ()
    async for part in store.parts(drop.drop_id):
        lines = await _refused_in(part, objects)
        if drop.upload.format != "csv":
            yield b"".join(_ndjson(line) for line in lines)
            continue
        rows: list[str] = []
        for line in lines:
            if line.columns != columns:
                columns = line.columns
                rows.append(csv_text([*_own(columns), *REPORT]))
            rows.append(_row(line))
        yield "".join(rows).encode()


async def _refused_in(part: DropPart, objects: LineObjects) -> list[RefusedLine]:
    lines: list[RefusedLine] = []
    for key in (part.refused_key, part.unresolved_key):
        if key is not None:
            lines += from_ndjson(await objects.get(key), RefusedLine)
    return sorted(lines, key=lambda line: line.line)


def _ndjson(line: RefusedLine) -> bytes:
    report: dict[str, Any] = {
        "line": line.line,
        "errors": [fault.model_dump(exclude_none=True) for fault in line.errors],
    }
    try:
        value = strict_json.parse(line.text.encode())
    except ValueError:
        value = None
    if isinstance(value, dict):
        handed = {**value, "refused": report}
    else:
        handed = {"refused": {**report, "text": line.text}}
    return json.dumps(handed, ensure_ascii=False).encode(errors="backslashreplace") + b"\n"


def _own(columns: Iterable[str]) -> list[str]:
    return [name for name in columns if name not in REPORT]


def _row(line: RefusedLine) -> str:
    try:
        values = row_of(line.text)
    except BadRow:
        values = [line.text]
    if len(values) == len(line.columns):
        named = zip(line.columns, values, strict=True)
        values = [value for name, value in named if name not in REPORT]
    first = line.errors[0]
    width = len(_own(line.columns))
    values = [*values, *[""] * (width - len(values))]
    return csv_text([*values, str(line.line), first.pointer, "; ".join(f.detail for f in line.errors)])
