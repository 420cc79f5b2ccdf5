"""A second OIDC issuer beside the user pool: both sides judge its tokens alike, and its names are its own."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from pydantic import ValidationError

from mintline.access_tokens.rules import MAX_SUBJECT
from mintline.clock import UnixSeconds
from mintline.oidc_issuers import EcJwk, IssuerSettings, distinct_issuers
from mintline.scopes import Scope
from mintline_api.auth.access_tokens import AccessTokens, Issuer, UserPool
from mintline_api.auth.jwks import KeySet
from mintline_api.http.problems import RequestRefused
from mintline_signer.enclave.tokens import AuthorizationPolicy, TokenVerifier
from mintline_signer.errors import EnclaveRefusal
from mintline_testkit.api.users import MemoryJwks, MemoryUserPool
from mintline_testkit.signer import CLIENT_ID, ISSUER, Authority, base64url

NOW = 1_800_000_000
OTHER = "https://login.example.com/"
POOL = Authority(kid="shared-kid")
API = "https://api.example.com"


class SecondIssuer:
    """Signs by RS256 and by ES256, under a key id that the user pool has too."""

    def __init__(self) -> None:
        self.rsa = Authority(kid="shared-kid")
        self.key = ec.generate_private_key(ec.SECP256R1())

    def jwks(self) -> list[dict[str, Any]]:
        numbers = self.key.public_key().public_numbers()
        elliptic = {
            "kty": "EC",
            "crv": "P-256",
            "kid": "elliptic",
            "use": "sig",
            "alg": "ES256",
            "x": base64url(numbers.x.to_bytes(32, "big")),
            "y": base64url(numbers.y.to_bytes(32, "big")),
        }
        return [self.rsa.jwk(), elliptic]

    def signed(self, claims: dict[str, Any], *, kid: str = "elliptic", der: bool = False) -> str:
        """Sign by ES256, r‖s as it must be, or in `der`."""
        head = {"alg": "ES256", "kid": kid, "typ": "at+jwt"}
        text = ".".join(base64url(json.dumps(part).encode()) for part in (head, claims))
        signature = self.key.sign(text.encode(), ec.ECDSA(SHA256()))
        r, s = decode_dss_signature(signature)
        raw = signature if der else r.to_bytes(32, "big") + s.to_bytes(32, "big")
        return f"{text}.{base64url(raw)}"


SECOND = SecondIssuer()
SETTINGS: dict[str, Any] = {
    "name": "auth0",
    "issuer": OTHER,
    "client_claim": "azp",
    "client_ids": ["app"],
    "machine_client_ids": ["backend"],
    "audience": API,
}


def claims(**changes: Any) -> dict[str, Any]:
    given = {
        "iss": OTHER,
        "sub": "auth0|5f7c8ec7",
        "aud": [API, f"{OTHER}userinfo"],
        "azp": "app",
        "iat": NOW,
        "exp": NOW + 3600,
        "scope": "openid mintline/mints:create",
    } | changes
    return {name: value for name, value in given.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Sides:
    api: AccessTokens
    enclave: TokenVerifier

    async def outcome(self, token: str) -> str:
        """Return whom both sides believe, or the problem and the refusal."""
        try:
            caller = await self.api.caller(f"Bearer {token}", Scope.MINTS_CREATE, clients=True)
            by_api = f"{caller.sub} {caller.client_id}"
        except RequestRefused as refused:
            by_api = refused.kind.slug
        try:
            claims = self.enclave.claims_of(token, now=UnixSeconds(NOW))
        except EnclaveRefusal as refused:
            return f"{by_api} {refused.code}"
        assert by_api == f"{claims.subject} {claims.client_id if claims.is_client else None}"
        return claims.subject


OF_POOL = ("issuer", "client_ids", "jwks")


def user_pool() -> UserPool:
    keys = KeySet(MemoryJwks([POOL.jwk()]), clock=lambda: 0.0)
    return UserPool(keys=keys, status=MemoryUserPool(), issuer=ISSUER, client_id=CLIENT_ID)


def without_pool() -> dict[str, Any]:
    """Return the policy's part of a deployment that has the other issuer alone."""
    rest = {name: value for name, value in POOL.policy().items() if name not in OF_POOL}
    return rest | {"other_issuers": [SETTINGS | {"jwks": {"keys": SECOND.jwks()}}]}


