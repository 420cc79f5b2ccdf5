"""Uploads: announcing a file, checking what was put, and naming it in metadata.

::

    announced ──▶ put by a presigned URL ──▶ checked ──▶ copied to where it is served ──▶ complete
     record 1        the caller's own                              2                        record 3

If a process dies between 2 and 3, the file is served and the upload not complete: to complete it again copies
the same bytes to the same name. Nothing is served that was not checked: the copy takes the version that was.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from mintline.cids import CidHasher
from mintline.clock import DAY
from mintline.media_types import HEAD, IMAGES, MEDIA_TYPES, sniffed
from mintline.records.uploads import Upload
from mintline_api.features.metadata.models import Metadata
from mintline_api.features.uploads.models import UPLOAD_ID, UPLOAD_SCHEME, MetadataRequest, UploadRequest
from mintline_api.features.uploads.ports import FileStore, PutRequest, UploadStore
from mintline_api.features.uploads.problems import (
    MEDIA_TYPE_NOT_ACCEPTED,
    UNKNOWN_UPLOAD,
    UPLOAD_MISMATCH,
    UPLOAD_NOT_RECEIVED,
    UPLOAD_NOT_USABLE,
    UPLOAD_TOO_LARGE,
)
from mintline_api.http.problems import Fault, RequestRefused

log = structlog.get_logger()

PUT_SECONDS = 3600
"""How long an upload's URL is good; less if the credentials that sign it end before."""
_ID_BYTES = 17
_ID_CHARACTERS = 26
_ID = re.compile(UPLOAD_ID)
_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


@dataclass(frozen=True, slots=True, kw_only=True)
class Uploads:
    """What it takes to take files in; `now` returns Unix milliseconds, `most` is in bytes.

    `media_url` begins the public address of every file.
    """

    uploads: UploadStore
    files: FileStore
    media_url: str
    most: int
    entropy: Callable[[int], bytes]
    now: Callable[[], int]

    def url(self, upload: Upload) -> str:
        """Return where everyone gets the file, once it is complete."""
        return f"{self.media_url}/{upload.sha256.hex()}"


async def announce(request: UploadRequest, *, asked_by: str, uploads: Uploads) -> tuple[Upload, PutRequest]:
    """Create an upload, and return it with the request that puts its bytes; raises RequestRefused."""
    if request.content_type not in MEDIA_TYPES:
        fault = Fault(f"expected one of {', '.join(MEDIA_TYPES)}", pointer="#/content_type")
        raise RequestRefused(
            MEDIA_TYPE_NOT_ACCEPTED, "#/content_type: this type of file is not accepted.", faults=[fault]
        )
    if request.size > uploads.most:
        fault = Fault(f"expected {uploads.most} bytes at most", pointer="#/size")
        raise RequestRefused(
            UPLOAD_TOO_LARGE, f"#/size: a file may have {uploads.most} bytes at most.", faults=[fault]
        )
    now = uploads.now()
    number = int.from_bytes(uploads.entropy(_ID_BYTES), "big")
    digits = "".join(_CROCKFORD[number >> 5 * place & 31] for place in range(_ID_CHARACTERS))
    upload = Upload(
        upload_id=f"upload_{digits}",
        asked_by=asked_by,
        content_type=request.content_type,
        size=request.size,
        sha256=request.sha256,
        created_at=now,
        expires=now // 1000 + DAY,
    )
    await uploads.uploads.create(upload)
    return upload, await uploads.files.put_request(upload, seconds=PUT_SECONDS)


async def get_upload(upload_id: str, *, asked_by: str, uploads: Uploads) -> Upload:
    """Return a caller's upload; raises RequestRefused for any other."""
    upload = await _own(upload_id, asked_by, uploads)
    if upload is None:
        raise RequestRefused(UNKNOWN_UPLOAD, "Upload not found.")
    return upload


async def complete(upload_id: str, *, asked_by: str, uploads: Uploads) -> Upload:
    """Check what was put, serve it, and return the upload; one that is complete already is returned as it is.

    Raises RequestRefused if nothing was put, or something else than was announced.
    """
    upload = await get_upload(upload_id, asked_by=asked_by, uploads=uploads)
    if upload.completed_at is not None:
        return upload
    digest, cid, head = hashlib.sha256(), CidHasher(), bytearray()

    def take(piece: bytes) -> None:
        digest.update(piece)
        cid.update(piece)
        head.extend(piece[: HEAD - len(head)])

    received = await uploads.files.receive(upload_id, take, most=upload.size)
    if received is None:
        raise RequestRefused(UPLOAD_NOT_RECEIVED, "Nothing was put at the upload's URL yet.")
    if received.size != upload.size:
        raise _mismatch(f"{received.size} bytes were put, and {upload.size} announced.")
    if digest.digest() != upload.sha256:
        raise _mismatch(f"The SHA-256 of what was put is 0x{digest.hexdigest()}.")
    media_type = sniffed(bytes(head), received.size)
    if media_type != upload.content_type:
        what = f"is {media_type}" if media_type else "is no file of an accepted type"
        raise _mismatch(f"By its bytes what was put {what}, and {upload.content_type} was announced.")
    if not await uploads.files.publish(upload, version=received.version):
        raise _mismatch("Something else was put while the file was checked. Complete the upload again.")
    done = upload.evolve(cid=cid.text(), completed_at=uploads.now(), expires=None)
    await uploads.uploads.complete(done)
    log.info("upload_completed", upload_id=upload_id, content_type=upload.content_type, size=upload.size)
    # As it is on record: another request may have completed it first.
    return await get_upload(upload_id, asked_by=asked_by, uploads=uploads)


async def resolved(request: MetadataRequest, *, asked_by: str, uploads: Uploads) -> Metadata:
    """Return metadata with the URL of each upload in the place of `upload:ID`; raises RequestRefused."""
    named = {
        name: value.removeprefix(UPLOAD_SCHEME)
        for name, value in (("image", request.image), ("animation_url", request.animation_url))
        if value is not None and value.startswith(UPLOAD_SCHEME)
    }
    if not named:
        return request
    urls = {}
    for name, upload_id in named.items():
        upload = await _own(upload_id, asked_by, uploads)
        if upload is None:
            raise _not_usable(name, "expected an upload of yours")
        if upload.completed_at is None:
            raise _not_usable(name, f"expected an upload that is complete: post to …/{upload_id}/complete")
        if name == "image" and upload.content_type not in IMAGES:
            raise _not_usable(name, f"expected an image: the upload is {upload.content_type}")
        urls[name] = uploads.url(upload)
    return Metadata.model_validate({**request.model_dump(), **urls})


async def _own(upload_id: str, asked_by: str, uploads: Uploads) -> Upload | None:
    """Return a caller's upload; None for what is no id, another's upload, or one that is over."""
    upload = await uploads.uploads.get(upload_id) if _ID.fullmatch(upload_id) else None
    if upload is None or upload.asked_by != asked_by:
        return None
    is_over = upload.expires is not None and upload.expires * 1000 <= uploads.now()
    return None if is_over else upload


def _mismatch(detail: str) -> RequestRefused:
    return RequestRefused(UPLOAD_MISMATCH, detail)


def _not_usable(name: str, detail: str) -> RequestRefused:
    pointer = f"#/metadata/{name}"
    return RequestRefused(UPLOAD_NOT_USABLE, f"{pointer}: {detail}.", faults=[Fault(detail, pointer=pointer)])
