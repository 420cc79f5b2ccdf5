"""The session key by which an api process vouches for what it accepts, and its certificate.

::

    a new key ──certified by the intake key (KMS)──▶ signs for two hours at most; replaced every hour

Renewal begins an hour before the certificate ends, so the api goes on while KMS is away for that long.
Without a valid certificate nothing is accepted: the enclave would refuse it, and a refusal ends a mint.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress

import structlog
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from mintline.acceptance import (
    MAX_VALIDITY,
    Certificate,
    NotVouchedFor,
    Session,
    Statement,
    request_certificate,
)
from mintline.errors import MintlineError, Unavailable
from mintline.tasks import repeatedly

log = structlog.get_logger()

BACKDATED = 300_000
"""Milliseconds by which a certificate begins before its time: clocks of other machines may be behind."""
RENEWED_AFTER = 3_600.0
"""Seconds from one session key to the next."""
RETRY_AFTER = 10.0
"""Seconds between two tries to have a session key certified."""
FIRST_TRY = 5.0
"""Seconds that a starting process waits for its first certificate before it serves without one."""


class IntakeSessions:
    """Holds the session key in use; `certify` has the intake key sign. `now` returns Unix milliseconds."""

    def __init__(
        self,
        certify: Callable[[Certificate], Awaitable[Certificate]],
        *,
        intake_key: EllipticCurvePublicKey,
        now: Callable[[], int],
    ) -> None:
        self._certify = certify
        self._intake_key = intake_key
        self._now = now
        self._session: Session | None = None

    def state(self, domain: bytes, *fields: bytes, at: int) -> Statement:
        """Return a statement signed by the session key; `at` is Unix milliseconds.

        Raises Unavailable without a certificate that is valid then.
        """
        return self._valid(at).state(domain, *fields, at=at)

    async def check(self) -> None:
        """Raise Unavailable without a valid certificate: for readiness, and before work is begun."""
        self._valid(self._now())

    async def renew(self) -> None:
        """Make another session key and have it certified; raises Retryable, and keeps the one in use."""
        key, begins = Ed25519PrivateKey.generate(), self._now() - BACKDATED
        wanted = request_certificate(
            key, self._intake_key, not_before=begins, not_after=begins + MAX_VALIDITY
        )
        certificate = await self._certify(wanted)
        try:
            certificate.verify(self._intake_key)
        except NotVouchedFor:
            # Of the same name as for the wallets' key: one alarm tells that KMS answers by a key not ours.
            log.error("kms_key_mismatch", answered="a signature by another intake key")  # noqa: TRY400
            raise Unavailable("KMS signs with another intake key than MINTLINE_INTAKE_KEY") from None
        self._session = Session(key, certificate)
        log.info("intake_session_certified", not_after=certificate.not_after)

    async def begin(self) -> None:
        """Try to have a first session key certified; without one the process serves all but mints."""
        with suppress(TimeoutError):
            async with asyncio.timeout(FIRST_TRY):
                try:
                    await self.renew()
                except MintlineError as error:
                    log.warning("intake_session_not_certified", reason=str(error))

    async def keep(
        self, stop: asyncio.Event, *, sleep: Callable[[float], Awaitable[None]], rng: random.Random
    ) -> None:
        """Renew the session key, whenever that is due, until `stop` is set."""

        async def once() -> float:
            if self._due():
                await self.renew()
            return RETRY_AFTER

        await repeatedly(once, stop, every=RETRY_AFTER, sleep=sleep, rng=rng)

    def _due(self) -> bool:
        if self._session is None:
            return True
        issued = self._session.certificate.not_before + BACKDATED
        return self._now() - issued >= RENEWED_AFTER * 1000

    def _valid(self, at: int) -> Session:
        session = self._session
        if session is None or not session.certificate.covers(at):
            raise Unavailable(
                "no valid certificate for the intake session key: KMS has not signed one",
                retry_after=RETRY_AFTER,
            )
        return session
