"""Who may act as the operators' app client: one table, judged alike by the api and by the enclave."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest
from pydantic import ValidationError

from mintline.clock import UnixSeconds
from mintline.scopes import MACHINE_SCOPES, OPERATOR_SCOPES, Scope
from mintline_api.auth.access_tokens import AccessTokens, UserPool
from mintline_api.auth.clients import ClientDirectory
from mintline_api.auth.jwks import KeySet
from mintline_api.http.problems import RequestRefused
from mintline_signer.enclave.tokens import AuthorizationPolicy, TokenVerifier
from mintline_signer.errors import EnclaveRefusal
from mintline_testkit.api.users import MemoryClientRecords, MemoryJwks, MemoryUserPool
from mintline_testkit.signer import CLIENT_ID, ISSUER, Authority

NOW = 1_800_000_000
PERSON = "11111111-2222-3333-4444-555555555555"
CONSOLE = "2k1operatorsconsole"
POOL = Authority()


@dataclass(frozen=True, slots=True)
class Sides:
    """The api and the enclave, with the user pool that the api asks."""

    api: AccessTokens
    enclave: TokenVerifier
    pool: MemoryUserPool

    async def outcome(self, claims: dict[str, Any], scope: str = Scope.MINTS_CREATE) -> str:
        """Return the client as whom a token's person acts, for both sides; or the problem and the refusal."""
        token = POOL.sign(claims)
        try:
            caller = await self.api.caller(f"Bearer {token}", scope, clients=True)
            by_api = f"{caller.sub} {caller.client_id} {caller.operator}"
        except RequestRefused as refused:
            by_api = refused.kind.slug
        try:
            enclave_claims = self.enclave.claims_of(token, now=UnixSeconds(NOW), scope=scope)
        except EnclaveRefusal as refused:
            return f"{by_api} {refused.code}"
        client = enclave_claims.client_id if enclave_claims.is_client else None
        assert by_api == f"{enclave_claims.subject} {client} {enclave_claims.operator}"
        return by_api


def sides_of(*, console: bool = True, machine_clients: bool = True) -> Sides:
    pool = MemoryUserPool()
    api = AccessTokens(
        pool=UserPool(
            keys=KeySet(MemoryJwks([POOL.jwk()]), clock=lambda: 0.0),
            status=pool,
            issuer=ISSUER,
            client_id=CLIENT_ID,
            operator_client_id=CONSOLE if console else None,
        ),
        now=lambda: NOW,
        clients=ClientDirectory(MemoryClientRecords(), now=lambda: NOW) if machine_clients else None,
    )
    document = POOL.policy() | ({"operator_client_ids": [CONSOLE]} if console else {})
    policy = AuthorizationPolicy.model_validate_json(json.dumps(document))
    return Sides(api, TokenVerifier(policy, machine_clients=machine_clients), pool)


def claims(**changes: Any) -> dict[str, Any]:
    """Return the claims of an operator's token as the pool issues it."""
    signed_in = {"client_id": CONSOLE, "cognito:groups": ["operators"], "scope": " ".join(OPERATOR_SCOPES)}
    given = POOL.claims(PERSON, now=NOW) | signed_in | changes
    return {name: value for name, value in given.items() if value is not None}


async def test_operator__when_signed_in_by_their_app_client__then_acts_as_it() -> None:
    sides = sides_of()

    assert await sides.outcome(claims()) == f"{CONSOLE} {CONSOLE} {PERSON}"
    many = claims(**{"cognito:groups": ["staff", "operators"]})
    assert await sides.outcome(many, Scope.ADMIN) == f"{CONSOLE} {CONSOLE} {PERSON}"


@pytest.mark.parametrize(
    "groups",
    [None, [], ["operator"], ["Operators"], "operators", {"operators": 1}, ["staff"], [["operators"]], 1],
)
async def test_person__when_in_no_such_group__then_the_operators_app_client_gives_them_nothing(
    groups: Any,
) -> None:
    assert await sides_of().outcome(claims(**{"cognito:groups": groups})) == "wrong-client token_client"


@pytest.mark.parametrize(
    ("changes", "outcome"),
    [
        ({"username": None}, "wrong-client token_client"),
        ({"username": None, "sub": CONSOLE}, "wrong-client token_client"),
        ({"sub": CONSOLE}, "bad-claims token_subject"),
        ({"sub": "platform:issuer"}, "bad-claims token_subject"),
        ({"sub": 7}, "bad-claims token_subject"),
        ({"client_id": "another"}, "wrong-client token_client"),
        ({"client_id": [CONSOLE]}, "wrong-client token_client"),
        ({"iss": "https://evil.example"}, "wrong-issuer token_issuer"),
        ({"token_use": "id"}, "not-an-access-token token_use"),
        ({"exp": NOW - 60}, "token-expired token_expired"),
        ({"scope": f"openid {Scope.TOKENS_READ}"}, "insufficient-scope token_scope"),
        (
            {"scope": f"openid {Scope.MINTS_CREATE} aws.cognito.signin.user.admin"},
            "insufficient-scope token_scope",
        ),
    ],
)
async def test_operators_token__when_it_is_not_as_the_pool_issues_it__then_both_sides_refuse_it(
    changes: dict[str, Any], outcome: str
) -> None:
    assert await sides_of().outcome(claims(**changes)) == outcome


async def test_operator__when_signed_in_by_the_users_app_client__then_is_a_user() -> None:
    sides = sides_of()

    assert await sides.outcome(claims(client_id=CLIENT_ID)) == f"{PERSON} None None"


@pytest.mark.parametrize("changes", [{"console": False}, {"machine_clients": False}])
async def test_operators_app_client__when_the_deployment_names_none__then_counts_for_nothing(
    changes: dict[str, bool],
) -> None:
    assert await sides_of(**changes).outcome(claims()) == "wrong-client token_client"


async def test_operator__when_signed_out_at_the_pool__then_is_refused_within_a_minute() -> None:
    sides = sides_of()
    old = claims(iat=NOW - 46, exp=NOW + 600)
    assert await sides.outcome(old) == f"{CONSOLE} {CONSOLE} {PERSON}"
    assert sides.pool.requested == [PERSON]

    again = sides_of()
    again.pool.signed_out.add(PERSON)
    with pytest.raises(RequestRefused) as refused:
        await again.api.caller(f"Bearer {POOL.sign(old)}", Scope.MINTS_CREATE, clients=True)
    assert refused.value.kind.slug == "token-revoked"


async def test_operator__when_without_openid__then_the_api_refuses_whom_it_could_not_ask_about() -> None:
    token = POOL.sign(claims(scope=" ".join(MACHINE_SCOPES)))

    with pytest.raises(RequestRefused) as refused:
        await sides_of().api.caller(f"Bearer {token}", Scope.MINTS_CREATE, clients=True)
    assert refused.value.kind.slug == "insufficient-scope"


async def test_operator__when_the_operation_is_for_users_alone__then_is_refused() -> None:
    with pytest.raises(RequestRefused) as refused:
        await sides_of().api.caller(f"Bearer {POOL.sign(claims())}", Scope.MINTS_CREATE)
    assert refused.value.kind.slug == "not-for-clients"


def test_policy__when_one_app_client_has_both_uses__then_it_is_refused() -> None:
    document = POOL.policy() | {"operator_client_ids": [CLIENT_ID]}

    with pytest.raises(ValidationError, match="must not be both in client_ids and operator_client_ids"):
        AuthorizationPolicy.model_validate_json(json.dumps(document))
