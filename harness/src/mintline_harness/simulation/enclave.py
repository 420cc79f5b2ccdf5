"""The enclave within a simulated signer: its own judgement and signatures, without its socket."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from mintline.clock import Monotonic, UnixSeconds
from mintline_harness.simulation.accounts import Custody, authority
from mintline_harness.simulation.parts import Parts, signing_policy
from mintline_signer.enclave.audit import Audit, SessionTrail
from mintline_signer.enclave.authorization_keys import AuthorizationKeyCache
from mintline_signer.enclave.client_budgets import ClientBudgets
from mintline_signer.enclave.keys import KeyCache
from mintline_signer.enclave.rates import RateLimiter
from mintline_signer.enclave.revocations import RevokedTokens
from mintline_signer.enclave.server import Enclave
from mintline_signer.enclave.signing_history import SigningHistory
from mintline_signer.enclave.tokens import TokenVerifier
from mintline_signer.errors import EnclaveRefusal
from mintline_signer.protocol import Issued, Sign, Signed, declined


class SimulatedEnclave:
    """The enclave's own judgement and signatures, without its socket. `now` is in Unix seconds."""

    def __init__(
        self,
        custody: Custody,
        parts: Parts,
        *,
        now: Callable[[], UnixSeconds],
        signed: Callable[[Sign], None],
        refused: Callable[[Sign, str], None],
    ) -> None:
        loop = asyncio.get_running_loop()
        self._signed = signed
        self._refused = refused
        policy, authorization_keys = signing_policy(), AuthorizationKeyCache(custody)
        statements = policy.authorization.statements()
        audit = Audit(Ed25519PrivateKey.generate(), attested=b"", now=now)
        self._trail = SessionTrail(audit)
        authorization_keys.use(authority().authorization_keys().keys)
        self._enclave = Enclave(
            policy=policy,
            policy_digest=b"",
            authorizer=parts.authorizer(
                authorization_keys,
                TokenVerifier(policy.authorization, machine_clients=policy.clients is not None),
                statements,
                RevokedTokens(statements, grace=policy.authorization.grace, secret=bytes(16), remembered=100),
            ),
            authorization_keys=authorization_keys,
            history=SigningHistory(size=1000, secret=bytes(16)),
            rates=RateLimiter(policy),
            budgets=ClientBudgets(policy, secret=bytes(16), remembered=1000),
            audit=audit,
            keys=KeyCache(custody, size=16, ttl=3600, clock=lambda: Monotonic(loop.time())),
            kms=cast("Any", None),
            now=now,
        )

    async def sign(self, request: Sign) -> Signed | Issued:
        """Return what was signed; raises EnclaveRefusal or EnclaveFailure."""
        response = self._enclave.respond(request, self._trail) or await self._enclave.respond_later(
            request, self._trail
        )
        self._trail.stored(len(self._trail.batches()))
        if isinstance(response, Signed | Issued):
            self._signed(request)
            return response
        why = declined(response)
        if isinstance(why, EnclaveRefusal):
            self._refused(request, why.code)
        raise why
