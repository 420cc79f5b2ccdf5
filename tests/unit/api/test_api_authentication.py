from __future__ import annotations

import base64
import hmac
import json
import re
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from mintline.scopes import ACCOUNT_ADMIN, SIGN_IN_SCOPES, Scope
from mintline_api.app import GROUPS
from mintline_api.http.operations import Operation
from mintline_testkit.api.client import MemoryClient
from mintline_testkit.api.harness import Harness
from mintline_testkit.user_pool import UserPool


async def get_wallet(client: MemoryClient, authorization: str | None) -> Any:
    headers = {} if authorization is None else {"Authorization": authorization}
    return await client.request("GET", "/v1/wallet", headers=headers)


def refused(response: Any, code: str) -> bool:
    body = response.json()
    challenge = response.headers["www-authenticate"]
    if code != "no-token":
        assert challenge.startswith('Bearer error="invalid_token", error_description="')
    return (response.status, body["code"], body["type"].rpartition("#")[2]) == (401, code, code)


def unsigned(header: dict[str, Any], claims: dict[str, Any]) -> str:
    parts = (base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in (header, claims))
    return b".".join(parts).decode() + "."


async def test_request__when_the_token_is_good__is_served(harness: Harness, client: MemoryClient) -> None:
    response = await get_wallet(client, f"bearer {harness.token()}")

    assert response.status == 200


@pytest.mark.parametrize("authorization", [None, "", "Basic YTpi", "Bearer", "Bearer  "])
async def test_request__when_there_is_no_token__is_challenged(
    client: MemoryClient, authorization: str | None
) -> None:
    response = await get_wallet(client, authorization)

    assert refused(response, "no-token")
    assert response.headers["www-authenticate"] == "Bearer"


NESTED = base64.urlsafe_b64encode(b"[" * 9_000).decode() + ".e30.e30"


@pytest.mark.parametrize(
    "token",
    [NESTED, "x", "a.b", "a.b.c", "a.b.c.d", "e30.e30.", "\u00fcber", "a b", "x" * 20_000, "bnVsbA.e30.e30"],
)
async def test_request__when_the_token_is_no_jwt__is_refused_as_malformed(
    client: MemoryClient, token: str
) -> None:
    response = await get_wallet(client, f"Bearer {token}")

    assert response.json()["code"] in {"malformed-token", "token-algorithm"}
    assert response.status == 401


async def test_request__when_the_token_is_unsigned__is_refused_for_its_algorithm(
    harness: Harness, client: MemoryClient
) -> None:
    claims = harness.pool.claims("alice")
    for algorithm in ("none", "None", "NONE"):
        token = unsigned({"alg": algorithm, "kid": harness.pool.kid, "typ": "JWT"}, claims)
        assert refused(await get_wallet(client, f"Bearer {token}"), "token-algorithm")


async def test_request__when_the_token_is_signed_with_hmac_by_the_public_key__is_refused_for_its_algorithm(
    harness: Harness, client: MemoryClient
) -> None:
    public = harness.pool.private_key.public_key()
    secret = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    unsealed = unsigned({"alg": "HS256", "kid": harness.pool.kid}, harness.pool.claims("alice")).rstrip(".")
    mac = hmac.digest(secret, unsealed.encode(), "sha256")
    token = f"{unsealed}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"

    assert refused(await get_wallet(client, f"Bearer {token}"), "token-algorithm")


PSS = padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.DIGEST_LENGTH)
RSA_ALGORITHMS: dict[str, tuple[padding.AsymmetricPadding, hashes.HashAlgorithm]] = {
    "RS384": (padding.PKCS1v15(), hashes.SHA384()),
    "RS512": (padding.PKCS1v15(), hashes.SHA512()),
    "PS256": (PSS, hashes.SHA256()),
}


@pytest.mark.parametrize("algorithm", RSA_ALGORITHMS)
async def test_request__when_another_rsa_algorithm_is_used__is_refused_for_its_algorithm(
    harness: Harness, client: MemoryClient, algorithm: str
) -> None:
    header = {"alg": algorithm, "kid": harness.pool.kid}
    signed = unsigned(header, harness.pool.claims("alice")).rstrip(".")
    signature = harness.pool.private_key.sign(signed.encode(), *RSA_ALGORITHMS[algorithm])
    token = f"{signed}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"

    assert refused(await get_wallet(client, f"Bearer {token}"), "token-algorithm")


async def test_request__when_the_key_is_unknown_or_unnamed__is_refused(
    harness: Harness, client: MemoryClient
) -> None:
    stranger = UserPool(kid="key-9")
    token = stranger.sign(stranger.claims("alice"))
    assert refused(await get_wallet(client, f"Bearer {token}"), "unknown-key")

    nameless = harness.pool.sign(harness.pool.claims("alice"), kid=None)
    assert refused(await get_wallet(client, f"Bearer {nameless}"), "unknown-key")


async def test_request__when_another_key_signed_under_a_known_name__is_refused(
    harness: Harness, client: MemoryClient
) -> None:
    impostor = UserPool(kid=harness.pool.kid)

    response = await get_wallet(client, f"Bearer {impostor.sign(impostor.claims('alice'))}")

    assert refused(response, "bad-signature")


