"""What uploads need from storage."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from mintline.records.uploads import Upload


@dataclass(frozen=True, slots=True)
class PutRequest:
    """The request by which a caller puts the bytes: a URL that carries its own authorization."""

    url: str
    headers: Mapping[str, str]
    """To be sent exactly so."""


@dataclass(frozen=True, slots=True)
class Received:
    """What was put at an upload's URL; `version` names these very bytes."""

    version: str
    size: int


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file that is served."""

    content_type: str
    size: int


class UploadStore(Protocol):
    """The records of uploads."""

    async def create(self, upload: Upload) -> None:
        """Put a new upload on record."""
        ...

    async def get(self, upload_id: str) -> Upload | None:
        """Return an upload as it is now."""
        ...

    async def complete(self, upload: Upload) -> None:
        """Record that an upload is complete, unless it is already."""
        ...


class FileStore(Protocol):
    """The bytes of uploads, before and after they are checked."""

    async def put_request(self, upload: Upload, *, seconds: int) -> PutRequest:
        """Return the request that puts an upload's bytes, good for that many seconds."""
        ...

    async def receive(self, upload_id: str, into: Callable[[bytes], None], *, most: int) -> Received | None:
        """Pass what was put to `into`, in pieces, unless it is longer than `most` bytes; None for nothing."""
        ...

    async def publish(self, upload: Upload, *, version: str) -> bool:
        """Serve what was put, under its SHA-256 and type; False if something else was put since `version`."""
        ...

    async def describe(self, sha256: bytes) -> StoredFile | None:
        """Return type and size of a file that is served."""
        ...

    def read(self, sha256: bytes, *, start: int, length: int) -> AsyncIterator[bytes]:
        """Return part of a file that is served, in pieces."""
        ...
