"""The Nitro Security Module, as the enclave uses it, from any provider.

https://github.com/aws/aws-nitro-enclaves-nsm-api
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from mintline.errors import Misconfigured


class NsmFailed(Misconfigured):
    """The module refused or did not answer; without it an enclave proves nothing, and does not start."""


@dataclass(frozen=True, slots=True)
class NsmDescription:
    """What a module is."""

    module_id: str
    """Names the enclave: the instance's id and the enclave's."""
    version: tuple[int, int, int]
    max_pcrs: int
    locked_pcrs: frozenset[int]


class Nsm(Protocol):
    """A module. Its answers take a few milliseconds at most, so they are not awaited; all raise NsmFailed."""

    def describe(self) -> NsmDescription:
        """Return what the module is, and which registers are locked."""
        ...

    def attest(
        self,
        *,
        public_key: bytes | None = None,
        user_data: bytes | None = None,
        nonce: bytes | None = None,
    ) -> bytes:
        """Return an attestation document (COSE_Sign1) of now, which says the locked registers.

        `public_key` has 1024 bytes at most, the other two 512.
        """
        ...

    def random(self, size: int) -> bytes:
        """Return that many random bytes."""
        ...

    def extend_pcr(self, index: int, data: bytes) -> bytes:
        """Measure `data` (512 bytes at most) into a register that is not locked; return its new value."""
        ...

    def lock_pcr(self, index: int) -> None:
        """Let a register keep its value for as long as the enclave lives, and appear in its documents."""
        ...
