"""An api without a user pool: what another issuer does in its place, and what is refused."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from pydantic import ValidationError

from mintline.scopes import MACHINE_SCOPES, USER_SCOPES
from mintline_api.auth.access_tokens import Issuer
from mintline_api.auth.jwks import KeySet
from mintline_api.features.console.site import content_security_policy
from mintline_api.settings import OtherIssuer, Settings
from mintline_testkit.api.client import Answered, MemoryClient
from mintline_testkit.api.harness import Harness
from mintline_testkit.api.users import MemoryJwks
from mintline_testkit.constants import CONTRACT
from tests.unit.core.test_other_issuers import SECOND, SETTINGS, claims

METADATA = {"name": "n", "image": "https://example.com/1.png"}
SIGN_IN = {
    "client_id": "app",
    "authorization_endpoint": "https://login.example.com/authorize?audience=nft",
    "token_endpoint": "https://login.example.com/oauth/token",
    "end_session_endpoint": "https://login.example.com/logout",
}
JWKS_URL = "https://login.example.com/keys"


def issuer(**changes: Any) -> dict[str, Any]:
    return SETTINGS | {"jwks_url": JWKS_URL, "sign_in": SIGN_IN} | changes


@pytest_asyncio.fixture
async def api(harness: Harness) -> AsyncIterator[MemoryClient]:
    settings = OtherIssuer.model_validate(issuer())
    harness.instead_of_pool = settings
    harness.other_issuers = [Issuer(KeySet(MemoryJwks(SECOND.jwks()), clock=harness.clock), settings.rules())]
    async with MemoryClient(harness.app()) as api:
        yield api


def headers(harness: Harness, *, client: str = "app", sub: str = "alice") -> dict[str, str]:
    now = int(harness.now)
    scopes = USER_SCOPES if client == "app" else MACHINE_SCOPES
    given = claims(sub=sub, azp=client, iat=now, exp=now + 3600, scope=" ".join(scopes))
    return {"Authorization": f"Bearer {SECOND.signed(given)}"}


async def by_client(
    harness: Harness, api: MemoryClient, method: str, path: str, body: Any = None
) -> Answered:
    by = headers(harness, client="backend", sub="backend@clients")
    if body is None:
        return await api.request(method, path, headers=by)
    typed = {**by, "Content-Type": "application/json"}
    return await api.request(method, path, headers=typed, body=json.dumps(body).encode())


def problem(response: Answered) -> tuple[int, str]:
    return response.status, response.json()["type"].rpartition("#")[2]


async def test_token__when_there_is_no_pool__then_the_issuers_counts_and_a_pools_does_not(
    harness: Harness, api: MemoryClient
) -> None:
    assert (await api.request("GET", "/v1/wallet", headers=headers(harness))).status == 200
    refused = await api.request("GET", "/v1/wallet", headers=harness.headers())
    assert problem(refused) == (401, "wrong-issuer")
    assert harness.user_pool.requested == []


async def test_sign_in__when_there_is_no_pool__then_documents_and_console_lead_to_the_issuer(
    harness: Harness, api: MemoryClient
) -> None:
    described = (await api.request("GET", "/.well-known/oauth-protected-resource")).json()
    assert described["authorization_servers"] == [SETTINGS["issuer"]]
    assert described["client_id"] == "app"
    assert described["authorization_endpoint"] == SIGN_IN["authorization_endpoint"]
    assert described["token_endpoint"] == SIGN_IN["token_endpoint"]

    schemes = (await api.request("GET", "/openapi.json")).json()["components"]["securitySchemes"]
    (flow,) = [
        scheme["flows"]["authorizationCode"]
        for scheme in schemes.values()
        if "authorizationCode" in scheme["flows"]
    ]
    assert flow["authorizationUrl"] == SIGN_IN["authorization_endpoint"]

    page = await api.request("GET", "/console/home")
    _, _, config = page.body.decode().partition('id="config">')
    config = json.loads(config.partition("</script>")[0])
    assert config["token_endpoint"] == SIGN_IN["token_endpoint"]
    assert (config["sign_out_url"], config["sign_out_parameter"]) == (
        SIGN_IN["end_session_endpoint"],
        "post_logout_redirect_uri",
    )
    assert config["user"]["client_id"] == "app"
    assert config["operator"] is None
    assert " https://login.example.com " in content_security_policy(harness.settings())


@pytest.mark.parametrize("recipient", [{"email": "bob@example.com"}, {"user": "bob"}])
async def test_mint__when_it_names_a_user_and_there_is_no_pool__then_the_problem_says_to_name_an_address(
    harness: Harness, api: MemoryClient, recipient: dict[str, str]
) -> None:
    body = {"metadata": METADATA, "recipient": recipient}
    response = await by_client(harness, api, "POST", "/v1/mints", body)
    assert problem(response) == (422, "no-user-pool")
    (fault,) = response.json()["errors"]
    assert fault["pointer"] == f"#/recipient/{next(iter(recipient))}"
    assert "by address" in fault["detail"]
    assert harness.pool_users.requests == []


@pytest.mark.parametrize("recipient", [{"email": "bob@example.com"}, {"user": "bob"}])
async def test_bulk__when_a_line_names_a_user_and_there_is_no_pool__then_that_line_is_refused(
    harness: Harness, api: MemoryClient, recipient: dict[str, str]
) -> None:
    lines = [{"metadata": METADATA, "recipient": named} for named in ({"address": CONTRACT}, recipient)]
    response = await by_client(harness, api, "POST", "/v1/mints/bulk", {"mints": lines})
    assert response.status == 422
    (fault,) = response.json()["errors"]
    assert fault["pointer"].startswith("#/mints/1/recipient")
    assert "by address" in fault["detail"]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/v1/users", {"email": "bob@example.com"}),
        ("GET", "/v1/users?email=bob@example.com", None),
        ("POST", "/v1/clients", {"name": "shop"}),
    ],
)
async def test_users_and_clients__when_there_is_no_pool__then_none_is_made(
    harness: Harness, api: MemoryClient, method: str, path: str, body: Any
) -> None:
    response = await by_client(harness, api, method, path, body)
    assert problem(response) == (422, "no-user-pool")
    assert harness.clients.records == {}


async def test_clients__when_there_is_no_pool__then_none_is_listed(
    harness: Harness, api: MemoryClient
) -> None:
    assert (await by_client(harness, api, "GET", "/v1/clients")).json()["items"] == []


WITHOUT: dict[str, Any] = {
    "cognito_issuer": None,
    "cognito_client_id": None,
    "cognito_userinfo_url": None,
}


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"cognito_client_id": None}, "cognito_client_id is missing beside cognito_issuer"),
        (WITHOUT | {"other_issuers": (issuer(),), "cognito_operator_client_id": "c"}, "nothing of one"),
        (WITHOUT, "other_issuers must name at least one"),
        (
            WITHOUT | {"other_issuers": (issuer(sign_in=None),)},
            "exactly one of other_issuers must have sign_in",
        ),
        ({"other_issuers": (issuer(),)}, "sign_in is for where there is no user pool"),
        (
            WITHOUT | {"other_issuers": (issuer(sign_in=SIGN_IN | {"client_id": "backend"}),)},
            "must be one of client_ids",
        ),
    ],
)
def test_settings__when_they_name_half_a_way_to_sign_in__then_are_refused(
    harness: Harness, changes: dict[str, Any], named: str
) -> None:
    known = harness.settings().model_dump()
    with pytest.raises(ValidationError, match=named):
        Settings.model_validate(known | changes)
