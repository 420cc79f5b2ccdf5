"""Authorization envelopes: the api's acceptance of a mint, and the caller's token, sealed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pydantic import SecretStr

from mintline.acceptance import ACCEPTANCE
from mintline.authorization import MAX_TOKEN, Sealer
from mintline.authorizations import digest_of
from mintline.records import Mint
from mintline_api.intake_sessions import IntakeSessions
from mintline_api.problems import TOKEN_TOO_LONG, Refused


@dataclass(frozen=True, slots=True)
class Authorizations:
    """Makes envelopes; the api itself cannot open again what it sealed."""

    sealer: Sealer
    intake: IntakeSessions

    async def by(self, token: SecretStr) -> Callable[[Mint], bytes]:
        """Return what makes the envelope of a mint that the token's user asks for.

        Raises Refused for a token whose envelope would not fit, and Unavailable while nothing can be
        accepted: before anything is stored.
        """
        text = token.get_secret_value()
        if len(text) > MAX_TOKEN:
            raise Refused(
                TOKEN_TOO_LONG,
                f"The access token has {len(text)} bytes, and a mint takes one of {MAX_TOKEN} at most. "
                "Sign in with fewer groups, scopes or custom claims.",
            )
        await self.intake.check()
        return lambda mint: self._of(mint, text)

    def _of(self, mint: Mint, token: str) -> bytes:
        digest = digest_of(mint)
        accepted = self.intake.state(ACCEPTANCE, digest, mint.sub.encode(), at=mint.created_at)
        return self.sealer.seal(token, digest, accepted)
