"""Access tokens in the enclave: verified against the keys in its policy, and remembered."""

from __future__ import annotations

import base64
import hashlib
from collections import OrderedDict
from collections.abc import Mapping
from typing import Annotated, NamedTuple, Self

from pydantic import AfterValidator, Field, model_validator

from mintline.acceptance import Statements
from mintline.access_tokens import jws
from mintline.access_tokens.keys import Jwk
from mintline.access_tokens.rules import BadToken, Claims, PublicKey, TokenFault, TokenRules
from mintline.clock import UnixSeconds
from mintline.frozen import Frozen
from mintline.oidc_issuers import AnyJwk, IssuerSettings, distinct_issuers
from mintline.p256 import load_p256
from mintline.scopes import Scope
from mintline_signer.errors import EnclaveRefusal, RefusalCode

_REMEMBERED = 50_000


def _sound(keys: tuple[AnyJwk, ...]) -> tuple[AnyJwk, ...]:
    for key in keys:
        key.key()
    if len({key.kid for key in keys}) != len(keys):
        raise ValueError("two keys have one id")
    return keys


class OtherJwks(Frozen):
    """Another issuer's signing keys, RSA or P-256."""

    keys: Annotated[tuple[AnyJwk, ...], Field(min_length=1, max_length=16), AfterValidator(_sound)]


class OtherIssuer(IssuerSettings):
    """Another OIDC issuer, with its signing keys."""

    jwks: OtherJwks


class Jwks(Frozen):
    """A user pool's signing keys."""

    keys: Annotated[tuple[Jwk, ...], Field(min_length=1, max_length=16), AfterValidator(_sound)]


def _intake_key(text: str) -> str:
    load_p256(base64.b64decode(text, validate=True))
    return text


IntakeKey = Annotated[str, Field(min_length=1, max_length=256), AfterValidator(_intake_key)]
"""A P-256 SubjectPublicKeyInfo, DER in base64, as `aws kms get-public-key` prints it."""


class AuthorizationPolicy(Frozen):
    """Whose tokens count as an authorization, and for how long; whose acceptance, as the api's.

    Without a user pool there are no `issuer`, `client_ids` and `jwks`, and at least one of `other_issuers`.
    """

    issuer: str | None = Field(default=None, min_length=1, max_length=512)
    """The user pool, exactly as its tokens' `iss` has it."""
    client_ids: frozenset[str] = frozenset()
    """The app clients by which users sign in. Machine clients are others (`SigningPolicy.clients`)."""
    operator_client_ids: frozenset[str] = Field(default=frozenset(), max_length=8)
    """The app clients by which users in the group `operators` sign in, and act as these clients within their
    budgets (`SigningPolicy.clients`). None by default."""
    jwks: Jwks | None = None
    intake_keys: tuple[IntakeKey, ...] = Field(min_length=1, max_length=8)
    """What certifies the session keys of the api's processes; several while one follows another."""
    other_issuers: tuple[OtherIssuer, ...] = Field(default=(), max_length=4)
    """More OIDC issuers whose tokens count. Their machine clients count by `SigningPolicy.clients` too."""
    grace: int = Field(ge=0)
    """Seconds past a token's expiry in which it still counts: queues delay, and fees are raised later."""
    scope: str = Field(default=Scope.MINTS_CREATE, min_length=1, max_length=256)
    """The scope that a token must carry."""

    @model_validator(mode="after")
    def _pool_is_whole(self) -> Self:
        of_pool = {"issuer": self.issuer, "client_ids": self.client_ids, "jwks": self.jwks}
        missing = [name for name, value in of_pool.items() if not value]
        if missing and (len(missing) < len(of_pool) or self.operator_client_ids):
            raise ValueError(f"the user pool's {', '.join(missing)} missing: name all of a pool, or nothing")
        return self

    @model_validator(mode="after")
    def _app_clients_have_one_use(self) -> Self:
        if both := self.client_ids & self.operator_client_ids:
            raise ValueError(f"{min(both)} must not be both in client_ids and operator_client_ids")
        return self

    @model_validator(mode="after")
    def _issuers_are_distinct(self) -> Self:
        distinct_issuers(self.issuer, self.other_issuers)
        return self

    def statements(self) -> Statements:
        """Return what verifies the api's statements."""
        return Statements(base64.b64decode(key) for key in self.intake_keys)


class _Issuer(NamedTuple):
    rules: TokenRules
    keys: Mapping[str, PublicKey]


