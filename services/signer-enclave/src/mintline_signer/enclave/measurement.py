"""What a process in development is measured as, in the place of an enclave's image.

`python -m mintline_signer.enclave.measure` prints it, as nitro-cli prints an image's.
"""

from __future__ import annotations

import hashlib
from importlib.resources import files
from importlib.resources.abc import Traversable

from mintline.attestation import registers

PACKAGES = ("mintline", "mintline_signer")
"""What the enclave runs of ours."""


def measured(role_arn: str) -> dict[int, bytes]:
    """Return the registers of this very code, under a role.

    PCR0 covers every Python file of our packages, and the roots that they trust. There is no kernel and no
    instance to measure for the others: they hold constants, since zeros mean debug mode.
    """
    return {
        0: _image(),
        1: registers.extended(registers.UNTOUCHED, b"no kernel"),
        2: registers.extended(registers.UNTOUCHED, b"no application image"),
        3: registers.role_register(role_arn),
        4: registers.extended(registers.UNTOUCHED, b"no instance"),
    }


def _image() -> bytes:
    digest = hashlib.sha384()
    for package in PACKAGES:
        for name, content in sorted(_sources(files(package), package)):
            digest.update(len(name).to_bytes(4, "big") + name.encode())
            digest.update(len(content).to_bytes(4, "big") + content)
    return digest.digest()


def _sources(folder: Traversable, name: str) -> list[tuple[str, bytes]]:
    sources: list[tuple[str, bytes]] = []
    for entry in folder.iterdir():
        path = f"{name}/{entry.name}"
        if entry.is_dir():
            sources += _sources(entry, path)
        elif entry.name.endswith((".py", ".pem")):
            sources.append((path, entry.read_bytes()))
    return sources
