"""Decisions by a majority of the endpoints: what cannot be undone later does not rest on one node."""

from __future__ import annotations

from collections.abc import Callable, Container, Hashable, Sequence
from typing import Any, Protocol, TypeVar

from mintline.chain.rpc import EndpointResponse, RpcError
from mintline.errors import Unavailable

FactT = TypeVar("FactT", bound=Hashable)


class Disagreement(Unavailable):
    """The endpoints contradict each other, and no majority decides."""


class Endpoints(Protocol):
    """All endpoints of a chain; `Rpc` in production."""

    @property
    def several(self) -> bool:
        """Whether there is more than one."""

    @property
    def min_agreement(self) -> int:
        """How many endpoints must agree on an irreversible decision: two of three or more."""

    async def ask_all(self, method: str, params: Sequence[Any]) -> list[EndpointResponse]:
        """Ask every endpoint that is in service; a refusal is an RpcError."""

    def quarantine(self, response: EndpointResponse, reason: str) -> None:
        """Do not ask an endpoint for a while, since the others outvoted it."""


async def majority(
    endpoints: Endpoints,
    method: str,
    params: Sequence[Any],
    read: Callable[[Any], FactT | None],
    *,
    min_agreement: int = 1,
    among: Container[int] | None = None,
) -> FactT | None:
    """Return the fact that more than half of the endpoints report, and quarantine those that report another.

    `read` takes the fact out of a result. An endpoint has no vote if it refuses, if `read` returns None or
    raises Unavailable for it, or if it is not `among` those given. None if fewer than `min_agreement` report
    the fact. Raises Disagreement.
    """
    by_fact: dict[FactT, list[EndpointResponse]] = {}
    for response in await endpoints.ask_all(method, params):
        if isinstance(response.result, RpcError) or (among is not None and response.endpoint not in among):
            continue
        try:
            fact = read(response.result)
        except Unavailable:
            continue
        if fact is not None:
            by_fact.setdefault(fact, []).append(response)
    if not by_fact:
        return None
    most = max(by_fact, key=lambda fact: len(by_fact[fact]))
    if 2 * len(by_fact[most]) <= sum(len(responses) for responses in by_fact.values()):
        hosts = " and ".join(sorted(response.host for group in by_fact.values() for response in group))
        raise Disagreement(f"{hosts} disagree about {method} {params[0]}")
    for fact, responses in by_fact.items():
        if fact != most:
            for response in responses:
                endpoints.quarantine(response, f"outvoted about {method} {params[0]}")
    return most if len(by_fact[most]) >= min_agreement else None


async def majority_refuses(
    endpoints: Endpoints, method: str, params: Sequence[Any], refuses: Callable[[Any], bool | None]
) -> bool:
    """Tell whether more than half of the endpoints refuse a call, and at least `min_agreement` of them.

    `refuses` judges a result, an RpcError too; None, or raising Unavailable, is no vote. No endpoint is
    quarantined: the heads of two healthy nodes may be a block apart.
    """
    verdicts: list[bool | None] = []
    for response in await endpoints.ask_all(method, params):
        try:
            verdicts.append(refuses(response.result))
        except Unavailable:
            continue
    against = verdicts.count(True)
    return against >= endpoints.min_agreement and against > verdicts.count(False)
