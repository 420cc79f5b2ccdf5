"""Reads requests: the path, the query, the headers and the body, each checked by its model."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import Any, TypeVar

from aiohttp import hdrs, web
from pydantic import BaseModel, ValidationError

from mintline_api.http import strict_json
from mintline_api.http.codings import ACCEPTED, TooLargeError, UndecodableError, coding_of, decoded
from mintline_api.http.context import DEADLINE, GATE
from mintline_api.http.forms import form_of
from mintline_api.http.problems import (
    BAD_HTTP,
    BODY_TOO_LARGE,
    BODY_TOO_SLOW,
    INVALID_BODY,
    INVALID_PARAMETER,
    UNSUPPORTED_CODING,
    UNSUPPORTED_MEDIA_TYPE,
    Fault,
    RequestRefused,
)
from mintline_api.settings import BODY_LIMIT

ModelT = TypeVar("ModelT", bound=BaseModel)

_JSON_TYPE = re.compile(r"application/(json|[a-z0-9.!#$&^_-]+\+json)")
_PRINTABLE = re.compile(r"[\x21-\x7e]([\x20-\x7e]{0,253}[\x21-\x7e])?")
_MAX_FAULTS = 20
_BODY_SECONDS = 30.0
_WORDINGS = {
    "missing": "this member is required",
    "extra_forbidden": "no such member",
    "model_type": "expected an object",
    "dict_type": "expected an object",
    "list_type": "expected an array",
    "string_type": "expected a string",
    "string_pattern_mismatch": "expected {form}",
    "string_too_short": "expected at least {min_length} characters",
    "string_too_long": "expected at most {max_length} characters",
    "too_short": "expected at least {min_length} {unit}, not {actual_length}",
    "too_long": "expected at most {max_length} {unit}, not {actual_length}",
    "literal_error": "expected one of {expected}",
    "enum": "expected one of {expected}",
    "greater_than_equal": "expected {ge} or more",
    "less_than_equal": "expected {le} or less",
    "value_error": "{error}",
}


def read_path(request: web.Request, model: type[ModelT]) -> ModelT:
    """Return the path's parameters."""
    return _validated(model, dict(request.match_info), INVALID_PARAMETER, in_body=False)


def read_query(request: web.Request, model: type[ModelT]) -> ModelT:
    """Return the query's parameters; an empty one is as good as absent, one given twice is refused."""
    counts = Counter(name for name, _ in request.query.items())
    if twice := [name for name, count in counts.items() if count > 1]:
        faults = [Fault("given more than once", parameter=name) for name in twice[:_MAX_FAULTS]]
        raise RequestRefused(INVALID_PARAMETER, "Repeated parameter: send each once.", faults=faults)
    raw = {name: value for name, value in request.query.items() if value}
    return _validated(model, raw, INVALID_PARAMETER, in_body=False)


def read_idempotency_key(request: web.Request) -> str | None:
    """Return the Idempotency-Key, 1 to 255 printable ASCII characters; None if there is none."""
    keys = request.headers.getall("Idempotency-Key", [])
    if not keys:
        return None
    if len(keys) > 1 or not _PRINTABLE.fullmatch(keys[0]):
        fault = Fault("expected one key of 1 to 255 printable ASCII characters", header="Idempotency-Key")
        raise RequestRefused(
            INVALID_PARAMETER,
            "Invalid Idempotency-Key: 1 to 255 printable ASCII characters.",
            faults=[fault],
        )
    return keys[0]


@dataclass(frozen=True, slots=True)
class BodyBounds:
    """How many bytes a body may have, after any content coding is undone, and how many faults are named."""

    limit: int = BODY_LIMIT
    faults: int = _MAX_FAULTS