def sides_of(*, pool: bool = True, **changes: Any) -> Sides:
    settings = SETTINGS | changes
    api = AccessTokens(
        pool=user_pool() if pool else None,
        now=lambda: NOW,
        others=[
            Issuer(
                KeySet(MemoryJwks(SECOND.jwks()), clock=lambda: 0.0),
                IssuerSettings.model_validate(settings).rules(),
            )
        ],
    )
    others = {"other_issuers": [settings | {"jwks": {"keys": SECOND.jwks()}}]}
    document = (POOL.policy() if pool else without_pool()) | others
    return Sides(api, TokenVerifier(AuthorizationPolicy.model_validate_json(json.dumps(document))))


def alone() -> Sides:
    """Return both sides with no other issuer."""
    api = AccessTokens(pool=user_pool(), now=lambda: NOW)
    return Sides(api, TokenVerifier(AuthorizationPolicy.model_validate_json(json.dumps(POOL.policy()))))


def pool_token(**changes: Any) -> str:
    return POOL.sign(POOL.claims("user-1", now=NOW) | changes)


@pytest.mark.parametrize(
    ("changes", "given", "principal"),
    [
        ({}, {}, "oidc:auth0:auth0|5f7c8ec7"),
        ({}, {"azp": "backend", "sub": "backend@clients"}, "oidc:auth0:backend"),
        ({"client_claim": "client_id"}, {"client_id": "app"}, "oidc:auth0:auth0|5f7c8ec7"),
        ({"client_claim": "client_id"}, {"client_id": "backend"}, "oidc:auth0:backend"),
        ({"client_claim": "aud", "client_ids": [API], "audience": None}, {}, "oidc:auth0:auth0|5f7c8ec7"),
        (
            {"client_claim": "aud", "client_ids": [], "machine_client_ids": ["backend"], "audience": None},
            {"aud": "backend"},
            "oidc:auth0:backend",
        ),
        (
            {"scope_claim": "scp"},
            {"scope": None, "scp": ["mintline/mints:create"]},
            "oidc:auth0:auth0|5f7c8ec7",
        ),
        ({"audience": None}, {"aud": None}, "oidc:auth0:auth0|5f7c8ec7"),
    ],
    ids=[
        "azp",
        "azp, a client's",
        "client_id",
        "client_id, a client's",
        "aud in a list",
        "aud",
        "scp",
        "no aud",
    ],
)
async def test_token__when_a_second_issuer_signs_it__names_a_principal_of_that_issuer_on_both_sides(
    changes: dict[str, Any], given: dict[str, Any], principal: str
) -> None:
    for token in (SECOND.signed(claims(**given)), SECOND.rsa.sign(claims(**given))):
        assert await sides_of(**changes).outcome(token) == principal


async def test_token__when_the_pool_signs_it__is_what_it_was_without_another_issuer() -> None:
    for sides in (sides_of(), alone()):
        assert await sides.outcome(pool_token()) == "user-1"


