"""The line's own authority for attestation: its file is the enclave's alone, its root is everybody's."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding

from mintline.attestation.development import DevelopmentAuthority
from mintline_local.places import StateFolder, corrupt

AUTHORITY = "authority.pem"


def issue_authority(state: StateFolder, folder: Path) -> Path:
    """Return the authority's file in the enclave's folder, made if it is not there; tell KMS its root.

    Raises Misconfigured when the file is damaged.
    """
    path = folder / AUTHORITY
    if not path.exists():
        _write(path, DevelopmentAuthority.create(now=datetime.now(UTC)).to_pem())
    try:
        authority = DevelopmentAuthority.from_pem(path.read_bytes())
    except ValueError as fault:
        raise corrupt(path, str(fault)) from None
    _write(root_file(state), authority.root.public_bytes(Encoding.PEM))
    return path


def root_file(state: StateFolder) -> Path:
    """Return where the KMS front finds the root under which enclaves attest."""
    return state.kms / "root.pem"


def _write(path: Path, content: bytes) -> None:
    """Write in one step, readable by this user alone."""
    fresh = path.with_name(f".{path.name}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    fresh.replace(path)
