"""Did the user, or the client, ask for this very thing, and did the api accept it? Opens the envelope.

The acceptance is the api's signature (`mintline.acceptance`) on the digest of the very thing to be signed,
its token id included, and on the user's `sub`. So a token alone authorizes nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

from mintline.acceptance import ACCEPTANCE, Fault, NotVouchedFor, Statements
from mintline.authorization import AcceptanceMissing, Envelope, EnvelopeInvalid
from mintline.clock import UnixSeconds, to_ms
from mintline.messages.intents import AnyRequest
from mintline_signer.enclave.authorization_keys import AuthorizationKeyCache
from mintline_signer.enclave.client_budgets import ClientMint
from mintline_signer.enclave.kinds import required_authorizations
from mintline_signer.enclave.kinds.base import RequiredAuthorization
from mintline_signer.enclave.lines import Authorized, by_envelope
from mintline_signer.enclave.revocations import RevokedTokens
from mintline_signer.enclave.tokens import TokenVerifier
from mintline_signer.errors import EnclaveRefusal, RefusalCode
from mintline_signer.protocol import LinesProof

AT_ONCE = 16
"""Authorizations that are verified in one turn of the loop; between more of them others are answered."""
AROUND = 300.0
"""Seconds around a machine client's token's time in which the api may have accepted by it: a body may take a
while to arrive, and clocks differ."""

_FAULTS: Mapping[Fault, RefusalCode] = {
    Fault.MALFORMED: RefusalCode.AUTHORIZATION_MALFORMED,
    Fault.KEY: RefusalCode.ACCEPTANCE_KEY,
    Fault.CERTIFICATE: RefusalCode.ACCEPTANCE_CERTIFICATE,
    Fault.TIME: RefusalCode.ACCEPTANCE_TIME,
    Fault.SIGNATURE: RefusalCode.ACCEPTANCE_SIGNATURE,
}


@dataclass(frozen=True, slots=True)
class Judgement:
    """A request that all who must have asked for it did ask for."""

    client_mints: tuple[ClientMint, ...] = ()
    """Those of its mints that machine clients asked for: their budgets are still to be checked."""


class Authorizer:
    """Checks the api's acceptance and the user's token against the request that they came with.

    A refusal names the operation whose authorization it is about, where the request is for several.
    """

    def __init__(
        self,
        authorization_keys: AuthorizationKeyCache,
        tokens: TokenVerifier,
        statements: Statements,
        revoked: RevokedTokens,
    ) -> None:
        self._authorization_keys = authorization_keys
        self._tokens = tokens
        self._statements = statements
        self.revoked = revoked

    def judge(
        self,
        request: AnyRequest,
        *,
        now: UnixSeconds,
        authorizations: Sequence[bytes] = (),
        proofs: Sequence[LinesProof] = (),
    ) -> Judgement | None:
        """Raise EnclaveRefusal unless users and clients asked for this; None if it has to be judged later.

        That is if an authorization key must be obtained first, or there are more than AT_ONCE authorizations.
        `authorizations` are those that came beside the request: of a batch, one for each line, in order,
        empty for the lines of a request for many, whose `proofs` came instead. Raises EnclaveFailure
        (`bad_request`) if there are more or fewer. `now` is in Unix seconds.
        """
        envelopes = by_envelope(request, required_authorizations(request, authorizations), proofs)
        if len(envelopes) > AT_ONCE:
            return None
        by_clients: list[ClientMint] = []
        for authorized in envelopes:
            with _naming_operation(authorized.required):
                envelope = self._accepted(authorized.required, now)
                key = self._authorization_keys.held(envelope.key_id)
                if key is None:
                    return None
                by_clients += self._open(authorized, envelope, key, now)
        return Judgement(tuple(by_clients))

    async def judge_later(
        self,
        request: AnyRequest,
        *,
        now: UnixSeconds,
        authorizations: Sequence[bytes] = (),
        proofs: Sequence[LinesProof] = (),
    ) -> Judgement:
        """Do the same, once the authorization keys are obtained; raises EnclaveFailure for a missing one."""
        by_clients: list[ClientMint] = []
        envelopes = by_envelope(request, required_authorizations(request, authorizations), proofs)
        for number, authorized in enumerate(envelopes):
            if number:
                await asyncio.sleep(0)
            with _naming_operation(authorized.required):
                envelope = self._accepted(authorized.required, now)
                key = await self._authorization_keys.obtain(envelope.key_id)
                by_clients += self._open(authorized, envelope, key, now)
        return Judgement(tuple(by_clients))

    def _accepted(self, required: RequiredAuthorization, now: UnixSeconds) -> Envelope:
        """Return the envelope of what the api accepted; raises EnclaveRefusal if it did not."""
        if not required.envelope:
            raise EnclaveRefusal(RefusalCode.AUTHORIZATION_MISSING)
        try:
            envelope = Envelope.from_bytes(required.envelope)
            self._statements.verify(
                envelope.acceptance,
                ACCEPTANCE,
                required.digest,
                required.subject.encode(),
                now=to_ms(now),
            )
        except AcceptanceMissing:
            raise EnclaveRefusal(RefusalCode.ACCEPTANCE_MISSING) from None
        except EnvelopeInvalid:
            raise EnclaveRefusal(RefusalCode.AUTHORIZATION_MALFORMED) from None
        except NotVouchedFor as refused:
            raise EnclaveRefusal(_FAULTS[refused.fault]) from None
        return envelope

    def _open(
        self,
        authorized: Authorized,
        envelope: Envelope,
        key: EllipticCurvePrivateKey,
        now: UnixSeconds,
    ) -> list[ClientMint]:
        """Check the token in an envelope; return its mints if a machine client asked for them."""
        required = authorized.required
        try:
            token = envelope.open(required.digest, key)
        except EnvelopeInvalid:
            raise EnclaveRefusal(RefusalCode.AUTHORIZATION_SEAL) from None
        claims = self._tokens.claims_of(token, now=now, scope=required.scope)
        if claims.subject != required.subject:
            raise EnclaveRefusal(RefusalCode.AUTHORIZATION_SUBJECT)
        accepted_at = envelope.acceptance.at
        self.revoked.check(claims, accepted_at=accepted_at, now=now)
        if not claims.is_client:
            return []
        terms = [operation.for_clients for operation in authorized.operations]
        if None in terms:
            raise EnclaveRefusal(RefusalCode.TOKEN_SUBJECT)
        # It counts in the window of this time, so no other window may be chosen than one of the token's.
        if not claims.not_before - AROUND <= accepted_at / 1000 <= claims.expires + AROUND:
            raise EnclaveRefusal(RefusalCode.ACCEPTANCE_TIME)
        return [
            ClientMint(
                claims.subject, operation.operation_id, operation.digest, accepted_at, operation.for_clients
            )
            for operation in authorized.operations
            if operation.for_clients is not None
        ]


@contextmanager
def _naming_operation(required: RequiredAuthorization) -> Iterator[None]:
    """Have a refusal name the operation of the authorization."""
    try:
        yield
    except EnclaveRefusal as refused:
        raise EnclaveRefusal(RefusalCode(refused.code), required.operation_id) from None