IMPOSTORS: list[tuple[str, str, Callable[[], str]]] = [
    (
        "the pool names a principal of the second",
        "bad-claims token_subject",
        lambda: pool_token(sub="oidc:auth0:a"),
    ),
    ("in capitals", "bad-claims token_subject", lambda: pool_token(sub="OIDC:auth0:a")),
    (
        "the second's key for the pool's iss",
        "bad-signature token_signature",
        lambda: SECOND.rsa.sign(POOL.claims("user-1", now=NOW)),
    ),
    (
        "the second's elliptic key for the pool's iss",
        "token-algorithm token_algorithm",
        lambda: SECOND.signed(POOL.claims("user-1", now=NOW), kid="shared-kid"),
    ),
    ("the pool's key for the second's iss", "bad-signature token_signature", lambda: POOL.sign(claims())),
    ("a third issuer", "bad-signature token_signature", lambda: SECOND.rsa.sign(claims(iss="https://evil"))),
    (
        "the second names one of the platform",
        "bad-claims token_subject",
        lambda: SECOND.signed(claims(sub="platform:treasury")),
    ),
    (
        "the second names one in its own namespace",
        "bad-claims token_subject",
        lambda: SECOND.signed(claims(sub="oidc:auth0:a")),
    ),
    (
        "a user who is called like a client",
        "bad-claims token_subject",
        lambda: SECOND.signed(claims(sub="app")),
    ),
    ("an unknown client", "wrong-client token_client", lambda: SECOND.signed(claims(azp="rival"))),
    ("clients in a list", "wrong-client token_client", lambda: SECOND.signed(claims(azp=["app"]))),
    ("another audience", "wrong-client token_client", lambda: SECOND.signed(claims(aud="https://other"))),
    ("no audience", "wrong-client token_client", lambda: SECOND.signed(claims(aud=None))),
    ("no client", "bad-claims token_client", lambda: SECOND.signed(claims(azp=None))),
    ("no sub", "bad-claims token_subject", lambda: SECOND.signed(claims(sub=None))),
    ("an empty sub", "bad-claims token_subject", lambda: SECOND.signed(claims(sub=""))),
    (
        "a sub that is too long with its namespace",
        "bad-claims token_subject",
        lambda: SECOND.signed(claims(sub="a" * (MAX_SUBJECT - len("oidc:auth0:") + 1))),
    ),
    (
        "an id token, without our scopes",
        "insufficient-scope token_scope",
        lambda: SECOND.signed(claims(scope=None)),
    ),
    ("scopes that are numbers", "bad-claims token_scope", lambda: SECOND.signed(claims(scope=[1]))),
    ("an expired one", "token-expired token_expired", lambda: SECOND.signed(claims(exp=NOW - 20))),
    ("a signature in DER", "bad-signature token_signature", lambda: SECOND.signed(claims(), der=True)),
    (
        "ES256 by an RSA key",
        "bad-signature token_signature",
        lambda: SECOND.signed(claims(), kid="shared-kid"),
    ),
    (
        "RS256 by an elliptic key",
        "bad-signature token_signature",
        lambda: SECOND.rsa.sign(claims(), kid="elliptic"),
    ),
    ("an unknown key", "unknown-key token_key", lambda: SECOND.signed(claims(), kid="other")),
]


@pytest.mark.parametrize(
    ("outcome", "token"), [case[1:] for case in IMPOSTORS], ids=[c[0] for c in IMPOSTORS]
)
async def test_token__when_it_is_not_its_issuers_to_give__is_refused_by_both_sides(
    outcome: str, token: Callable[[], str]
) -> None:
    assert await sides_of().outcome(token()) == outcome


async def test_token__when_one_aud_is_a_users_and_one_a_clients__is_refused() -> None:
    sides = sides_of(client_claim="aud", client_ids=["a"], machine_client_ids=["b"], audience=None)
    assert await sides.outcome(SECOND.signed(claims(aud=["a"]))) == "oidc:auth0:auth0|5f7c8ec7"
    assert await sides.outcome(SECOND.signed(claims(aud=["a", "b"]))) == "wrong-client token_client"


async def test_token__when_its_issuer_is_not_configured__is_refused() -> None:
    assert await alone().outcome(SECOND.rsa.sign(claims())) == "bad-signature token_signature"
    assert await alone().outcome(SECOND.signed(claims())) == "token-algorithm token_algorithm"


