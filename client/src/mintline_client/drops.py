"""Drops: uploads that go on where they broke off, and following a drop to its end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from mintline.errors import Rejected, Unavailable
from mintline_client.api import Api
from mintline_client.errors import Conflicting
from mintline_client.models import DropRequest, DropView, DryRunView, LinesView, MintView

PATH = "/v1/drops"

MEDIA_TYPES = {".ndjson": "application/x-ndjson", ".jsonl": "application/x-ndjson", ".csv": "text/csv"}
"""By the ends of files' names."""
PIECE = 64 * 1024
TRIES = 5
"""Uploads that may break off one after another without any byte taken."""
POLL_SECONDS = 1.0
MOVED_ON = "upload-offset"
"""The refusal of bytes that do not follow those taken: of a broken upload, more may still arrive."""

Heard = Callable[[DropView], None]
"""Called with a drop after each poll."""
Taken = Callable[[LinesView], None]
"""Called with what a drop has taken after each upload."""


class Drops:
    """A machine client's drops. Calls raise Refused for what the API refuses, and Unavailable."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def create(self, request: DropRequest, *, idempotency_key: str | None = None) -> DropView:
        """Make an empty drop; the same idempotency key is the same drop."""
        drop: DropView = await self._api.post(PATH, request, idempotency_key=idempotency_key)
        return drop

    async def get(self, drop_id: str) -> DropView:
        """Return a drop."""
        drop: DropView = await self._api.get(f"{PATH}/{drop_id}")
        return drop

    def list(self) -> AsyncIterator[DropView]:
        """Return the client's drops, newest first."""
        return self._api.pages(PATH)

    async def upload(self, drop_id: str, file: Path, *, begins_at: int = 0) -> LinesView:
        """Upload a file of lines, from where the drop's upload stands; see `offset` for another file.

        `begins_at` is the drop's byte that the file's first byte is. An upload that breaks off is continued.
        Raises ValueError for a file whose name says no format, or that does not reach to where the upload
        stands.
        """
        return await upload(self._api, drop_id, file, begins_at=begins_at)

    async def offset(self, drop_id: str) -> int:
        """Return how many bytes of lines a drop has taken, of all files."""
        return await offset_of(self._api, drop_id)

    async def refused(self, drop_id: str) -> bytes:
        """Return the refused lines in the format in which they came, with the reasons."""
        return await self._api.get_bytes(f"{PATH}/{drop_id}/refused")

    async def dry_run(self, drop_id: str) -> DryRunView:
        """Return what a drop would make, cost and take, before anything is made or spent."""
        tried: DryRunView = await self._api.post(f"{PATH}/{drop_id}/dry-run", {})
        return tried

    async def prepare(self, drop_id: str) -> DropView:
        """Make the users, wallets and token ids of a drop; it takes no more lines."""
        return await self._act(drop_id, "prepare")

    async def start(self, drop_id: str) -> DropView:
        """Authorize a prepared drop, and have its lines minted."""
        return await self._act(drop_id, "start")

    async def pause(self, drop_id: str) -> DropView:
        """Hand on no more lines of a drop; those that were are minted."""
        return await self._act(drop_id, "pause")

    async def resume(self, drop_id: str) -> DropView:
        """Go on with a paused drop, authorized by a fresh token."""
        return await self._act(drop_id, "resume")

    async def cancel(self, drop_id: str) -> DropView:
        """Hand on no more lines of a drop, permanently; those that were are minted."""
        return await self._act(drop_id, "cancel")

    async def run(self, drop_id: str, *, heard: Heard = lambda _drop: None) -> DropView:
        """Prepare a drop, start or resume it, and follow it until all its tokens are final.

        Raises Rejected if it is paused or cancelled meanwhile.
        """
        drop = await self.get(drop_id)
        if drop["status"] in ("draft", "preparing"):
            await self.prepare(drop_id)
            drop = await follow_drop(self._api, drop_id, "prepared", heard=heard)
        if drop["status"] in ("prepared", "paused"):
            await self._act(drop_id, "start" if drop["status"] == "prepared" else "resume")
        return await self.wait(drop_id, "completed", heard=heard)

    async def wait(self, drop_id: str, *statuses: str, heard: Heard = lambda _drop: None) -> DropView:
        """Follow a drop until its status is one of `statuses`, and return it.

        Raises Rejected if it is paused, cancelled or completed instead.
        """
        return await follow_drop(self._api, drop_id, *statuses, heard=heard)

    def mints(self, drop_id: str, *, status: str | None = None) -> AsyncIterator[MintView]:
        """Return the mints of a drop's lines that were handed on."""
        return self._api.pages(f"{PATH}/{drop_id}/mints", {"status": status})

    async def _act(self, drop_id: str, action: str) -> DropView:
        drop: DropView = await self._api.post(f"{PATH}/{drop_id}/{action}", {})
        return drop


async def offset_of(api: Api, drop_id: str) -> int:
    """Return how many bytes of lines a drop has taken, of all files."""
    offset: int = (await api.get(f"/v1/drops/{drop_id}/lines"))["offset"]
    return offset


async def upload(
    api: Api, drop_id: str, file: Path, *, begins_at: int = 0, heard: Taken = lambda _: None
) -> LinesView:
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
    broke = False
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
            taken: LinesView = await api.send("PATCH", path, _from(file, offset - begins_at), headers=headers)
        except (Unavailable, Conflicting) as error:
            # Without a break of this upload, those bytes are another one's: two files must not be mixed.
            refused = isinstance(error, Conflicting) and not (broke and error.code == MOVED_ON)
            if refused or failures >= TRIES:
                raise
            broke = True
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
) -> DropView:
    """Poll a drop until its status is one of `statuses`, and return it.

    Raises Rejected if it is paused or cancelled instead, and Unavailable if the API is away for `patience`
    polls.
    """
    away = 0
    while True:
        try:
            drop: DropView = await api.get(f"/v1/drops/{drop_id}")
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
                reason = drop["paused"]["reason"] if drop["paused"] else ""
                raise Rejected("drop_not_running", f"the drop is {drop['status']}. {reason}".strip())
        await asyncio.sleep(POLL_SECONDS)