class TokenVerifier:
    """Verifies access tokens; what a signature proved is remembered by the token's hash, up to a number.

    Times are looked at on every call: a remembered token expires like any other.
    """

    def __init__(
        self, policy: AuthorizationPolicy, *, machine_clients: bool = False, remembered: int = _REMEMBERED
    ) -> None:
        """Accept users' tokens, and those of machine clients if `machine_clients`."""
        self._policy = policy
        self._pool = _pool_of(policy, machine_clients=machine_clients)
        self._others = {
            other.issuer: _Issuer(other.rules(), _keys_of(other.jwks)) for other in policy.other_issuers
        }
        self._remembered = remembered
        self._verified: OrderedDict[bytes, Claims] = OrderedDict()

    def __len__(self) -> int:
        return len(self._verified)

    def subject_of(self, token: str, *, now: UnixSeconds) -> str:
        """Return the user, or the machine client, whose token this is; raises EnclaveRefusal."""
        return self.claims_of(token, now=now).subject

    def claims_of(self, token: str, *, now: UnixSeconds, scope: str | None = None) -> Claims:
        """Return what a good token says; raises EnclaveRefusal. `scope` is what it must carry, if another."""
        digest = hashlib.sha256(token.encode()).digest()
        try:
            claims = self._verified.get(digest)
            if claims is None:
                claims = self._verify(token)
                self._verified[digest] = claims
                if len(self._verified) > self._remembered:
                    self._verified.popitem(last=False)
            claims.check_time(now, grace=self._policy.grace)
            claims.check_scope(self._policy.scope if scope is None else scope)
        except BadToken as error:
            raise EnclaveRefusal(_code_of(error)) from None
        return claims

    def _verify(self, token: str) -> Claims:
        unverified = jws.read(token)
        issuer = self._pool
        if self._others and (claimed := unverified.claimed_issuer) is not None:
            issuer = self._others.get(claimed, issuer)
        if issuer is None:
            raise jws.unknown_issuer()
        unverified.check_algorithm(issuer.rules)
        key = issuer.keys.get(unverified.kid)
        if key is None:
            raise jws.unknown_key()
        return unverified.claims(key, issuer.rules)


def _pool_of(policy: AuthorizationPolicy, *, machine_clients: bool) -> _Issuer | None:
    if policy.issuer is None or policy.jwks is None:
        return None
    rules = TokenRules(
        issuer=policy.issuer,
        client_ids=policy.client_ids,
        machine_clients=machine_clients,
        operator_client_ids=policy.operator_client_ids,
    )
    return _Issuer(rules, _keys_of(policy.jwks))


def _keys_of(jwks: Jwks | OtherJwks) -> Mapping[str, PublicKey]:
    return {key.kid: key.key() for key in jwks.keys}


_CODES = {
    TokenFault.MALFORMED: RefusalCode.TOKEN_MALFORMED,
    TokenFault.ALGORITHM: RefusalCode.TOKEN_ALGORITHM,
    TokenFault.KEY: RefusalCode.TOKEN_KEY,
    TokenFault.SIGNATURE: RefusalCode.TOKEN_SIGNATURE,
    TokenFault.CLAIMS: RefusalCode.TOKEN_MALFORMED,
    TokenFault.USE: RefusalCode.TOKEN_USE,
    TokenFault.ISSUER: RefusalCode.TOKEN_ISSUER,
    TokenFault.CLIENT: RefusalCode.TOKEN_CLIENT,
    TokenFault.SUBJECT: RefusalCode.TOKEN_SUBJECT,
    TokenFault.SCOPE: RefusalCode.TOKEN_SCOPE,
    TokenFault.EXPIRED: RefusalCode.TOKEN_EXPIRED,
    TokenFault.NOT_YET_VALID: RefusalCode.TOKEN_NOT_YET_VALID,
}
_MISSING = {
    "iss": RefusalCode.TOKEN_ISSUER,
    "sub": RefusalCode.TOKEN_SUBJECT,
    "token_use": RefusalCode.TOKEN_USE,
    "client_id": RefusalCode.TOKEN_CLIENT,
    "azp": RefusalCode.TOKEN_CLIENT,
    "aud": RefusalCode.TOKEN_CLIENT,
    "scope": RefusalCode.TOKEN_SCOPE,
}


def _code_of(error: BadToken) -> RefusalCode:
    if error.fault is TokenFault.CLAIMS and error.claim in _MISSING:
        return _MISSING[error.claim]
    return _CODES[error.fault]
