"""Joins the problems that operations declare with those that authentication, limits and HTTP itself add."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from mintline_api.http.operations import Operation
from mintline_api.http.problems import ANY_OPERATION, NO_OPERATION, OVERLOADED, ProblemType


@dataclass(frozen=True, slots=True)
class ProblemCatalogue:
    """Lists problems for the OpenAPI document and the documentation; nothing else lists them."""

    authentication: tuple[ProblemType, ...]
    """What an operation that needs an access token may answer."""
    for_clients: tuple[ProblemType, ...]
    """What such an operation may answer too if machine clients may call it."""
    for_users: tuple[ProblemType, ...]
    """What it may answer too if they may not."""
    writes: tuple[ProblemType, ...]
    """What an operation that changes something may answer too."""

    def of(self, operation: Operation) -> list[ProblemType]:
        """Return every problem that an operation may answer, by status."""
        secured = operation.scope is not None
        kinds = [*operation.problems, *(self.authentication if secured else ()), *ANY_OPERATION]
        if secured:
            kinds += self.for_clients if operation.clients else self.for_users
        if secured and operation.method != "GET":
            kinds += self.writes
        if operation.path.startswith("/v1/"):
            kinds.append(OVERLOADED)
        return sorted(kinds, key=lambda kind: kind.status)

    def all(self, operations: Iterable[Operation]) -> tuple[ProblemType, ...]:
        """Return each problem that these operations, or requests for none of them, may be answered with."""
        declared = (kind for operation in operations for kind in self.of(operation))
        return tuple(dict.fromkeys([*self.authentication, *declared, *NO_OPERATION]))
