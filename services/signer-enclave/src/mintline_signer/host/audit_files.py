"""The host's half of the audit trail: append-only files, on the disk before an answer goes on.

What arrives while a write is under way is written together by the next one: every batch costs an fsync, but
many share it. A file is never written again once it is closed; a new process begins a new one. It is locked
(flock(2)) from before it has its name until it is closed, so that other processes know which ones are.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

import structlog

from mintline.atomic_files import sync_folder
from mintline.audit.records import NO_HASH, Batch, hash_of, write_batches
from mintline.audit.trail import MAX_FILE, SUFFIX, last_batch
from mintline.errors import Misconfigured, Unavailable

log = structlog.get_logger()

SHIPPED = "shipped"
"""The folder, within the trail's, of the newest file that was shipped."""


class AuditStore(Protocol):
    """Where batches are kept."""

    def last(self) -> bytes:
        """Return the hash of the last record that is stored; zeros if there is none."""
        ...

    def store(self, batch: Batch) -> asyncio.Future[None]:
        """Return what is done once the batch is durable; it fails with Unavailable if it will not be."""
        ...


class AuditFiles:
    """An AuditStore in a folder, while it is entered; other processes may write to the same folder."""

    def __init__(
        self,
        folder: Path,
        *,
        max_file: int = MAX_FILE,
        sync: Callable[[int], None] = os.fsync,
        now: Callable[[], int] = time.time_ns,
    ) -> None:
        self._folder = folder
        self._max_file = max_file
        self._sync = sync
        self._now = now
        self._waiting: list[tuple[Batch, asyncio.Future[None]]] = []
        self._arrived = asyncio.Event()
        self._file: int | None = None
        self._exclusive = asyncio.Lock()
        self._size = 0
        self._writer: asyncio.Task[None] | None = None
        self._closing = False
        self._last = NO_HASH

    async def __aenter__(self) -> Self:
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._last = _last_in(self._folder)
            self._open()
        except OSError as error:
            raise Misconfigured(f"audit trail: cannot write to {self._folder}: {error.strerror}") from None
        self._writer = asyncio.create_task(self._write_on(), name="audit trail")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing = True
        self._arrived.set()
        try:
            if self._writer is not None:
                await self._writer
        finally:
            self._close()

    async def close_file(self) -> None:
        """End the file that is being written, if it has anything; the next batch begins another one."""
        async with self._exclusive:
            if self._size:
                self._close()

    def last(self) -> bytes:
        """Return the hash of the last record that this process stored, or found in the newest file."""
        return self._last

    def store(self, batch: Batch) -> asyncio.Future[None]:
        """Return what is done once the batch is on the disk."""
        durable: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((batch, durable))
        self._arrived.set()
        return durable

    async def _write_on(self) -> None:
        """Write whatever arrives, and the last of it when this is closed."""
        while self._waiting or not self._closing:
            await self._arrived.wait()
            self._arrived.clear()
            waiting, self._waiting = self._waiting, []
            if not waiting:
                continue
            fault: Unavailable | None = None
            try:
                async with self._exclusive:
                    await asyncio.to_thread(self._write, write_batches([batch for batch, _ in waiting]))
            except OSError as error:
                log.error("audit_trail_unwritable", folder=str(self._folder), error=error.strerror)  # noqa: TRY400 - no traceback
                fault = Unavailable("the audit trail cannot be written")
            else:
                self._last = hash_of(waiting[-1][0].records[-1])
            for _, durable in waiting:
                if durable.done():
                    continue
                if fault is None:
                    durable.set_result(None)
                else:
                    durable.set_exception(fault)

    def _write(self, data: bytes) -> None:
        if self._file is None or (self._size and self._size + len(data) > self._max_file):
            self._open()
        assert self._file is not None
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(self._file, view) :]
            self._sync(self._file)
        except OSError:
            # What is half written ends this file for good: a reader takes it for a torn tail.
            self._close()
            raise
        self._size += len(data)

    def _open(self) -> None:
        """Begin a file, and make its name durable too."""
        self._close()
        name = f"{self._now():020d}-{os.getpid()}{SUFFIX}"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND
        fresh = self._folder / f".{name}.new"
        file = os.open(fresh, flags, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._give(file)
            fresh.rename(self._folder / name)
        except OSError:
            os.close(file)
            fresh.unlink(missing_ok=True)
            raise
        self._file = file
        sync_folder(self._folder)

    def _give(self, file: int) -> None:
        """Give root's file to the folder's owner: the host that ships it need not be root."""
        folder = self._folder.stat()
        with suppress(OSError):
            os.fchown(file, folder.st_uid, folder.st_gid)

    def _close(self) -> None:
        file, self._file, self._size = self._file, None, 0
        if file is not None:
            os.close(file)


def is_open(path: Path) -> bool:
    """Tell whether a process still writes a file of the trail: once it does not, none ever does again.

    Raises OSError if the file cannot be read.
    """
    file = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(file)
    return False


def _last_in(folder: Path) -> bytes:
    """Return the hash of the last record in the newest file that has one; zeros if none has."""
    paths = (*folder.glob(f"*{SUFFIX}"), *folder.glob(f"{SHIPPED}/*{SUFFIX}"))
    for path in sorted(paths, key=lambda path: path.name, reverse=True):
        # One that its host ships meanwhile is gone.
        with suppress(FileNotFoundError):
            batch = last_batch(path)
            if batch is not None:
                return hash_of(batch.records[-1])
    return NO_HASH
