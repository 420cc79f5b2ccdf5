"""What those who use the api do in a schedule, as far as its seed has them do it."""

from __future__ import annotations

import random
from collections.abc import Coroutine, Mapping, Sequence
from types import MappingProxyType
from typing import Any, TypeAlias

from mintline_harness.simulation.clients import Clients
from mintline_harness.simulation.outsiders import Outsiders
from mintline_harness.simulation.requesters import Requesters

Works: TypeAlias = list[Coroutine[Any, Any, None]]

BURSTS: Mapping[int, float] = MappingProxyType({2: 6, 5: 6, 12: 4, 30: 2, 100: 0.5})
"""How many sponsored mints a schedule has, and how likely that is against the others."""
MOVES_WITHIN = 60.0
"""Seconds after the faults in which a client still waits for a token to move."""


def outside(
    outsiders: Outsiders,
    users: Sequence[str],
    span: float,
    chance: random.Random,
    *,
    preying: bool,
    own_wallets: bool,
) -> Works:
    """Return what those do who have keys of their own."""
    works = [outsiders.prey(span, chance.choice([3.0, 10.0]))] if preying else []
    works += [
        outsiders.mint(chance.choice(users), number, chance.uniform(0, span))
        for number in range(chance.randint(1, 4) if own_wallets else 0)
    ]
    return works


def forged(outsiders: Outsiders, span: float, seed: int) -> Coroutine[Any, Any, None]:
    """Return what somebody does who writes made-up messages."""
    rng = random.Random(f"messages {seed}")  # noqa: S311 - reproducible on purpose
    return outsiders.forge(span, rng.choice([1.0, 4.0]), rng)


def sponsored(clients: Clients, users: Sequence[str], span: float, chance: random.Random) -> Works:
    """Return what those do who mint at a relayer's expense, in bursts, and move what they have."""
    [size] = chance.choices(list(BURSTS), weights=list(BURSTS.values()))
    burst = chance.choice([0.0, 0.5, chance.uniform(0, span)])
    starts = chance.uniform(0, span / 2)
    works = [
        clients.sponsored(chance.choice(users), number, starts + chance.uniform(0, burst))
        for number in range(size)
    ]
    works += [
        clients.move(chance.choice(users), number, chance.uniform(0, span), span + MOVES_WITHIN)
        for number in range(chance.randint(0, 6))
    ]
    return works


def requests(requesters: Requesters, users: Sequence[str], span: float) -> Works:
    """Return what those do who ask for many mints at once, and the one who changes lines."""
    rng = requesters.rng
    works = [
        requesters.post(rng.choice(users), number, rng.uniform(0, span))
        for number in range(rng.randint(1, 4))
    ]
    works.append(requesters.forge(span, rng.choice([1.0, 4.0])))
    return works