@pytest.mark.parametrize("elliptic", [True, False])
async def test_token__when_there_is_no_user_pool__then_the_issuers_own_tokens_count_and_no_pools(
    elliptic: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    sides = sides_of(pool=False)
    of_issuer = SECOND.signed(claims()) if elliptic else SECOND.rsa.sign(claims())
    assert await sides.outcome(of_issuer) == "oidc:auth0:auth0|5f7c8ec7"
    assert await sides.outcome(pool_token()) == "wrong-issuer token_issuer"
    assert await sides.outcome(SECOND.rsa.sign(claims(iss=None))) == "wrong-issuer token_issuer"
    assert await sides.outcome(POOL.sign(claims())) == "bad-signature token_signature"


@pytest.mark.parametrize(
    "named", [("issuer",), ("client_ids", "jwks"), ("issuer", "client_ids"), ("operator",)]
)
def test_policy__when_it_names_a_part_of_a_user_pool__then_is_refused(named: tuple[str, ...]) -> None:
    pool = POOL.policy() | {"operator_client_ids": ["console"]}
    part = {name: pool[name] for name in pool if name.startswith(named)}
    with pytest.raises(ValidationError, match="name all of a pool, or nothing"):
        AuthorizationPolicy.model_validate_json(json.dumps(without_pool() | part))


def test_policy__when_it_names_no_issuer__then_is_refused() -> None:
    document = without_pool() | {"other_issuers": []}
    with pytest.raises(ValidationError, match="other_issuers must name at least one"):
        AuthorizationPolicy.model_validate_json(json.dumps(document))


async def test_token__when_it_has_the_longest_sub__is_believed() -> None:
    sub = "a" * (MAX_SUBJECT - len("oidc:auth0:"))
    assert await sides_of().outcome(SECOND.signed(claims(sub=sub))) == f"oidc:auth0:{sub}"


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"name": "Auth0"}, "pattern"),
        ({"name": "a:b"}, "pattern"),
        ({"name": ""}, "pattern"),
        (
            {"client_ids": [], "machine_client_ids": []},
            "name at least one of client_ids or machine_client_ids",
        ),
        ({"client_ids": ["backend"]}, "backend must not be both in client_ids and machine_client_ids"),
        ({"machine_client_ids": ["oidc:b:backend"]}, "pattern"),
        ({"client_claim": "sub"}, "'client_id', 'azp' or 'aud'"),
        ({"clients": []}, "Extra inputs"),
    ],
)
def test_settings__when_they_make_no_sense__are_refused(changes: dict[str, Any], text: str) -> None:
    with pytest.raises(ValidationError, match=text):
        IssuerSettings.model_validate(SETTINGS | changes)


@pytest.mark.parametrize("changes", [{"issuer": ISSUER}, {"name": "b"}, {"issuer": "https://b"}])
def test_issuers__when_two_have_one_name_or_iss__are_refused(changes: dict[str, Any]) -> None:
    others = [IssuerSettings.model_validate(SETTINGS | more) for more in ({}, changes)]
    with pytest.raises(ValueError, match="a name and an issuer of its own"):
        distinct_issuers(ISSUER, others)
    document = POOL.policy() | {
        "other_issuers": [SETTINGS | more | {"jwks": {"keys": SECOND.jwks()}} for more in ({}, changes)]
    }
    with pytest.raises(ValidationError, match="a name and an issuer of its own"):
        AuthorizationPolicy.model_validate_json(json.dumps(document))


@pytest.mark.parametrize(
    "change",
    [
        {"crv": "P-384"},
        {"kty": "RSA"},
        {"alg": "ES384"},
        {"x": base64url(bytes(31))},
        {"x": base64url(bytes(33))},
        {"x": base64url(b"\1" * 32)},
        {"y": base64.b64encode(bytes(32)).decode()},
    ],
)
def test_key__when_it_is_no_point_of_the_curve__is_refused(change: dict[str, str]) -> None:
    good = SECOND.jwks()[1]
    assert EcJwk.model_validate(good).key()
    with pytest.raises(ValueError):  # noqa: PT011 - by the model, or by the key itself
        EcJwk.model_validate(good | change).key()
