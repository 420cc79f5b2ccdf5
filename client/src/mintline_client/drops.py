"""Drops: uploads that go on where they broke off, and following a drop to its end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from mintline.errors import Rejected, Unavailable
from mintline_client.api import Api

MEDIA_TYPES = {".ndjson": "application/x-ndjson", ".jsonl": "application/x-ndjson", ".csv": "text/csv"}
"""By the ends of files' names."""
PIECE = 64 * 1024
TRIES = 5
"""Uploads that may break off one after another without any byte taken."""
POLL_SECONDS = 1.0

Heard = Callable[[dict[str, Any]], None]
"""Called with a drop after each poll."""


async def offset_of(api: Api, drop_id: str) -> int:
    """Return how many bytes of lines a drop has taken, of all files."""
    offset: int = (await api.get(f"/v1/drops/{drop_id}/lines"))["offset"]
    return offset


async def upload(
    api: Api, drop_id: str, file: Path, *, begins_at: int = 0, heard: Heard = lambda _: None
) -> dict[str, Any]:
    """Upload a file of lines, from where the drop's upload stands, and return what was taken.

    The file's first byte is the drop's byte `begins_at`: 0 for the first file, and for another one what
    `offset_of` returned before it. An upload that breaks off is continued. Raises Rejected for what the API
    refuses, Unavailable if it keeps breaking off, and ValueError for a file whose name says no format, or
    that does not reach to where the upload stands.
    """
    media_type = MEDIA_TYPES.get(file.suffix.lower())
    if media_type is None:
        raise ValueError(f"{file.name}: expected a file that ends in {', '.join(MEDIA_TYPES)}")
    path = f"/v1/drops/{drop_id}/lines"
    size = (await asyncio.to_thread(file.stat)).st_size
    failures = 0
    offset = -1
    while True:
        before, offset = offset, await offset_of(api, drop_id)
        if not begins_at <= offset <= begins_at + size:
            raise ValueError(
                f"{file.name}: the drop has {offset} bytes, which are not those before this file "
                f"({begins_at}) and a beginning of it"
            )
        failures = failures + 1 if offset == before else 0
        headers = {"Content-Type": media_type, "Upload-Offset": str(offset)}
        try:
            taken: dict[str, Any] = await api.send(
                "PATCH", path, _from(file, offset - begins_at), headers=headers
            )
        except Unavailable:
            if failures >= TRIES:
                raise
            await asyncio.sleep(POLL_SECONDS)
            continue
        heard(taken)
        return taken


async def _from(file: Path, offset: int) -> AsyncIterator[bytes]:
    with file.open("rb") as opened:
        opened.seek(offset)
        while data := await asyncio.to_thread(opened.read, PIECE):
            yield data


async def follow_drop(
    api: Api, drop_id: str, *statuses: str, heard: Heard = lambda _: None, patience: int = 30
) -> dict[str, Any]:
    """Poll a drop until its status is one of `statuses`, and return it.

    Raises Rejected if it is paused or cancelled instead, and Unavailable if the API is away for `patience`
    polls.
    """
    away = 0
    while True:
        try:
            drop: dict[str, Any] = await api.get(f"/v1/drops/{drop_id}")
        except Unavailable:
            away += 1
            if away >= patience:
                raise
        else:
            away = 0
            heard(drop)
            if drop["status"] in statuses:
                return drop
            if drop["status"] in ("paused", "cancelled", "completed") and drop["resumes_at"] is None:
                reason = (drop["paused"] or {}).get("reason", "")
                raise Rejected("drop_not_running", f"the drop is {drop['status']}. {reason}".strip())
        await asyncio.sleep(POLL_SECONDS)
