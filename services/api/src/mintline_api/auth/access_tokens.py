"""Access tokens: who is asking, or a clear reason why we cannot tell.

Source: "Verifying JSON web tokens" in Amazon Cognito's developer guide; RFC 6750 for the answers.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pydantic import SecretStr

from mintline.access_tokens import jws
from mintline.access_tokens.rules import LEEWAY, NAMESPACE, BadToken, TokenFault, TokenRules
from mintline.scopes import OPENID, SIGN_IN_SCOPES
from mintline_api.auth import problems
from mintline_api.auth.clients import ClientDirectory
from mintline_api.auth.jwks import KeySet
from mintline_api.auth.ports import TokenStatus
from mintline_api.auth.revocations import Revocations
from mintline_api.auth.user_pool import TokenChecks
from mintline_api.caches import BoundedCache
from mintline_api.http.problems import ProblemType, RequestRefused

_BEARER = re.compile(r"[Bb][Ee][Aa][Rr][Ee][Rr] +([A-Za-z0-9._~+/=-]+)")
_CACHE_SECONDS = 60.0
_CACHED_TOKENS = 50_000
_PROBLEMS = {
    TokenFault.MALFORMED: problems.MALFORMED_TOKEN,
    TokenFault.ALGORITHM: problems.TOKEN_ALGORITHM,
    TokenFault.KEY: problems.UNKNOWN_KEY,
    TokenFault.SIGNATURE: problems.BAD_SIGNATURE,
    TokenFault.CLAIMS: problems.BAD_CLAIMS,
    TokenFault.USE: problems.NOT_AN_ACCESS_TOKEN,
    TokenFault.ISSUER: problems.WRONG_ISSUER,
    TokenFault.CLIENT: problems.WRONG_CLIENT,
    TokenFault.SUBJECT: problems.BAD_CLAIMS,
    TokenFault.SCOPE: problems.INSUFFICIENT_SCOPE,
    TokenFault.EXPIRED: problems.TOKEN_EXPIRED,
    TokenFault.NOT_YET_VALID: problems.TOKEN_NOT_YET_VALID,
}


@dataclass(frozen=True, slots=True)
class Caller:
    """Who is asking; `sub` never names a key of the platform's own."""

    sub: str
    issued_at: float
    expires_at: float
    """Unix seconds, as `issued_at`."""
    token: SecretStr
    """The access token that proved it."""
    scopes: frozenset[str]
    """What the token was given for."""
    client_id: str | None = None
    """The machine client that is asking, which `sub` names then too; None for a user."""
    operator: str | None = None
    """The `sub` of the person who acts as that client; None if it asks for itself."""


@dataclass(frozen=True, slots=True)
class Issuer:
    """Who issues tokens: its signing keys, and whose tokens are accepted."""

    keys: KeySet
    rules: TokenRules


@dataclass(frozen=True, slots=True)
class UserPool:
    """The user pool: its signing keys, what tells of its users' tokens, and its app clients of people."""

    keys: KeySet
    status: TokenStatus
    issuer: str
    client_id: str
    operator_client_id: str | None = None


