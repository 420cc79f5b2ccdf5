"""Uploads in memory: records in a dict, and buckets that a test puts bytes into."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Callable

from mintline.records.uploads import Upload
from mintline_api.features.uploads.ports import PutRequest, Received, StoredFile


class MemoryUploads:
    """The records of uploads."""

    def __init__(self) -> None:
        self.items: dict[str, Upload] = {}

    async def create(self, upload: Upload) -> None:
        self.items[upload.upload_id] = upload

    async def get(self, upload_id: str) -> Upload | None:
        return self.items.get(upload_id)

    async def complete(self, upload: Upload) -> None:
        if self.items[upload.upload_id].completed_at is None:
            self.items[upload.upload_id] = upload


class MemoryFiles:
    """The bytes of uploads; `put` holds what callers have put, `served` what everyone gets."""

    def __init__(self, *, piece: int = 1000) -> None:
        self.put: dict[str, bytes] = {}
        self.served: dict[bytes, tuple[str, bytes]] = {}
        self.between: Callable[[], None] = lambda: None
        """What happens between the check of what was put and its publication."""
        self.failure: Exception | None = None
        """What reading a file fails with after its first piece."""
        self._piece = piece

    async def put_request(self, upload: Upload, *, seconds: int) -> PutRequest:
        """Return a request that nobody can send."""
        url = f"https://uploads.example.com/{upload.upload_id}?expires={seconds}"
        return PutRequest(url, {"Content-Type": upload.content_type})

    async def receive(self, upload_id: str, into: Callable[[bytes], None], *, most: int) -> Received | None:
        data = self.put.get(upload_id)
        if data is None:
            return None
        if len(data) <= most:
            for start in range(0, len(data), self._piece):
                into(data[start : start + self._piece])
        return Received(hashlib.sha256(data).hexdigest(), len(data))

    async def publish(self, upload: Upload, *, version: str) -> bool:
        """Serve what was put, if it is still that version."""
        self.between()
        data = self.put[upload.upload_id]
        if hashlib.sha256(data).hexdigest() != version:
            return False
        self.served[upload.sha256] = (upload.content_type, data)
        return True

    async def describe(self, sha256: bytes) -> StoredFile | None:
        if sha256 not in self.served:
            return None
        content_type, data = self.served[sha256]
        return StoredFile(content_type, len(data))

    async def read(self, sha256: bytes, *, start: int, length: int) -> AsyncIterator[bytes]:
        part = self.served[sha256][1][start : start + length]
        for at in range(0, len(part), self._piece):
            yield part[at : at + self._piece]
            if self.failure is not None:
                raise self.failure
