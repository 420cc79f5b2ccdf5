"""A second OIDC issuer, end to end: from a request with its token to what the enclave reads of it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from mintline.authorization import Envelope
from mintline.authorizations import digest_of, key_of
from mintline.clock import UnixSeconds
from mintline.records.operations import Mint
from mintline.scopes import USER_SCOPES
from mintline_api.auth.access_tokens import Issuer
from mintline_api.auth.jwks import KeySet
from mintline_api.settings import OtherIssuer
from mintline_signer.enclave.tokens import AuthorizationPolicy, TokenVerifier
from mintline_testkit.api.client import MemoryClient
from mintline_testkit.api.harness import Harness
from mintline_testkit.api.users import MemoryJwks
from mintline_testkit.constants import CONTRACT
from tests.unit.core.test_other_issuers import OTHER, POOL, SECOND, SETTINGS, claims

BODY = {"metadata": {"name": "n", "image": "https://example.com/1.png"}}


@pytest_asyncio.fixture
async def api(harness: Harness) -> AsyncIterator[MemoryClient]:
    settings = OtherIssuer.model_validate(SETTINGS | {"jwks_url": f"{OTHER}.well-known/jwks.json"})
    keys = KeySet(MemoryJwks(SECOND.jwks()), clock=harness.clock)
    harness.other_issuers = [Issuer(keys, settings.rules())]
    async with MemoryClient(harness.app()) as api:
        yield api


def token(harness: Harness, sub: str, *, client: str = "app", elliptic: bool = True) -> str:
    now = int(harness.now)
    given = claims(sub=sub, azp=client, iat=now, exp=now + 3600, scope=" ".join(USER_SCOPES))
    return SECOND.signed(given) if elliptic else SECOND.rsa.sign(given)


def bearer(text: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {text}"}


@pytest.mark.parametrize("elliptic", [True, False])
async def test_mint__when_a_user_of_a_second_issuer_asks__is_theirs_and_the_enclave_reads_the_same_name(
    harness: Harness, api: MemoryClient, *, elliptic: bool
) -> None:
    text = token(harness, "alice", elliptic=elliptic)
    response = await api.post_json("/v1/mints", BODY, headers=bearer(text))
    assert response.status == 202, response.json()

    mint = await harness.mints.operation(response.json()["mint_id"])
    assert isinstance(mint, Mint)
    key = key_of(mint)
    assert key is not None
    envelope = Envelope.from_bytes(harness.mints.authorizations[key].envelope)
    sealed = envelope.open(digest_of(mint), harness.authorization_key)
    document = POOL.policy() | {"other_issuers": [SETTINGS | {"jwks": {"keys": SECOND.jwks()}}]}
    enclave = TokenVerifier(AuthorizationPolicy.model_validate_json(json.dumps(document)))

    assert mint.sub == "oidc:auth0:alice"
    assert sealed == text
    assert enclave.subject_of(sealed, now=UnixSeconds(harness.now)) == mint.sub


async def test_user__when_two_issuers_have_one_sub__is_two_users(harness: Harness, api: MemoryClient) -> None:
    second = bearer(token(harness, "alice"))
    response = await api.post_json("/v1/mints", BODY, headers=second)
    wallets = [
        (await api.request("GET", "/v1/wallet", headers=headers)).json()["address"]
        for headers in (harness.headers("alice"), second)
    ]

    assert len(set(wallets)) == 2
    mint = f"/v1/mints/{response.json()['mint_id']}"
    assert (await api.request("GET", mint, headers=second)).status == 200
    assert (await api.request("GET", mint, headers=harness.headers("alice"))).status == 404


async def test_client__when_it_is_of_a_second_issuer__is_known_by_settings_and_disabled_by_record(
    harness: Harness, api: MemoryClient
) -> None:
    headers = bearer(token(harness, "backend@clients", client="backend"))
    path = f"/v1/tokens/{CONTRACT}/7"
    assert (await api.request("GET", path, headers=headers)).status == 404
    assert (await api.request("GET", "/v1/wallet", headers=headers)).json()["code"] == "not-for-clients"

    harness.clients.add("oidc:auth0:backend", disabled_at=1)
    harness.now += 60
    assert (await api.request("GET", path, headers=headers)).json()["code"] == "unknown-client"


async def test_user__when_the_pool_is_silent__is_not_kept_waiting_by_a_second_issuers_token(
    harness: Harness, api: MemoryClient
) -> None:
    """Only the user pool is asked whether tokens were revoked."""
    headers = bearer(token(harness, "alice"))
    harness.now += 3000
    assert (await api.request("GET", "/v1/wallet", headers=headers)).status == 200
    assert harness.user_pool.requested == []
