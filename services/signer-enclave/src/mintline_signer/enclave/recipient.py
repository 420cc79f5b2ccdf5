"""What the enclave proves itself to KMS with: a key that never leaves it, in a document that is fresh."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import structlog
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from mintline_signer.enclave.clock import NsmClock
from mintline_signer.enclave.nsm import Nsm, NsmFailed

log = structlog.get_logger()

KEY_SIZE = 2048
"""Bits: the one size that KMS writes to."""
REFRESH = 120.0
"""Seconds after which a document is replaced: KMS takes none that is older than five minutes."""


@dataclass(frozen=True, slots=True)
class Recipient:
    """A key, and the document that binds it. One request is made and answered by one of these."""

    key: RSAPrivateKey = field(repr=False)
    document: bytes = field(repr=False)


def new_key() -> RSAPrivateKey:
    """Make a key; takes some hundredths of a second."""
    return generate_private_key(65537, KEY_SIZE)


class Recipients:
    """The recipient of now. Each new document also sets the clock.

    `rotation` is in seconds. A request in flight keeps the key that it was made with, so neither a new
    document nor a new key disturbs it.
    """

    def __init__(
        self,
        nsm: Nsm,
        clock: NsmClock,
        *,
        rotation: float,
        monotonic: Callable[[], float],
        make_key: Callable[[], RSAPrivateKey] = new_key,
    ) -> None:
        self._nsm = nsm
        self._clock = clock
        self._rotation = rotation
        self._monotonic = monotonic
        self._make_key = make_key
        self._key = make_key()
        self._made = monotonic()
        self._attested = self._made
        self._current = self._attest()

    def current(self) -> Recipient:
        """Return the recipient for a request to KMS; raises NsmFailed when a new document cannot be had."""
        if self._monotonic() - self._attested >= REFRESH:
            self._current = self._attest()
        return self._current

    def _attest(self) -> Recipient:
        public = self._key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        document = self._nsm.attest(public_key=public)
        self._clock.discipline(document)
        self._attested = self._monotonic()
        return Recipient(self._key, document)

    async def keep(self, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        """Replace documents and keys on time, until cancelled."""
        while True:
            await sleep(REFRESH / 2)
            if self._monotonic() - self._made >= self._rotation:
                # In a thread: it would hold up every signature for as long as it takes.
                self._key = await asyncio.to_thread(self._make_key)
                self._made = self._monotonic()
                log.info("recipient_key_rotated")
            try:
                self._current = self._attest()
            except NsmFailed as error:
                log.warning("attestation_failed", reason=str(error))
