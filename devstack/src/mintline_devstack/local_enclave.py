"""What signs in a local stack: a process of this checkout, or something else that a caller brings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from mintline_devstack import services
from mintline_devstack.attestation import measure
from mintline_devstack.ports import Listeners
from mintline_devstack.state_folder import StateFolder
from mintline_devstack.supervisor import ChildSpec


class LocalEnclave(Protocol):
    """An enclave that serves the host at `Environment.enclave_socket`, and calls KMS by `kms_socket`."""

    async def measure(self, state: StateFolder, ports: Listeners) -> str:
        """Return what the enclave is measured as (PCR0, hex): KMS decrypts for that image alone.

        The state folder holds the authority that attests it. Raises Misconfigured.
        """
        ...

    def processes(self, environment: services.Environment) -> Sequence[ChildSpec]:
        """Return what to run, each once the one before is ready."""
        ...


class DevelopmentEnclave:
    """A LocalEnclave: a process with a security module in software."""

    async def measure(self, state: StateFolder, ports: Listeners) -> str:  # noqa: ARG002 - the code alone counts
        """Return what the code of this environment is measured as."""
        return await measure()

    def processes(self, environment: services.Environment) -> Sequence[ChildSpec]:
        """Return the one process."""
        return [services.enclave(environment)]
