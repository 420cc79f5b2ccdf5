"""Operations on uploads, and the files themselves."""

from __future__ import annotations

from aiohttp import web

from mintline.scopes import Scope
from mintline_api.auth.callers import read_caller
from mintline_api.features.operations.headers import location
from mintline_api.features.uploads import examples
from mintline_api.features.uploads.models import MediaPath, UploadPath, UploadRequest, UploadView, upload_view
from mintline_api.features.uploads.problems import (
    MEDIA_TYPE_NOT_ACCEPTED,
    RANGE_NOT_SATISFIABLE,
    UNKNOWN_MEDIA,
    UNKNOWN_UPLOAD,
    UPLOAD_MISMATCH,
    UPLOAD_NOT_RECEIVED,
    UPLOAD_TOO_LARGE,
)
from mintline_api.features.uploads.serving import MediaFiles
from mintline_api.features.uploads.use_cases import PUT_SECONDS, Uploads, announce, complete, get_upload
from mintline_api.http.models import NoQuery
from mintline_api.http.operations import Answer, HeaderField, Operations, not_modified
from mintline_api.http.problems import BODY, INVALID_PARAMETER, OVERLOADED
from mintline_api.http.requests import read_body, read_path, read_query
from mintline_api.http.responses import json_response
from mintline_api.limits.writes import count_write

UPLOADS = web.AppKey("uploads", Uploads)
MEDIA = web.AppKey("media", MediaFiles)
operations = Operations(
    "Media",
    "Files that metadata names. Put one, complete it, and send `upload:ID` as `image` or `animation_url`.",
    reads=Scope.MINTS_READ,
    changes=Scope.MINTS_CREATE,
)


@operations.add(
    "POST",
    "/v1/uploads",
    summary="Create an upload",
    clients=True,
    description="Announces a file by type, size and SHA-256, and returns the request that puts its bytes "
    "(`put`), which goes to storage directly and needs no access token. Then complete the upload. One that "
    "is not completed within a day is forgotten.",
    body_model=UploadRequest,
    body_example=examples.UPLOAD_REQUEST_JSON,
    answers=(
        Answer(
            201,
            "The upload, with the request that puts the bytes.",
            UploadView,
            examples.CREATED,
            headers=(location(f"/v1/uploads/{examples.UPLOAD_ID}"),),
        ),
    ),
    problems=(*BODY, MEDIA_TYPE_NOT_ACCEPTED, UPLOAD_TOO_LARGE),
)
async def create_upload(request: web.Request) -> web.Response:
    """Create an upload."""
    uploads = request.app[UPLOADS]
    caller = await read_caller(request)
    read_query(request, NoQuery)
    body = await read_body(request, UploadRequest)
    await count_write(request, caller.sub)
    upload, put = await announce(body, asked_by=caller.sub, uploads=uploads)
    view = upload_view(
        upload, url=uploads.url(upload), put=put, expires_at=upload.created_at + PUT_SECONDS * 1000
    )
    return json_response(view, status=201, headers={"Location": f"/v1/uploads/{upload.upload_id}"})


@operations.add(
    "GET",
    "/v1/uploads/{upload_id}",
    summary="An upload",
    clients=True,
    description="Shows an upload of the caller's.",
    path_model=UploadPath,
    answers=(Answer(200, "The upload.", UploadView, examples.COMPLETE),),
    problems=(INVALID_PARAMETER, UNKNOWN_UPLOAD),
)
async def read_upload(request: web.Request) -> web.Response:
    """Return one upload."""
    uploads = request.app[UPLOADS]
    caller = await read_caller(request)
    read_query(request, NoQuery)
    path = read_path(request, UploadPath)
    upload = await get_upload(path.upload_id, asked_by=caller.sub, uploads=uploads)
    return json_response(upload_view(upload, url=uploads.url(upload)))


@operations.add(
    "POST",
    "/v1/uploads/{upload_id}/complete",
    summary="Complete an upload",
    clients=True,
    description="Checks the bytes that were put: their number, their SHA-256, and that they are of the "
    "announced type. From then on everyone gets the file at `url`, permanently. Safe to repeat.",
    path_model=UploadPath,
    answers=(Answer(200, "The file is served.", UploadView, examples.COMPLETE),),
    problems=(INVALID_PARAMETER, UNKNOWN_UPLOAD, UPLOAD_NOT_RECEIVED, UPLOAD_MISMATCH),
)
async def complete_upload(request: web.Request) -> web.Response:
    """Check what was put, and serve it."""
    uploads = request.app[UPLOADS]
    caller = await read_caller(request)
    read_query(request, NoQuery)
    path = read_path(request, UploadPath)
    await count_write(request, caller.sub)
    upload = await complete(path.upload_id, asked_by=caller.sub, uploads=uploads)
    return json_response(upload_view(upload, url=uploads.url(upload)))


@operations.add(
    "GET",
    "/media/{sha256}",
    summary="A file",
    description="A file that was uploaded, by its SHA-256: for everyone, from any origin, whole or in one "
    "range of bytes. It never changes, so any cache may keep it. A deployment may serve it at another "
    "address: `url` of the upload has it.",
    secured=False,
    path_model=MediaPath,
    answers=(
        Answer(
            200,
            "The file, under the type that its bytes show.",
            media_type="image/png",
            headers=(
                HeaderField("ETag", "The SHA-256.", {"type": "string"}, '"9f86d081884c7d65…"'),
                HeaderField(
                    "Cache-Control",
                    "For everyone, permanently.",
                    {"type": "string"},
                    "public, max-age=31536000, immutable",
                ),
            ),
        ),
        Answer(206, "The range that was asked for.", media_type="image/png"),
        not_modified("image/png"),
    ),
    problems=(INVALID_PARAMETER, UNKNOWN_MEDIA, RANGE_NOT_SATISFIABLE, OVERLOADED),
)
async def read_media(request: web.Request) -> web.StreamResponse:
    """Return a file."""
    path = read_path(request, MediaPath)
    return await request.app[MEDIA].send(request, bytes.fromhex(path.sha256))
