"""The booted image as a local stack's enclave: built for the stack, started by its supervisor."""

from __future__ import annotations

import asyncio
import json
import secrets
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from mintline.attestation.development import DevelopmentAuthority
from mintline.attestation.registers import policy_register
from mintline.errors import Misconfigured
from mintline.resources import WALLET_KEY
from mintline_devstack.attestation import AUTHORITY
from mintline_devstack.emulators import PREFIX, base_environment
from mintline_devstack.paths import CHECKOUT
from mintline_devstack.ports import Listeners
from mintline_devstack.principals import role_arn
from mintline_devstack.probes import socket_ready
from mintline_devstack.services import POLICY, Environment
from mintline_devstack.state_folder import StateFolder
from mintline_devstack.supervisor import ChildSpec, Probe
from mintline_harness.boot.machine import ENCLAVE_PORT, HOST_CID, KMS_PORT, Machine, write_attester

INSTANCE = "i-0123456789abcdef0"
"""The id of an instance that is none: what PCR4 measures."""
AWAITING = '"enclave_awaits_policy"'
"""What the enclave logs, once it has its security module and its entropy: the host's process comes next."""
BOOT_TIMEOUT = 900.0
"""Seconds: a processor is emulated, and shared."""


class BootedImage:
    """A LocalEnclave: an image that `mintline eif build` makes of a container image, under QEMU."""

    def __init__(self, machine: Machine, container: Path) -> None:
        self._machine = machine
        self._container = container
        self._tsc_khz = 0
        self.module_id = f"{INSTANCE}-enc{secrets.token_hex(8)}"
        """What names this enclave, in attestation documents and KMS's log."""
        self.computed: dict[str, str] = {}
        """The registers (hex) by `pcr0`, `pcr1`, `pcr2`, which `mintline eif build` computed, and `pcr16`, of
        the policy document that the host hands over."""

    async def measure(self, state: StateFolder, ports: Listeners) -> str:
        """Build the image for this stack, and return its PCR0."""
        settings = {
            "MINTLINE_ENCLAVE_ADDRESS": f"vsock://any:{ENCLAVE_PORT}",
            "MINTLINE_KMS_PROXY_ADDRESS": f"vsock://{HOST_CID}:{KMS_PORT}",
            "MINTLINE_PARENT_CID": str(HOST_CID),
            "MINTLINE_KMS_ENDPOINT_URL": ports.url("kms_front"),
            "MINTLINE_KMS_KEY_ID": WALLET_KEY.alias(PREFIX),
            # An emulated processor takes longer for a request.
            "MINTLINE_KMS_TIMEOUT": "60",
        }
        output = await _output(
            *(sys.executable, "-m", "mintline_cli", "eif", "build", str(self._container), "--json"),
            *("--blobs", str(self._machine.blobs), "--out", str(_image(state))),
            *(word for name, value in settings.items() for word in ("--env", f"{name}={value}")),
        )
        policy = (state.enclave / POLICY).read_bytes()
        self.computed = {**json.loads(output), "pcr16": policy_register(policy).hex()}
        self._tsc_khz = int(await _output(str(self._machine.folder / "bin/tsc-khz")))
        return self.computed["pcr0"]

    def processes(self, environment: Environment) -> Sequence[ChildSpec]:
        """Return the vsock device, the machine, and what connects the host's process to its port."""
        state, sockets = environment.state, environment.sockets
        authority = DevelopmentAuthority.from_pem((state.enclave / AUTHORITY).read_bytes())
        attester = state.enclave / self.module_id
        write_attester(attester, authority.attester(self.module_id, now=datetime.now(UTC)))
        device, vsock = sockets / "device.sock", sockets / "vsock.sock"
        # What the enclave sends to KMS_PORT goes to the proxy of the host's process, once that is there.
        Path(f"{vsock}_{KMS_PORT}").symlink_to(environment.kms_socket)
        booting = self._machine.enclave(
            _image(state),
            device=device,
            module_id=self.module_id,
            role=role_arn("enclave"),
            instance=INSTANCE,
            attester=attester,
            tsc_khz=self._tsc_khz,
        )
        relaying = {
            "MINTLINE_RELAY_LISTEN": str(environment.enclave_socket),
            "MINTLINE_RELAY_DEVICE": str(vsock),
            "MINTLINE_RELAY_PORT": str(ENCLAVE_PORT),
        }
        inherited = base_environment(state)
        return (
            ChildSpec(
                name="vsock",
                argv=self._machine.vsock(device=device, sockets=vsock),
                env=inherited,
                cwd=CHECKOUT,
                ready=exists(device),
                restart=False,
            ),
            ChildSpec(
                name="enclave",
                argv=booting,
                env=inherited,
                cwd=CHECKOUT,
                ready=logged(state.logs / "enclave.log", AWAITING),
                ready_timeout=BOOT_TIMEOUT,
                restart=False,
            ),
            ChildSpec(
                name="relay",
                argv=(sys.executable, "-m", "mintline_harness.boot.relay"),
                env={**inherited, **relaying},
                cwd=CHECKOUT,
                ready=socket_ready(environment.enclave_socket),
            ),
        )


async def _output(*command: str) -> bytes:
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, stdout=pipe, stderr=pipe)
    output, complaint = await process.communicate()
    if process.returncode != 0:
        raise Misconfigured(f"{command[0]} failed: {complaint.decode()[-300:]}")
    return output


def _image(state: StateFolder) -> Path:
    return state.enclave / "signer.eif"


def exists(path: Path) -> Probe:
    """Return a probe for a process that makes a file."""

    async def probe() -> str:
        return "" if await asyncio.to_thread(path.exists) else f"there is no {path}"

    return probe


def logged(log: Path, words: str) -> Probe:
    """Return a probe for a process that logs these words."""

    async def probe() -> str:
        text = await asyncio.to_thread(log.read_text, errors="replace")
        return "" if words in text else f"{log} does not say {words}"

    return probe
