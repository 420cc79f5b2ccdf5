"""What several endpoints agree on: where nothing can be undone later, one node's word is not enough."""

from __future__ import annotations

from collections.abc import Callable, Container, Hashable, Sequence
from typing import Any, Protocol, TypeVar

from mintline.chain.rpc import RpcError, Witness
from mintline.errors import Unavailable

FactT = TypeVar("FactT", bound=Hashable)


class Disagreement(Unavailable):
    """The endpoints contradict each other, and no majority decides."""


class Witnesses(Protocol):
    """All endpoints of a chain; `Rpc` in production."""

    @property
    def several(self) -> bool:
        """Whether there is more than one."""

    @property
    def voices(self) -> int:
        """How many have to say the same where nothing can be undone: two of three or more."""

    async def witnesses(self, method: str, params: Sequence[Any]) -> list[Witness]:
        """Ask every endpoint that is in service; a refusal is an RpcError."""

    def distrust(self, witness: Witness, reason: str) -> None:
        """Do not ask an endpoint for a while, since the others outvoted it."""


async def agreed(
    rpc: Witnesses,
    method: str,
    params: Sequence[Any],
    read: Callable[[Any], FactT | None],
    *,
    voices: int = 1,
    among: Container[int] | None = None,
) -> FactT | None:
    """Return the fact that more than half of the endpoints tell, and distrust those that tell another.

    `read` takes the fact out of an answer; an endpoint that refuses, or for which it returns None or raises
    Unavailable, has no say, nor has one that is not `among` those asked. None if fewer than `voices` tell it.
    Raises Disagreement.
    """
    told: dict[FactT, list[Witness]] = {}
    for witness in await rpc.witnesses(method, params):
        if isinstance(witness.answer, RpcError) or (among is not None and witness.endpoint not in among):
            continue
        try:
            fact = read(witness.answer)
        except Unavailable:
            continue
        if fact is not None:
            told.setdefault(fact, []).append(witness)
    if not told:
        return None
    most = max(told, key=lambda fact: len(told[fact]))
    if 2 * len(told[most]) <= sum(len(witnesses) for witnesses in told.values()):
        hosts = " and ".join(sorted(witness.host for found in told.values() for witness in found))
        raise Disagreement(f"{hosts} disagree about {method} {params[0]}")
    for fact, witnesses in told.items():
        if fact != most:
            for witness in witnesses:
                rpc.distrust(witness, f"outvoted about {method} {params[0]}")
    return most if len(told[most]) >= voices else None


async def refused(
    rpc: Witnesses, method: str, params: Sequence[Any], refuses: Callable[[Any], bool | None]
) -> bool:
    """Tell whether more than half of the endpoints refuse a call, and as many as must say the same.

    `refuses` judges an answer, an RpcError too; None, or raising Unavailable, is no say. Nobody is
    distrusted: the heads of two nodes in good order may be a block apart.
    """
    verdicts: list[bool | None] = []
    for witness in await rpc.witnesses(method, params):
        try:
            verdicts.append(refuses(witness.answer))
        except Unavailable:
            continue
    against = verdicts.count(True)
    return against >= rpc.voices and against > verdicts.count(False)
