"""How a call fails.

::

    MintlineError (mintline.errors)
    ├── Rejected
    │   └── Refused              the API refused the request: 4xx, with its problem document
    │       ├── Unauthenticated  401: no valid access token
    │       ├── Forbidden        403: not for this caller
    │       ├── NotFound         404 or 410
    │       ├── Conflicting      409 or 412: another state, or another request by the same idempotency key
    │       └── Invalid          400, 413, 415 or 422: `problem.errors` names each fault
    └── Unavailable
        └── TryLater             429 or 5xx, after all tries; `retry_after` is in seconds

An API that cannot be reached is `Unavailable` itself. Source: RFC 9457 (problem documents).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mintline.errors import Rejected, Unavailable

MAX_RETRY_AFTER = 3600


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with a request, and where: one of the three places, or none."""

    detail: str
    pointer: str | None = None
    """JSON pointer into the body, as a URI fragment."""
    parameter: str | None = None
    header: str | None = None


@dataclass(frozen=True, slots=True)
class Problem:
    """A problem document; what a proxy between answered has a title and no type."""

    status: int
    type: str
    title: str
    detail: str
    code: str
    """The problem type's slug: the same on every deployment."""
    trace: str
    """Names the request in the deployment's logs."""
    errors: tuple[Fault, ...] = ()

    @classmethod
    def read(cls, status: int, body: Any) -> Problem:
        """Return the problem that a response's body describes, whatever the body is."""
        members: Mapping[str, Any] = body if isinstance(body, dict) else {}
        faults = members.get("errors")
        return cls(
            status=status,
            type=_text(members, "type", "about:blank"),
            title=_text(members, "title", f"HTTP status {status}"),
            detail=_text(members, "detail", ""),
            code=_text(members, "code", str(status)),
            trace=_text(members, "trace", ""),
            errors=tuple(_fault(each) for each in faults) if isinstance(faults, list) else (),
        )

    @property
    def reason(self) -> str:
        """What is wrong, in one line, each thing once."""
        text = self.detail or self.title
        places = [place for fault in self.errors if (place := _place(fault)) and not _says(text, fault)]
        return "; ".join([text.rstrip("."), *places]) if places else text


def _place(fault: Fault) -> str:
    """Return where a fault is and what is wrong there; nothing for a fault without a place."""
    place = fault.pointer or fault.parameter or fault.header
    if place == "#":
        return fault.detail
    return f"{place}: {fault.detail}" if place else ""


def _says(text: str, fault: Fault) -> bool:
    """Tell whether a problem's detail is about this fault already."""
    return _place(fault) in text or fault.detail.rstrip(".").casefold() == text.rstrip(".").casefold()


def _text(members: Mapping[str, Any], name: str, default: str) -> str:
    value = members.get(name)
    return value if isinstance(value, str) and value else default


def _fault(value: Any) -> Fault:
    members: Mapping[str, Any] = value if isinstance(value, dict) else {}
    places = {name: members.get(name) for name in ("pointer", "parameter", "header")}
    return Fault(
        detail=_text(members, "detail", ""),
        **{name: place for name, place in places.items() if isinstance(place, str)},
    )


class Refused(Rejected):
    """The API refused a request, and will refuse it again."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.code, problem.reason)
        self.problem = problem

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self.problem.status


class Unauthenticated(Refused):
    """There is no valid access token."""


class Forbidden(Refused):
    """The operation is not for this caller."""


class NotFound(Refused):
    """The resource does not exist, or is not the caller's."""


class Conflicting(Refused):
    """The resource is in another state, or another request had the same idempotency key."""


class Invalid(Refused):
    """The request is wrong; `problem.errors` says where."""


class TryLater(Unavailable):
    """The API has no time, or the caller's rate or budget is used up; `retry_after` is in seconds."""

    def __init__(self, problem: Problem, *, retry_after: float | None) -> None:
        super().__init__(f"{problem.code}: {problem.reason}", retry_after=retry_after)
        self.problem = problem


_BY_STATUS: Mapping[int, type[Refused]] = {
    400: Invalid,
    401: Unauthenticated,
    403: Forbidden,
    404: NotFound,
    409: Conflicting,
    410: NotFound,
    412: Conflicting,
    413: Invalid,
    415: Invalid,
    422: Invalid,
}


def error_of(status: int, body: Any, *, retry_after: float | None = None) -> Refused | TryLater:
    """Return the error of a response whose status is 400 or more."""
    problem = Problem.read(status, body)
    if status == 429 or status >= 500:
        return TryLater(problem, retry_after=retry_after)
    return _BY_STATUS.get(status, Refused)(problem)
