"""The replicas of each service that a schedule runs, each a process that can be killed."""

from __future__ import annotations

import random
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, TypeAlias

from mintline_harness.simulation.api import Api
from mintline_harness.simulation.clients import Clients
from mintline_harness.simulation.overtaking import overtaken
from mintline_harness.simulation.parts import Environment
from mintline_harness.simulation.process import Process
from mintline_harness.simulation.services import serve_broadcaster, serve_builder, serve_indexer, serve_signer

Start: TypeAlias = Callable[[Process], Coroutine[Any, Any, None]]
"""Runs a service in a process until it is killed."""


def make_replicas(
    process: Callable[[str, Start], Process],
    environment: Environment,
    clients: Clients,
    *,
    seed: int,
    rng: random.Random,
) -> list[Process]:
    """Make the processes, one or two of each service; `clients` learn of those of the api."""
    services: dict[str, Start] = {
        "builder": lambda process: serve_builder(process, environment),
        "signer": lambda process: serve_signer(process, environment),
        "broadcaster": lambda process: serve_broadcaster(process, environment),
        "indexer": lambda process: serve_indexer(process, environment),
    }
    processes = [
        process(f"{name}-{copy}", start)
        for name, start in services.items()
        for copy in range(1, _after_last(name, rng.choice([2, 3]), seed))
    ]
    for copy in (1, 2):
        current: list[Api] = []
        api = process(f"api-{copy}", partial(_open_api, environment=environment, current=current))
        clients.apis.append((api, current))
        processes.append(api)
    return processes


def _after_last(name: str, drawn: int, seed: int) -> int:
    """Return the number after a service's last copy."""
    return 3 if name == "indexer" and overtaken(seed) else drawn


async def _open_api(process: Process, *, environment: Environment, current: list[Api]) -> None:
    api = Api(process, environment)
    current[:] = [api]
    await api.begin()