async def read_body(
    request: web.Request, model: type[ModelT], *, bounds: BodyBounds = BodyBounds()
) -> ModelT:
    """Return the JSON body; raises RequestRefused for the wrong media type, size, encoding, JSON or shape."""
    utf8 = (request.charset or "utf-8").lower() in ("utf-8", "utf8")
    if not _JSON_TYPE.fullmatch(request.content_type) or not utf8:
        named = (
            "the request names another" if hdrs.CONTENT_TYPE in request.headers else "the request names none"
        )
        raise RequestRefused(
            UNSUPPORTED_MEDIA_TYPE, f"The Content-Type must be application/json in UTF-8; {named}."
        )
    coding = coding_of(request.headers.getall(hdrs.CONTENT_ENCODING, []))
    if coding is None:
        raise RequestRefused(
            UNSUPPORTED_CODING,
            "The Content-Encoding must be gzip or deflate, or absent.",
            headers={hdrs.ACCEPT_ENCODING: ACCEPTED},
        )
    if (request.content_length or 0) > bounds.limit:
        raise _too_large(bounds)
    try:
        if not request.content.is_eof():
            request[DEADLINE].suspend()
            async with request.app[GATE].receiving(_BODY_SECONDS):
                await request.read()
            request[DEADLINE].restart()
        raw = await request.read()
    except TimeoutError:
        raise RequestRefused(BODY_TOO_SLOW, "The body did not arrive in time.") from None
    except (web.RequestPayloadError, ConnectionError):
        raise RequestRefused(BAD_HTTP, "The body is incomplete.") from None
    if len(raw) > bounds.limit:
        raise _too_large(bounds)
    return read_object(strict_json.parse(_decoded(raw, coding, bounds)), model, most=bounds.faults)


def read_object(value: Any, model: type[ModelT], *, most: int = _MAX_FAULTS) -> ModelT:
    """Return the JSON object that a value is; raises RequestRefused for the wrong shape."""
    if not isinstance(value, dict):
        fault = Fault("expected an object", pointer="#")
        raise RequestRefused(INVALID_BODY, "The body must be a JSON object.", faults=[fault])
    return _validated(model, value, INVALID_BODY, in_body=True, most=most)


def _too_large(bounds: BodyBounds) -> RequestRefused:
    return RequestRefused(BODY_TOO_LARGE, f"The body has more than {bounds.limit} bytes.")


def _decoded(raw: bytes, coding: str, bounds: BodyBounds) -> bytes:
    try:
        return decoded(raw, coding, limit=bounds.limit)
    except TooLargeError:
        raise RequestRefused(BODY_TOO_LARGE, f"The body decodes to more than {bounds.limit} bytes.") from None
    except UndecodableError as error:
        raise RequestRefused(BAD_HTTP, f"Invalid {coding} body: {error}.") from None


def _validated(
    model: type[ModelT], raw: dict[str, Any], kind: Any, *, in_body: bool, most: int = _MAX_FAULTS
) -> ModelT:
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        faults = [_fault(item, in_body=in_body) for item in error.errors(include_url=False)[:most]]
        first = faults[0]
        where = first.pointer or first.parameter
        detail = f"{where}: {first.detail}{_end(first.detail, len(faults) - 1)}"
        raise RequestRefused(kind, detail, faults=faults) from None


def _end(detail: str, more: int) -> str:
    """Return what ends a sentence about a fault: how many `more` there are, and one mark."""
    if more:
        return f" (and {more} more)."
    return "" if detail.endswith("?") else "."


def _fault(item: Any, *, in_body: bool) -> Fault:
    wording = _WORDINGS.get(item["type"])
    if item["type"] == "extra_forbidden" and not in_body:
        wording = "no such parameter"
    if item["type"] == "missing" and not in_body:
        wording = "this parameter is required"
    context = item.get("ctx", {})
    unit = "items" if context.get("field_type") == "List" else "bytes"
    form = form_of(context.get("pattern", ""))
    detail = wording.format(unit=unit, form=form, **context) if wording else item["msg"]
    parts = [str(part)[:100] for part in item["loc"]]
    if in_body:
        return Fault(detail, pointer="#" + "".join(f"/{strict_json.escape(part)}" for part in parts))
    return Fault(detail, parameter=parts[0] if parts else "")