class AccessTokens:
    """Verifies access tokens of one user pool: users' by one app client, and machine clients' own.

    Those of `others` too, other OIDC issuers, and of these alone without a `pool`: nobody is asked whether
    they were revoked, so that they count until they expire, and they need no `openid`. Their machine clients
    are those of their rules.

    A verified token is remembered, by its hash, for a minute at most and never past its expiry. Whether its
    user is still signed in is asked of the pool at most once in 45 seconds; `revocations` puts it on record.
    The pool tells nothing of a client's token: its record in `clients` counts instead. Without `clients` none
    is accepted. Operators act as the pool's `operator_client_id`, by which they sign in; the pool is asked
    about them as about users.
    `now` is in Unix seconds.
    """

    def __init__(
        self,
        *,
        pool: UserPool | None,
        now: Callable[[], float],
        revocations: Revocations | None = None,
        clients: ClientDirectory | None = None,
        others: Sequence[Issuer] = (),
        looked_up: Callable[[bool], None] = lambda _: None,
    ) -> None:
        self._pool = None if pool is None else _issuer_of(pool, machine_clients=clients is not None)
        self._others = {other.rules.issuer: other for other in others}
        self._clients = clients
        self._now = now
        self._revocations = revocations
        self._checks = None if pool is None else TokenChecks(pool.status, now=now)
        self._cache: BoundedCache[bytes, Caller] = BoundedCache(
            max_weight=_CACHED_TOKENS, clock=now, looked_up=looked_up
        )

    async def caller(self, authorization: str | None, scope: str, *, clients: bool = False) -> Caller:
        """Return who sent an `Authorization` header, whose token must have been given for `scope`.

        A machine client is refused unless `clients`. Raises RequestRefused (401; 403 for the scope, or for a
        client), or Unavailable without keys, or when the pool, or storage, has not answered for so long that
        nobody can tell whether the token was revoked.
        """
        token = _bearer(authorization)
        digest = hashlib.sha256(token.encode()).digest()
        caller = self._cache.get(digest)
        if caller is None:
            caller = await self._verify(token)
            remaining = caller.expires_at + LEEWAY - self._now()
            self._cache.put(digest, caller, ttl=min(_CACHE_SECONDS, remaining))
        if caller.client_id is not None and not clients:
            raise _not_for_clients()
        of_pool = not caller.sub.startswith(NAMESPACE)
        person = caller.sub if caller.client_id is None else caller.operator
        for needed in (OPENID, scope) if of_pool and person is not None else (scope,):
            if needed not in caller.scopes:
                raise _lacks(needed)
        if caller.client_id is not None:
            recorded = of_pool and caller.operator is None
            await self._check_client(caller, caller.client_id, digest, recorded=recorded)
        if (
            person is not None
            and of_pool
            and self._checks is not None
            and not await self._checks.counts(
                digest, token, sub=person, issued=caller.issued_at, expires=caller.expires_at
            )
        ):
            await self._note(caller, digest)
            raise _refused(
                problems.TOKEN_REVOKED, "The user was signed out, disabled or deleted: sign in again."
            )
        if self._revocations is not None and await self._revocations.covers(
            caller.sub, issued=caller.issued_at
        ):
            raise _refused(
                problems.TOKEN_REVOKED, "A later token was revoked: refresh this one, or get another."
            )
        return caller

    async def _check_client(self, caller: Caller, client_id: str, digest: bytes, *, recorded: bool) -> None:
        """Raise RequestRefused if a machine client is disabled, or not `recorded` where it must be."""
        client = None if self._clients is None else await self._clients.client(client_id)
        if client is None:
            if not recorded:
                return
            raise _refused(problems.UNKNOWN_CLIENT, "The machine client is not on record here.")
        if client.disabled_at is not None:
            await self._note(caller, digest)
            raise _refused(problems.UNKNOWN_CLIENT, "The machine client is disabled.")

    async def _note(self, caller: Caller, digest: bytes) -> None:
        """Have a revoked token put on record, for the enclave."""
        if self._revocations is not None:
            await self._revocations.note(
                digest, sub=caller.sub, issued=caller.issued_at, expires=caller.expires_at
            )

    async def _verify(self, token: str) -> Caller:
        try:
            unverified = jws.read(token)
            issuer = self._pool
            if self._others and (claimed := unverified.claimed_issuer) is not None:
                issuer = self._others.get(claimed, issuer)
            if issuer is None:
                raise jws.unknown_issuer()
            unverified.check_algorithm(issuer.rules)
            key = await issuer.keys.key(unverified.kid)
            if key is None:
                raise jws.unknown_key()
            claims = unverified.claims(key, issuer.rules)
            claims.check_time(self._now())
        except BadToken as error:
            raise _refused(_PROBLEMS[error.fault], str(error)) from None
        return Caller(
            sub=claims.subject,
            issued_at=claims.issued,
            expires_at=claims.expires,
            token=SecretStr(token),
            scopes=claims.scopes,
            client_id=claims.client_id if claims.is_client else None,
            operator=claims.operator,
        )


def _issuer_of(pool: UserPool, *, machine_clients: bool) -> Issuer:
    operators = () if pool.operator_client_id is None else (pool.operator_client_id,)
    rules = TokenRules(
        issuer=pool.issuer,
        client_ids=frozenset({pool.client_id}),
        machine_clients=machine_clients,
        operator_client_ids=frozenset(operators),
    )
    return Issuer(pool.keys, rules)


def _bearer(authorization: str | None) -> str:
    if not authorization:
        # RFC 6750, section 3: no error code for a request without any authentication.
        raise RequestRefused(
            problems.NO_TOKEN,
            "Send an access token: `Authorization: Bearer TOKEN`.",
            headers={"WWW-Authenticate": "Bearer"},
        )
    scheme, _, rest = authorization.partition(" ")
    if scheme.lower() != "bearer" or not rest.strip():
        raise RequestRefused(
            problems.NO_TOKEN,
            "The Authorization header holds no bearer token.",
            headers={"WWW-Authenticate": "Bearer"},
        )
    match = _BEARER.fullmatch(authorization.strip())
    if match is None:
        raise _refused(problems.MALFORMED_TOKEN, "The bearer token is not a well-formed JSON Web Token.")
    return match[1]


def _refused(kind: ProblemType, detail: str) -> RequestRefused:
    error = "insufficient_scope" if kind is problems.INSUFFICIENT_SCOPE else "invalid_token"
    challenge = f'Bearer error="{error}", error_description="{detail}"'
    return RequestRefused(kind, detail, headers={"WWW-Authenticate": challenge})


def _not_for_clients() -> RequestRefused:
    """Return the refusal of a machine client's token where a user's is needed."""
    detail = "The operation takes a user's access token; this one is a machine client's."
    return RequestRefused(problems.NOT_FOR_CLIENTS, detail)


def _lacks(scope: str) -> RequestRefused:
    """Return the refusal of a token that was not given for this (RFC 6750, section 3.1)."""
    detail = f"The token lacks the scope {scope}."
    if scope not in SIGN_IN_SCOPES:
        detail = f"The token lacks the scope {scope}, which machine clients and operators alone may have."
    refused = _refused(problems.INSUFFICIENT_SCOPE, detail)
    challenge = f'{refused.headers["WWW-Authenticate"]}, scope="{scope}"'
    return RequestRefused(refused.kind, detail, headers={"WWW-Authenticate": challenge})
