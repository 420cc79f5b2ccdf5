"""Every way in which a request can fail (RFC 9457).

::

    Rejected
    └── RequestRefused   one request, refused: a problem type, and what is wrong this time

A kind's type URI is `{public_url}/docs#{slug}`, where the documentation explains it; `code` repeats the slug,
so that a client can tell problems apart whatever the API's address.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, Field

from mintline.errors import Rejected

MEDIA_TYPE = "application/problem+json"


@dataclass(frozen=True, slots=True)
class ProblemType:
    """A problem type: its slug never changes, its title says it in a few words, `meaning` what to do."""

    slug: str
    status: int
    title: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with a request: a JSON pointer into the body, or a parameter's or header's name."""

    detail: str
    pointer: str | None = None
    parameter: str | None = None
    header: str | None = None

    def view(self) -> dict[str, str]:
        """Return the members of one item of a problem's `errors`."""
        members = {"pointer": self.pointer, "parameter": self.parameter, "header": self.header}
        return {**{k: v for k, v in members.items() if v is not None}, "detail": self.detail}


class FaultView(BaseModel):
    """One fault, and where it lies."""

    detail: str
    pointer: str | None = Field(default=None, description="JSON pointer into the body, as a URI fragment.")
    parameter: str | None = Field(default=None, description="A path or query parameter.")
    header: str | None = Field(default=None, description="A request header.")


class ProblemDocument(BaseModel):
    """Why a request was not answered as asked (RFC 9457)."""

    type: str = Field(description="URI of the problem type; explained there.")
    title: str
    status: int
    detail: str = Field(description="What is wrong this time, and what to do.")
    instance: str = Field(description="The path of the request.")
    code: str = Field(description="The problem type's slug: the same on every deployment.")
    trace: str = Field(description="Names the request in our logs; quote it to support.")
    errors: list[FaultView] | None = Field(default=None, description="Each fault of an invalid request.")


class RequestRefused(Rejected):
    """A request that is refused; rendered as a problem by the HTTP layer."""

    def __init__(
        self,
        kind: ProblemType,
        detail: str,
        *,
        faults: Sequence[Fault] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(kind.slug, detail)
        self.kind = kind
        self.detail = detail
        self.faults = tuple(faults)
        self.headers = dict(headers or {})


def body_of(
    kind: ProblemType,
    detail: str,
    *,
    public_url: str,
    instance: str,
    trace: str,
    faults: Sequence[Fault] = (),
) -> bytes:
    """Return a problem document; `trace` is the id under which the logs know the request."""
    document: dict[str, Any] = {
        "type": f"{public_url}/docs#{kind.slug}",
        "title": kind.title,
        "status": kind.status,
        "detail": detail,
        "instance": instance,
        "code": kind.slug,
        "trace": trace,
    }
    if faults:
        document["errors"] = [fault.view() for fault in faults]
    # ASCII escapes: a path or a key with a lone surrogate must not break the answer about it.
    return json.dumps(document).encode()


NOT_JSON = ProblemType(
    "not-json", 400, "Body is not JSON", "The body must be one JSON text (RFC 8259) in UTF-8."
)
AMBIGUOUS_JSON = ProblemType(
    "ambiguous-json",
    400,
    "Ambiguous JSON",
    "The body must be I-JSON (RFC 7493): no repeated keys, no numbers beyond a double, no lone surrogates, "
    "and at most 32 levels deep.",
)
INVALID_BODY = ProblemType(
    "invalid-body", 400, "Invalid body", "`errors` names each fault by a JSON pointer into the body."
)
INVALID_PARAMETER = ProblemType(
    "invalid-parameter", 400, "Invalid parameter", "`errors` names each parameter or header at fault."
)
INVALID_CURSOR = ProblemType(
    "invalid-cursor",
    422,
    "Invalid cursor",
    "A cursor continues only the list that it came from, with the same filters. Start again without one.",
)
BODY_TOO_LARGE = ProblemType(
    "body-too-large",
    413,
    "Body too large",
    "A body may have 256 KB (262,144 bytes), and one for many mints 1 MiB. `detail` says which.",
)
UNSUPPORTED_MEDIA_TYPE = ProblemType(
    "unsupported-media-type",
    415,
    "Not a JSON media type",
    "Send `Content-Type: application/json`, in UTF-8.",
)
UNSUPPORTED_CODING = ProblemType(
    "unsupported-content-coding",
    415,
    "Content coding not supported",
    "`Content-Encoding` may be `gzip` or `deflate`, one of them and once; `Accept-Encoding` says so too.",
)

UNKNOWN_ROUTE = ProblemType(
    "unknown-route", 404, "Path not found", "See the list of operations on this page."
)
BODY_TOO_SLOW = ProblemType(
    "body-too-slow",
    408,
    "Body did not arrive in time",
    "A body must arrive within 30 seconds, and sooner while very many others are on their way.",
)
METHOD_NOT_ALLOWED = ProblemType(
    "method-not-allowed", 405, "Method not allowed", "`Allow` lists the methods of this path."
)
BAD_HTTP = ProblemType("bad-request", 400, "Malformed HTTP request", "The request breaks HTTP's own rules.")

EXPECTATION_FAILED = ProblemType(
    "expectation-failed", 417, "Expectation not met", "`Expect` may be `100-continue`; leave out any other."
)

INTERNAL = ProblemType(
    "internal",
    500,
    "Internal error",
    "An unexpected error. Quote `trace` to support; repeating with the same key is safe.",
)
OVERLOADED = ProblemType(
    "overloaded",
    503,
    "Too many requests in progress",
    "Nothing was done. Repeat after `Retry-After` seconds, with the same idempotency key.",
)
UNAVAILABLE = ProblemType(
    "unavailable",
    503,
    "Temporarily unavailable",
    "A dependency does not answer. Repeat after `Retry-After` seconds, with the same idempotency key.",
)
RECORD_UNUSABLE = ProblemType(
    "record-unusable",
    503,
    "Stored record unusable",
    "Nothing is wrong with the request. A record that it needs is damaged; an alarm tells the operator, who "
    "repairs what `record_set_aside` in the log names. Repeat after `Retry-After` seconds, with the same "
    "idempotency key, and quote `trace` to support.",
)

DEADLINE_PASSED = ProblemType(
    "deadline-passed",
    503,
    "Request timed out",
    "A dependency did not respond in time. The request may have taken effect: repeat after `Retry-After` "
    "seconds, with the same idempotency key.",
)

BODY = (
    NOT_JSON,
    AMBIGUOUS_JSON,
    INVALID_BODY,
    INVALID_PARAMETER,
    BODY_TOO_SLOW,
    BODY_TOO_LARGE,
    UNSUPPORTED_CODING,
    UNSUPPORTED_MEDIA_TYPE,
)
"""What an operation that takes a JSON body may answer."""
ANY_OPERATION = (BAD_HTTP, INTERNAL, UNAVAILABLE, RECORD_UNUSABLE, DEADLINE_PASSED)
"""What any operation may answer."""
NO_OPERATION = (UNKNOWN_ROUTE, METHOD_NOT_ALLOWED, EXPECTATION_FAILED)
"""What a request that reaches no operation is answered with."""
