"""Ships the audit trail to a bucket to which this host may only add.

Files are closed and put once a minute, and when the host ends. An object's name holds the hash of its
content, and it is written only where there is none: a repetition finds what it would write, and nothing that
was shipped can be replaced. Of the files that were shipped the newest stays, since the next life names its
last record.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeAlias

import structlog
from botocore.exceptions import ClientError

from mintline.audit.trail import SUFFIX
from mintline.aws.errors import error_code, translated
from mintline.errors import MintlineError
from mintline.tracebacks import frames
from mintline_signer.host.audit_files import SHIPPED, is_open

if TYPE_CHECKING:
    from types_aiobotocore_s3 import S3Client

log = structlog.get_logger()

PATIENCE = 20.0
"""Seconds in which a host that ends has to have shipped the rest."""
PAUSE = 2.0
"""Seconds until a host that ends tries again what failed."""

WRITING = "a file is still being written"
"""Why a file is left that a process has open."""

Put: TypeAlias = Callable[[str, bytes], Awaitable[None]]
"""Stores bytes under a name, unless there are some."""


class ShippedFiles(Protocol):
    """The files of the trail."""

    async def close_file(self) -> None:
        """End the file that is being written."""
        ...


class AuditBucket:
    """The bucket of the trail, under this host's own name."""

    def __init__(self, s3: S3Client, *, bucket: str, host: str) -> None:
        self._s3 = s3
        self._bucket = bucket
        self._host = host

    async def put(self, name: str, content: bytes) -> None:
        """Add an object; one that is there is the same, since its name has its hash.

        Raises Unavailable or Throttled. Object Lock takes a checksum with each object.
        """
        checksum = base64.b64encode(hashlib.sha256(content).digest()).decode()
        try:
            with translated():
                await self._s3.put_object(
                    Bucket=self._bucket,
                    Key=f"{self._host}/{name}",
                    Body=content,
                    ContentType="application/octet-stream",
                    ChecksumSHA256=checksum,
                    IfNoneMatch="*",
                )
        except ClientError as error:
            if error_code(error) != "PreconditionFailed":
                raise


class AuditShipping:
    """Ships the closed files of a folder; other processes may write to it, and no other host ships it.

    `ship` may be repeated, after a crash too: what is shipped is moved away only afterwards.
    """

    def __init__(self, folder: Path, put: Put) -> None:
        self._folder = folder
        self._put = put

    async def keep(
        self, files: ShippedFiles, *, every: float, sleep: Callable[[float], Awaitable[None]]
    ) -> None:
        """Ship every so many seconds, until this is cancelled; it outlives whatever breaks."""
        while True:
            await sleep(every)
            try:
                await files.close_file()
            except Exception as error:  # noqa: BLE001 - what is closed is shipped all the same
                self._log_failure(error)
            await self.ship()

    async def finish(
        self, *, patience: float = PATIENCE, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> None:
        """Ship what is left, once this host's files are closed, again and again until nothing is.

        After `patience` seconds it logs `audit_trail_left_behind` and returns.
        """
        failed: str | None = None
        try:
            async with asyncio.timeout(patience):
                while (failed := await self.ship()) is not None:
                    await sleep(PAUSE)
        except TimeoutError:
            log.error("audit_trail_left_behind", folder=str(self._folder), error=failed or "timeout")  # noqa: TRY400 - no traceback

    async def ship(self) -> str | None:
        """Put every closed file, the oldest first; return why some are left, or None.

        What fails is logged, and is shipped the next time. A file that cannot be read or moved does not stop
        the others; any other failure ends the pass. One that is still being written is left, and not logged.
        """
        failed: str | None = None
        try:
            for path in await asyncio.to_thread(self._found):
                try:
                    if await asyncio.to_thread(is_open, path):
                        failed = failed or WRITING
                    else:
                        await self._ship(path)
                except FileNotFoundError:
                    # A shipment that was cut off has put it away since.
                    continue
                except OSError as error:
                    failed = self._log_failure(error)
        except Exception as error:  # noqa: BLE001 - the next pass must come
            failed = self._log_failure(error)
        return failed

    async def _ship(self, path: Path) -> None:
        content = await asyncio.to_thread(path.read_bytes)
        if content:
            digest = hashlib.sha256(content).hexdigest()[:32]
            await self._put(f"{path.stem}-{digest}{SUFFIX}", content)
        await asyncio.to_thread(self._put_away, path)

    def _log_failure(self, error: Exception) -> str:
        """Log a failure, and return what it was."""
        about = _about(error)
        if about is None:
            # No text of the error: it may quote what it was about.
            about = type(error).__name__
            log.error("audit_trail_not_shipped", folder=str(self._folder), error=about, frames=frames(error))
        else:
            log.error("audit_trail_not_shipped", folder=str(self._folder), error=about)
        return about

    def _found(self) -> list[Path]:
        return sorted(self._folder.glob(f"*{SUFFIX}"))

    def _put_away(self, path: Path) -> None:
        """Move a file that was shipped, and delete those that were but the one begun last.

        It may run twice at once, since a thread outlives its cancelled task: then one moves the file, and the
        other raises FileNotFoundError.
        """
        shipped = self._folder / SHIPPED
        shipped.mkdir(exist_ok=True, mode=0o700)
        if path.stat().st_size == 0:
            path.unlink()
            return
        path.rename(shipped / path.name)
        for old in sorted(shipped.glob(f"*{SUFFIX}"))[:-1]:
            old.unlink(missing_ok=True)


def _about(error: Exception) -> str | None:
    """Return what may be reported of an error; None if it is none of those that are expected."""
    match error:
        case ClientError():
            return error_code(error)
        case OSError():
            return error.strerror or type(error).__name__
        case MintlineError():
            return str(error)
        case _:
            return None
