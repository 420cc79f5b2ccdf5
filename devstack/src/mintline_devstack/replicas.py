"""Further copies of the workers: each scales alone, so a line may run any number of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import aiohttp

from mintline.errors import Misconfigured
from mintline_devstack.ports import HOST, free_port
from mintline_devstack.probes import http_ready
from mintline_devstack.supervisor import ChildSpec

WORKERS = ("builder", "signer-host", "broadcaster", "indexer", "notifier")
"""What can be copied here; the api's copies need a load balancer in front of one port."""


def parse(counts: Sequence[str]) -> dict[str, int]:
    """Read `NAME=COUNT` words, the count being of all copies; raises Misconfigured for anything else."""
    copies: dict[str, int] = {}
    for word in counts:
        name, _, count = word.partition("=")
        if name not in WORKERS or not count.isdecimal() or not 1 <= int(count) <= 16:
            raise Misconfigured(f"--scale {word}: expected NAME=1..16, NAME one of {', '.join(WORKERS)}")
        copies[name] = int(count)
    return copies


def further(
    specs: Sequence[ChildSpec], copies: Mapping[str, int], *, sockets: Path, http: aiohttp.ClientSession
) -> tuple[list[ChildSpec], dict[str, str]]:
    """Return the second and later copies of `specs`, named `NAME-2` and so on, and their admin addresses."""
    children: list[ChildSpec] = []
    admin: dict[str, str] = {}
    for spec in specs:
        for number in range(2, copies.get(spec.name, 1) + 1):
            name, port = f"{spec.name}-{number}", free_port()
            env = {**spec.env, "MINTLINE_ADMIN_PORT": str(port)}
            if "MINTLINE_INSTANCE" in env:
                env["MINTLINE_INSTANCE"] += f"-{number}"
            if "MINTLINE_KMS_PROXY_ADDRESS" in env:
                # The enclave goes to KMS through the first host; a proxy of another needs a path of its own.
                env["MINTLINE_KMS_PROXY_ADDRESS"] = f"unix://{sockets}/kms-{number}.sock"
            admin[name] = f"http://{HOST}:{port}"
            children.append(
                replace(spec, name=name, env=env, ready=http_ready(http, f"{admin[name]}/readyz"))
            )
    return children, admin
