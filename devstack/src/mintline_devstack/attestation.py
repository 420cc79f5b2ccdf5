"""How the local enclave is attested: by its own authority, under a key policy that names its measures.

The authority's file is the enclave's alone, its root is everybody's.
"""

from __future__ import annotations

import asyncio
import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding

from mintline.atomic_files import replace_file
from mintline.attestation.development import DevelopmentAuthority
from mintline.attestation.registers import policy_register
from mintline.errors import Misconfigured
from mintline.resources import WALLET_KEY
from mintline_devstack.principals import key_policy
from mintline_devstack.state_folder import StateFolder
from mintline_ops.run_file import corrupt

AUTHORITY = "authority.pem"


def issue_authority(state: StateFolder, folder: Path) -> Path:
    """Return the authority's file in the enclave's folder, made if it is not there; tell KMS its root.

    Raises Misconfigured when the file is damaged.
    """
    path = folder / AUTHORITY
    if not path.exists():
        replace_file(path, DevelopmentAuthority.create(now=datetime.now(UTC)).to_pem())
    try:
        authority = DevelopmentAuthority.from_pem(path.read_bytes())
    except ValueError as fault:
        raise corrupt(path, str(fault)) from None
    replace_file(root_file(state), authority.root.public_bytes(Encoding.PEM))
    return path


async def measure() -> str:
    """Return what the enclave of this environment is measured as (PCR0, hex); raises Misconfigured."""
    command = (sys.executable, "-m", "mintline_signer.enclave.measure")
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, stdout=pipe, stderr=pipe)
    output, complaint = await process.communicate()
    if process.returncode != 0:
        raise Misconfigured(f"the enclave cannot be measured: {complaint.decode()[-200:]}")
    return image_of(output.decode())


def image_of(description: str) -> str:
    """Return PCR0 (hex) from an image's description, as nitro-cli prints one; raises Misconfigured."""
    try:
        image: str = json.loads(description)["Measurements"]["PCR0"]
    except (ValueError, KeyError, TypeError):
        raise Misconfigured(f"not an enclave's measurements: {description[:100]!r}") from None
    return image


async def admit(kms: Any, *, prefix: str, chain_id: int, image: str, policy: bytes) -> None:
    """Let the enclave of that image that signs by that policy document unwrap keys, and no other one.

    `kms` is the operator's client.
    """
    signing = json.loads(policy)
    document = key_policy(
        chain_id,
        images=(image,),
        policies=(policy_register(policy).hex(),),
        receives="rewrap_to" in signing,
        reassigned=tuple(reassignment["to"] for reassignment in signing.get("reassign", ())),
    )
    await kms.put_key_policy(KeyId=WALLET_KEY.alias(prefix), Policy=json.dumps(document))


def root_file(state: StateFolder) -> Path:
    """Return where the KMS front finds the root under which enclaves attest."""
    return state.kms / "root.pem"