async def test_request__when_the_claims_were_altered__is_refused(
    harness: Harness, client: MemoryClient
) -> None:
    head, _, signature = harness.token("alice").split(".")
    other = harness.token("bob").split(".")[1]

    assert refused(await get_wallet(client, f"Bearer {head}.{other}.{signature}"), "bad-signature")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"exp": -11}, "token-expired"),
        ({"nbf": 11}, "token-not-yet-valid"),
        ({"iat": 11}, "token-not-yet-valid"),
    ],
)
async def test_request__when_the_times_are_beyond_the_leeway__is_refused(
    harness: Harness, client: MemoryClient, change: dict[str, int], code: str
) -> None:
    moved = {name: harness.now + seconds for name, seconds in change.items()}
    token = harness.pool.sign({**harness.pool.claims("alice"), **moved})

    assert refused(await get_wallet(client, f"Bearer {token}"), code)


@pytest.mark.parametrize("change", [{"exp": -9}, {"nbf": 9}, {"iat": 9}])
async def test_request__when_the_times_are_within_the_leeway__is_served(
    harness: Harness, client: MemoryClient, change: dict[str, int]
) -> None:
    moved = {name: harness.now + seconds for name, seconds in change.items()}
    token = harness.pool.sign({**harness.pool.claims("alice"), **moved})

    assert (await get_wallet(client, f"Bearer {token}")).status == 200


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"iss": "https://cognito-idp.us-east-1.amazonaws.com/us-east-1_Other"}, "wrong-issuer"),
        ({"iss": None}, "wrong-issuer"),
        ({"client_id": "another-client"}, "wrong-client"),
        ({"client_id": ["test-client"]}, "wrong-client"),
        ({"token_use": "id"}, "not-an-access-token"),
        ({"token_use": "refresh"}, "not-an-access-token"),
        ({"exp": "tomorrow"}, "bad-claims"),
        ({"exp": True}, "bad-claims"),
        ({"exp": None}, "bad-claims"),
        ({"sub": 5}, "bad-claims"),
        ({"sub": ""}, "bad-claims"),
        ({"sub": "platform:treasury"}, "bad-claims"),
        ({"sub": "a#b"}, "bad-claims"),
        ({"sub": "x" * 129}, "bad-claims"),
    ],
)
async def test_request__when_a_claim_is_wrong__is_refused_for_it(
    harness: Harness, client: MemoryClient, change: dict[str, Any], code: str
) -> None:
    token = harness.pool.sign({**harness.pool.claims("alice"), **change})

    assert refused(await get_wallet(client, f"Bearer {token}"), code)


@pytest.mark.parametrize("name", ["sub", "exp", "iat", "iss", "client_id", "token_use"])
async def test_request__when_a_claim_is_missing__is_refused_and_told_which(
    harness: Harness, client: MemoryClient, name: str
) -> None:
    claims = harness.pool.claims("alice")
    del claims[name]
    response = await get_wallet(client, f"Bearer {harness.pool.sign(claims)}")

    assert refused(response, "bad-claims")
    assert name in response.json()["detail"]


SECURED = [op for group in GROUPS for op in group if op.scope is not None]


@pytest.mark.parametrize("operation", SECURED, ids=lambda op: op.name)
async def test_operation__when_the_token_has_every_scope_but_its_own__is_refused_and_told_which(
    harness: Harness, client: MemoryClient, operation: Operation
) -> None:
    scopes = " ".join(scope for scope in SIGN_IN_SCOPES if scope != operation.scope)
    token = harness.pool.sign({**harness.pool.claims("alice"), "scope": scopes})
    response = await client.request(
        operation.method,
        re.sub(r"\{\w+\}", "x", operation.path),
        headers={"Authorization": f"Bearer {token}"},
    )

    assert (response.status, response.json()["code"]) == (403, "insufficient-scope")
    assert response.headers["www-authenticate"].startswith('Bearer error="insufficient_scope"')
    assert response.headers["www-authenticate"].endswith(f', scope="{operation.scope}"')


def test_operations__when_they_ask_for_a_scope__use_every_one_of_ours() -> None:
    assert {operation.scope for operation in SECURED} == set(Scope)


async def test_request__when_the_token_administers_its_account__is_refused_though_it_has_our_scopes(
    harness: Harness, client: MemoryClient
) -> None:
    scopes = f"{ACCOUNT_ADMIN} {' '.join(SIGN_IN_SCOPES)}"
    token = harness.pool.sign({**harness.pool.claims("alice"), "scope": scopes})
    response = await get_wallet(client, f"Bearer {token}")

    assert (response.status, response.json()["code"]) == (403, "insufficient-scope")
    assert ACCOUNT_ADMIN in response.json()["detail"]


async def test_request__when_it_brings_an_id_token__is_told_to_send_the_access_token(
    harness: Harness, client: MemoryClient
) -> None:
    claims = harness.pool.claims("alice")
    del claims["client_id"]
    token = harness.pool.sign({**claims, "token_use": "id", "aud": "test-client"})

    assert refused(await get_wallet(client, f"Bearer {token}"), "not-an-access-token")


async def test_request__when_a_remembered_token_expires__is_refused(
    harness: Harness, client: MemoryClient
) -> None:
    token = harness.pool.sign({**harness.pool.claims("alice"), "exp": harness.now + 20})
    assert (await get_wallet(client, f"Bearer {token}")).status == 200
    harness.now += 29
    assert (await get_wallet(client, f"Bearer {token}")).status == 200
    harness.now += 2

    assert refused(await get_wallet(client, f"Bearer {token}"), "token-expired")


async def test_request__when_the_body_is_bad_too__is_refused_for_its_token_first(
    client: MemoryClient,
) -> None:
    response = await client.request("POST", "/v1/mints", body=b"not json")

    assert refused(response, "no-token")
