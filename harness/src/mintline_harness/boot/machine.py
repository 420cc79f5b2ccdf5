"""The machine that `tools/boot` builds: how QEMU and the vsock device are called, and what attests.

https://www.qemu.org/docs/master/system/i386/nitro-enclave.html
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from mintline.attestation.development import Attester
from mintline.errors import Misconfigured

HOST_CID = 2
"""The host's context id (vsock(7)): on AWS a parent is 3, which the vsock device of QEMU does not serve."""
GUEST_CID = 4
ENCLAVE_PORT = 5000
KMS_PORT = 8000
MEMORY = "1536M"
"""Twice what the image unpacks to, and what Python takes; infra gives the enclave more."""


@dataclass(frozen=True, slots=True)
class Machine:
    """A folder that `tools/boot/build` has made."""

    folder: Path

    @property
    def blobs(self) -> Path:
        """The kernel, its command line and the init: what `mintline eif build --blobs` takes."""
        return self.folder / "blobs"

    def check(self) -> None:
        """Raise Misconfigured if the folder lacks a part."""
        programs = ("bin/qemu-system-x86_64", "bin/vhost-device-vsock", "bin/tsc-khz")
        libraries = ("lib/ld-linux-x86-64.so.2", "lib/nitro-enclave.so")
        blobs = ("blobs/bzImage", "blobs/cmdline", "blobs/init")
        missing = [part for part in (*programs, *libraries, *blobs) if not (self.folder / part).is_file()]
        if missing:
            raise Misconfigured(f"{self.folder} has no {missing[0]}: build the machine by tools/boot/build")

    def vsock(self, *, device: Path, sockets: Path) -> tuple[str, ...]:
        """Return the command of the vsock device, which QEMU finds at `device`.

        A program that connects to `sockets` says which port of the enclave it wants. A connection of the
        enclave's to a port of the host arrives at the socket of that name and `_PORT`.
        """
        vm = f"guest-cid={GUEST_CID},socket={device},uds-path={sockets}"
        return self._command("vhost-device-vsock", "--vm", vm)

    def enclave(
        self,
        image: Path,
        *,
        device: Path,
        module_id: str,
        role: str,
        instance: str,
        attester: Path,
        tsc_khz: int,
    ) -> tuple[str, ...]:
        """Return the command of an enclave. Its console is the standard output; a reboot ends it.

        `role` (ARN) and `instance` are the parent's: PCR3 and PCR4. `attester` is what `write_attester`
        wrote. `tsc_khz` is the frequency of this host's counter, the guest's clock, which the guest cannot
        measure; it is no part of the image.
        """
        named = f"id={module_id},parent-role={role},parent-id={instance}"
        return self._command(
            "qemu-system-x86_64",
            *("-L", str(self.folder / "share")),
            *("-M", f"nitro-enclave,vsock=vsock,{named}", "-accel", "tcg", "-m", MEMORY, "-no-reboot"),
            *("-display", "none", "-monitor", "none", "-serial", "stdio"),
            *("-chardev", f"socket,id=vsock,path={device}"),
            *("-global", f"virtio-nsm-device.authority={attester}"),
            *("-kernel", str(image), "-append", f"tsc_early_khz={tsc_khz}"),
        )

    def _command(self, name: str, *arguments: str) -> tuple[str, ...]:
        """Return a command under the libraries that it was built with, whatever this system has."""
        lib = self.folder / "lib"
        # Of the two programs, the machine's library finds its place in QEMU alone.
        preloaded = ("--preload", str(lib / "nitro-enclave.so")) if name.startswith("qemu") else ()
        loader = (str(lib / "ld-linux-x86-64.so.2"), "--library-path", str(lib), *preloaded)
        return (*loader, str(self.folder / "bin" / name), *arguments)


def write_attester(folder: Path, attester: Attester) -> None:
    """Write what signs the machine's attestation documents, as its security module reads it (qemu.patch)."""
    folder.mkdir(mode=0o700)
    key = attester.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    certificates = {f"bundle{place}.der": certificate for place, certificate in enumerate(attester.cabundle)}
    files = {
        "key.pem": key,
        "certificate.der": attester.certificate.public_bytes(Encoding.DER),
        **certificates,
    }
    for name, content in files.items():
        (folder / name).write_bytes(content)
