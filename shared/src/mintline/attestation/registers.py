"""Platform configuration registers: what an enclave was measured as.

0 is the image, 1 the kernel and bootstrap, 2 the application, 3 the parent's IAM role, 4 the parent's
instance, 8 the certificate that signed the image; from 16 on they are the application's own.
https://docs.aws.amazon.com/enclaves/latest/user/set-up-attestation.html
"""

from __future__ import annotations

import hashlib

SIZE = 48
"""Bytes of a register: a SHA-384."""
COUNT = 32
FIRST_OWN = 16
"""Below it the platform measures and locks; from it on the application may extend."""
UNTOUCHED = bytes(SIZE)
"""A register that nothing was measured into; PCR0 to PCR2 like that are an enclave in debug mode."""
POLICY_REGISTER = 16
"""Holds the measurement of the enclave's policy document."""


def extended(register: bytes, data: bytes) -> bytes:
    """Return the register's value after `data` is measured into it: SHA384(register ‖ data)."""
    return hashlib.sha384(register + data).digest()


def role_register(role_arn: str) -> bytes:
    """Return PCR3 of an enclave whose parent instance has this IAM role."""
    return extended(UNTOUCHED, role_arn.encode())


def policy_register(document: bytes) -> bytes:
    """Return PCR16 of an enclave that serves this policy document, byte for byte."""
    return extended(UNTOUCHED, hashlib.sha384(document).digest())
