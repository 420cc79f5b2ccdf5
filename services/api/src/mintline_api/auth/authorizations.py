"""Authorization envelopes: the api's acceptance of an operation, and the caller's token, sealed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pydantic import SecretStr

from mintline.acceptance import ACCEPTANCE
from mintline.authorization import MAX_TOKEN, PublicAuthorizationKey
from mintline.authorizations import digest_of
from mintline.records.operations import Operation
from mintline_api.auth.intake_sessions import IntakeSessions
from mintline_api.auth.problems import TOKEN_TOO_LONG
from mintline_api.http.problems import RequestRefused


@dataclass(frozen=True, slots=True)
class Authorizations:
    """Makes envelopes; the api itself cannot open again what it sealed."""

    key: PublicAuthorizationKey
    intake: IntakeSessions

    async def by(self, token: SecretStr) -> Callable[[Operation], bytes]:
        """Return what makes the envelope of an operation that the token's user asks for.

        Raises as `envelopes_for`.
        """
        seal = await self.envelopes_for(token)
        return lambda operation: seal(digest_of(operation), operation.asked_by, operation.created_at)

    async def envelopes_for(self, token: SecretStr) -> Callable[[bytes, str, int], bytes]:
        """Return what makes the envelope of a request, by its digest, the caller and the time of acceptance.

        The caller is the token's `sub`, the time in Unix milliseconds. Raises RequestRefused for a token
        whose envelope would not fit, and Unavailable while nothing can be accepted: before anything is
        stored.
        """
        text = token.get_secret_value()
        if len(text) > MAX_TOKEN:
            raise RequestRefused(
                TOKEN_TOO_LONG,
                f"The access token has {len(text)} bytes, and a mint takes one of {MAX_TOKEN} at most. "
                "Sign in with fewer groups, scopes or custom claims.",
            )
        await self.intake.check()
        return lambda digest, sub, at: self._of(text, digest, sub, at)

    def _of(self, token: str, digest: bytes, sub: str, at: int) -> bytes:
        accepted = self.intake.state(ACCEPTANCE, digest, sub.encode(), at=at)
        return self.key.seal(token, digest, accepted)
