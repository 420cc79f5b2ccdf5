"""What the enclave does before it serves anyone: opens its security module, seeds, measures its policy."""

from __future__ import annotations

import hashlib
import secrets
from datetime import UTC, datetime
from pathlib import Path

import structlog

from mintline.attestation import cose, document
from mintline.attestation.development import DevelopmentAuthority
from mintline.attestation.registers import POLICY_REGISTER, policy_register
from mintline.clock import unix_seconds
from mintline.errors import Misconfigured
from mintline_signer.enclave.measurement import measured
from mintline_signer.enclave.nsm import Nsm, NsmFailed
from mintline_signer.enclave.nsm_development import DevelopmentNsm
from mintline_signer.enclave.nsm_device import DeviceNsm, device_exchange
from mintline_signer.enclave.settings import EnclaveSettings

log = structlog.get_logger()

KERNEL_POOL = Path("/dev/random")
SEED = 256
"""Bytes of the module's entropy that the kernel's pool is given."""


def open_nsm(settings: EnclaveSettings) -> Nsm:
    """Return the security module that the settings name; raises Misconfigured."""
    if settings.nsm == "device":
        return DeviceNsm(device_exchange())
    log.warning("development_security_module", meaning="this enclave proves nothing to AWS")
    path = settings.development_authority
    if path is None:
        raise Misconfigured("MINTLINE_NSM=development needs MINTLINE_DEVELOPMENT_AUTHORITY")
    try:
        authority = DevelopmentAuthority.from_pem(path.read_bytes())
    except OSError as error:
        raise Misconfigured(f"development authority: cannot read {path}: {error.strerror}") from None
    except ValueError as error:
        raise Misconfigured(f"development authority {path}: {error}") from None
    return DevelopmentNsm(
        authority,
        measured=measured(settings.development_role),
        module_id=f"development-{datetime.now(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(4)}",
        now=unix_seconds,
    )


def seed(nsm: Nsm, pool: Path = KERNEL_POOL) -> None:
    """Mix the module's entropy into the kernel's, from which every key here is made (random(4)).

    An enclave boots with little entropy of its own. Raises Misconfigured.
    """
    try:
        with pool.open("wb", buffering=0) as kernel:
            kernel.write(nsm.random(SEED))
    except OSError as error:
        raise Misconfigured(f"cannot seed {pool}: {error.strerror}") from None


def measure_policy(nsm: Nsm, policy: bytes) -> None:
    """Measure the policy document into its register and lock that; raises NsmFailed.

    After a restart within the same enclave the register is locked already, and must hold this very document.
    """
    if POLICY_REGISTER not in nsm.describe().locked_pcrs:
        nsm.extend_pcr(POLICY_REGISTER, hashlib.sha384(policy).digest())
        nsm.lock_pcr(POLICY_REGISTER)
    attested = document.read(cose.read(nsm.attest()).payload)
    if attested.pcrs.get(POLICY_REGISTER) != policy_register(policy):
        raise NsmFailed("another policy than this one is measured already")
    registers = {f"pcr{index}": attested.pcrs[index].hex() for index in (0, POLICY_REGISTER)}
    log.info("enclave_measured", module_id=attested.module_id, **registers)
