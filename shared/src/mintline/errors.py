"""The error tree: its families, each with one way to be handled.

::

    MintlineError
    ├── Retryable            leave the message: it comes back
    │   ├── Unavailable      a dependency did not answer, or said "not now"
    │   ├── Throttled        a dependency asked for less
    │   ├── Unsupported      a message that another release of this service reads
    │   └── Deferred         waiting for a known event; not a failure, never counted as one
    ├── Rejected             the end of the road, with a reason for the user
    │   └── BadRequest       the input itself is wrong
    ├── Unusable             one record, as it is, cannot be used: set it aside, go on with the others
    │   ├── Unreadable       what is stored is not valid
    │   └── Unwritable       what is to be stored is not accepted, however healthy the store is
    ├── Conflict             someone else got there first: drop
    └── Misconfigured        a process cannot start; its message is one line for the operator
"""

from __future__ import annotations

from collections.abc import Iterable

from mintline.text import bounded


class MintlineError(Exception):
    """The root of every error that Mintline raises on purpose.

    Its text may quote a node, AWS or a message, so it is bounded and escaped here (`mintline.text`).
    """

    def __init__(self, message: str = "") -> None:
        super().__init__(bounded(message))


class Retryable(MintlineError):  # noqa: N818 - the family is named for what the caller does
    """Work that may succeed later; its message stays on the queue.

    `retry_after` is the delay in seconds to ask of the queue, or None for the consumer's own backoff.
    """

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Unavailable(Retryable):
    """A dependency did not answer, or answered that it cannot serve now."""


class Throttled(Retryable):
    """A dependency throttles requests."""


class Unsupported(Retryable):
    """A message of a type or version that this release does not know.

    During an upgrade or a rollback another copy of the service may know it, so the consumer redelivers it for
    a while before it is dead-lettered.
    """


class Deferred(Retryable):
    """Work that waits for a known event, such as a top-up being mined.

    The consumer redelivers it after `retry_after` seconds and never dead-letters it for its age.
    """


class Rejected(MintlineError):  # noqa: N818
    """Work that can never succeed.

    `code` is stable and machine-readable (snake_case); `reason` is one sentence for the user.
    """

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(f"{code}: {reason}")
        self.code = bounded(code)
        self.reason = bounded(reason)


class BadRequest(Rejected):
    """The input itself is wrong, whatever the state of the world."""


class Unusable(MintlineError):  # noqa: N818
    """One record cannot be read or written as it is, whatever is tried; nothing is wrong with its store.

    Only an operator can repair it. Code that works on many records sets it aside (`mintline.set_aside`).
    """


class Unreadable(Unusable):
    """A record that is stored is not valid."""


class Unwritable(Unusable):
    """A store refuses a record for what it is, such as its size.

    Of several that are written together `places` are those at fault; empty if the store does not say.
    """

    def __init__(self, message: str, places: Iterable[int] = ()) -> None:
        super().__init__(message)
        self.places = tuple(places)


class Conflict(MintlineError):  # noqa: N818
    """A conditional write found that someone else got there first: a duplicate to drop in silence."""


class Misconfigured(MintlineError):  # noqa: N818
    """A process cannot start; the message names the cause and the way out in one line."""
