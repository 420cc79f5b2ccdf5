"""Reads an upload of lines from a request: its headers, and its body as it arrives."""

from __future__ import annotations

import re

from aiohttp import hdrs, web

from mintline.drop_records import Drop, DropStatus
from mintline.scopes import Scope
from mintline_api.auth.access_tokens import Caller
from mintline_api.features.drops.context import DROPS
from mintline_api.features.drops.problems import LINES_MEDIA_TYPE
from mintline_api.features.drops.reading import MEDIA_TYPES, Format, LineReader
from mintline_api.features.drops.standards import check_standard
from mintline_api.features.drops.uploads import (
    UPLOAD_OFFSET_HEADER,
    LineUpload,
    lines_closed,
    offset_mismatch,
)
from mintline_api.http.context import DEADLINE, GATE, HTTP
from mintline_api.http.problems import (
    BAD_HTTP,
    BODY_TOO_SLOW,
    INVALID_PARAMETER,
    OVERLOADED,
    Fault,
    RequestRefused,
)

UPLOAD_SECONDS = 600.0
"""How long one upload may take; what was taken by then stays, and the next one goes on."""
UPLOAD_COMPLETE_HEADER = "Upload-Complete"
_OFFSET = re.compile(r"0|[1-9][0-9]{0,15}")
_RETRY_SECONDS = 2


async def take_lines(request: web.Request, drop: Drop, caller: Caller) -> Drop:
    """Take the lines of a request's body; raises RequestRefused for what is wrong with it as a whole."""
    context = request.app[DROPS]
    lines_format = _format(request, drop)
    offset, complete = _offset(request), _complete(request)
    if drop.status is not DropStatus.DRAFT:
        raise lines_closed(drop)
    if offset != drop.upload.offset:
        raise offset_mismatch(drop)
    check_standard(drop, await context.intake.gate.registry.known(drop.contract))
    if context.uploads.locked():
        raise RequestRefused(
            OVERLOADED,
            "The API takes as many uploads of lines as it can at once. Nothing was taken.",
            headers={"Retry-After": str(_RETRY_SECONDS)},
        )
    upload = LineUpload(
        drop=drop,
        reader=LineReader(
            format=lines_format,
            users=context.users,
            may_name_emails=Scope.USERS_WRITE in caller.scopes,
            items=drop.items,
            columns=drop.upload.columns,
        ),
        store=context.store,
        objects=context.objects,
        mints=context.mints,
        media=context.media,
        now=request.app[HTTP].now,
    )
    async with context.uploads:
        request[DEADLINE].suspend()
        try:
            async with request.app[GATE].receiving(UPLOAD_SECONDS):
                return await upload.take(request.content.iter_any(), complete=complete)
        except TimeoutError:
            raise RequestRefused(
                BODY_TOO_SLOW,
                f"The lines did not arrive in time. {upload.drop.upload.offset} bytes are taken: go on from "
                "there.",
                headers=offset_header(upload.drop),
            ) from None
        except (web.RequestPayloadError, ConnectionError):
            raise RequestRefused(
                BAD_HTTP, "The body is incomplete.", headers=offset_header(upload.drop)
            ) from None
        except RequestRefused as refused:
            refused.headers.setdefault(UPLOAD_OFFSET_HEADER, str(upload.drop.upload.offset))
            raise
        finally:
            request[DEADLINE].restart()


def offset_header(drop: Drop) -> dict[str, str]:
    """Return the header that says where a drop's upload goes on."""
    return {UPLOAD_OFFSET_HEADER: str(drop.upload.offset)}


def _format(request: web.Request, drop: Drop) -> Format:
    """Return the format of a body; raises RequestRefused unless it is that of the drop's other lines."""
    upload_format = MEDIA_TYPES.get(request.content_type)
    utf8 = (request.charset or "utf-8").lower() in ("utf-8", "utf8")
    coded = [name for name in request.headers.getall(hdrs.CONTENT_ENCODING, []) if name.lower() != "identity"]
    if upload_format is None or not utf8 or coded:
        raise RequestRefused(
            LINES_MEDIA_TYPE,
            f"Expected Content-Type: {' or '.join(MEDIA_TYPES)}, in UTF-8, without Content-Encoding.",
        )
    if drop.upload.format not in (None, upload_format):
        media_type = next(name for name, named in MEDIA_TYPES.items() if named == drop.upload.format)
        raise RequestRefused(LINES_MEDIA_TYPE, f"The lines before these are {media_type}: send the same.")
    return upload_format


def _offset(request: web.Request) -> int:
    named = request.headers.getall(UPLOAD_OFFSET_HEADER, [])
    if not named:
        return 0
    if len(named) > 1 or not _OFFSET.fullmatch(named[0]):
        raise _invalid(UPLOAD_OFFSET_HEADER, "expected one whole number of bytes")
    return int(named[0])


def _complete(request: web.Request) -> bool:
    """Tell whether the body ends with a whole line (a boolean of RFC 9651); it does unless it says not."""
    named = request.headers.getall(UPLOAD_COMPLETE_HEADER, ["?1"])
    if named not in (["?1"], ["?0"]):
        raise _invalid(UPLOAD_COMPLETE_HEADER, "expected ?1 or ?0")
    return named == ["?1"]


def _invalid(header: str, detail: str) -> RequestRefused:
    return RequestRefused(
        INVALID_PARAMETER, f"Invalid {header}: {detail}.", faults=[Fault(detail, header=header)]
    )
