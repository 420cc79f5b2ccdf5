"""Whose CPU a run took, and what the machine would do if AWS took none of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

AWS = frozenset({"ministack", "kms-front"})
"""What AWS provides in production."""
CHAIN = frozenset({"anvil"})
LOAD = "load generator"
"""This process."""


def shares(cpu_ms: Mapping[str, float]) -> dict[str, float]:
    """Return CPU per mint, in milliseconds, by whose it is; `cpu_ms` has it by process."""
    sums = {"services": 0.0, "aws_emulator": 0.0, "chain": 0.0, "load_generator": 0.0}
    for name, cost in cpu_ms.items():
        sums[_owner(name)] += cost
    return {owner: round(cost, 3) for owner, cost in sums.items()}


def is_service(name: str) -> bool:
    """Tell whether a process is Mintline's own."""
    return _owner(name) == "services"


def _owner(name: str) -> str:
    if name in AWS:
        return "aws_emulator"
    if name in CHAIN:
        return "chain"
    return "load_generator" if name == LOAD else "services"


def without_emulator(cpu_ms: Mapping[str, float], *, cores: int) -> dict[str, Any]:
    """Return the mints a second that so many cores have CPU for if AWS is elsewhere, and what bounds them.

    It is arithmetic from measured CPU, and no measurement: everything else stays on the machine, the chain
    and the load generator included, no core ever waits, and no process, each of which runs on one core at a
    time, takes more than one core.
    """
    elsewhere = {name: cost for name, cost in cpu_ms.items() if name not in AWS and cost > 0}
    if not elsewhere:
        return {"mints_per_s": None, "bound": None}
    busiest = max(elsewhere, key=lambda name: elsewhere[name])
    together = cores * 1000 / sum(elsewhere.values())
    alone = 1000 / elsewhere[busiest]
    bound = f"{cores} cores" if together <= alone else busiest
    return {"mints_per_s": round(min(together, alone), 1), "bound": bound}
