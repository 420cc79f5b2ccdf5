"""Which ports a local stack listens on, all on the loopback."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass, fields
from typing import Literal, Protocol

from mintline.errors import Misconfigured

HOST = "127.0.0.1"
PortChoice = Literal["default", "free", "fallback"]
"""The default ports or none, free ones picked by the system, or the former and else the latter."""


class Listeners(Protocol):
    """Where its parts listen and are reached, each named as in `Ports`."""

    @property
    def bind(self) -> str:
        """Return the address that the services listen on."""

    def port(self, name: str) -> int:
        """Return the port of a listener."""

    def url(self, name: str) -> str:
        """Return the base URL at which the stack's own processes reach a listener."""


@dataclass(frozen=True, slots=True)
class Ports:
    """The default ports of a line, each named for its listener."""

    api: int = 8080
    ministack: int = 4566
    kms_front: int = 4567
    anvil: int = 8545
    admin_api: int = 9101
    admin_builder: int = 9102
    admin_signer_host: int = 9103
    admin_broadcaster: int = 9104
    admin_indexer: int = 9105
    admin_reconciler: int = 9106
    admin_notifier: int = 9107

    @property
    def bind(self) -> str:
        """Return the loopback's address."""
        return HOST

    def port(self, name: str) -> int:
        port: int = getattr(self, name)
        return port

    def url(self, name: str) -> str:
        """Return the base URL of a listener."""
        return f"http://{HOST}:{self.port(name)}"

    def items(self) -> Iterator[tuple[str, int]]:
        """Return the listeners' names with their ports."""
        return iter(asdict(self).items())


def choose(choice: PortChoice, wanted: Ports | None = None) -> Ports:
    """Return ports that can be listened on now; raises Misconfigured, naming those that are taken."""
    if choice == "free":
        return free_ports()
    ports = wanted or Ports()
    taken = [f"{port} ({name.replace('_', '-')})" for name, port in ports.items() if not _bindable(port)]
    if not taken:
        return ports
    if choice == "fallback":
        return free_ports()
    some = "port" if len(taken) == 1 else "ports"
    raise Misconfigured(
        f"{some} {', '.join(taken)} in use: stop what listens there, or choose others with "
        "`.venv/bin/mintline up --ports free` or `--port NAME=NUMBER`"
    )


def free_port() -> int:
    """Return one port that the system has free now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def free_ports() -> Ports:
    """Return ports that the system has free now, no two alike."""
    with ExitStack() as stack:
        names = [field.name for field in fields(Ports)]
        probes = {name: stack.enter_context(socket.socket()) for name in names}
        for probe in probes.values():
            probe.bind((HOST, 0))
        return Ports(**{name: probe.getsockname()[1] for name, probe in probes.items()})


def _bindable(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True
