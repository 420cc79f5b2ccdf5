"""The enclave's time: nothing in an enclave keeps its clock right, but the security module's documents do."""

from __future__ import annotations

from collections.abc import Callable

from mintline.attestation import cose, document
from mintline.clock import UnixSeconds


class NsmClock:
    """Unix seconds: what the last document said, and what a monotonic clock has counted since."""

    def __init__(self, attestation: bytes, *, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._ahead = 0.0
        self.discipline(attestation)

    def discipline(self, attestation: bytes) -> None:
        """Take over the time of a document that the module has just made."""
        attested = document.read(cose.read(attestation).payload)
        self._ahead = attested.timestamp / 1000 - self._monotonic()

    def __call__(self) -> UnixSeconds:
        """Return the time, in Unix seconds."""
        return UnixSeconds(self._monotonic() + self._ahead)
