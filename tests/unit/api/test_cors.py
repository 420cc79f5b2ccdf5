from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from mintline_api.app import GROUPS
from mintline_api.http.cors import ALLOWED_HEADERS, EXPOSED_HEADERS, Cors
from mintline_api.limits.writes import RATE_LIMIT_HEADERS
from mintline_testkit.api.client import MemoryClient
from mintline_testkit.api.harness import Harness
from mintline_testkit.user_pool import UserPool

SHOP = "https://shop.example"


@pytest.fixture
def harness(harness: Harness) -> Harness:
    harness.cors_origins = (SHOP, "http://localhost:*")
    return harness


def preflight(origin: str, method: str = "POST") -> dict[str, str]:
    return {
        "Origin": origin,
        "Access-Control-Request-Method": method,
        "Access-Control-Request-Headers": "authorization,content-type,idempotency-key",
    }


@pytest.mark.parametrize("origin", [SHOP, "http://localhost:3000", "http://localhost"])
async def test_preflight__when_the_origin_is_listed__names_the_methods_without_a_token(
    client: MemoryClient, origin: str
) -> None:
    response = await client.request("OPTIONS", "/v1/mints", headers=preflight(origin))

    assert (response.status, response.body) == (204, b"")
    assert response.headers["access-control-allow-origin"] == origin
    assert response.headers["access-control-allow-methods"] == "GET, HEAD, POST"
    assert {"authorization", "content-type", "idempotency-key"} <= {
        name.strip().lower() for name in response.headers["access-control-allow-headers"].split(",")
    }
    assert response.headers["access-control-max-age"] == "7200"
    assert response.headers["vary"] == "Origin"
    assert "access-control-allow-credentials" not in response.headers


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "https://shop.example.evil", "http://localhost.evil:80", "null", ""]
)
async def test_preflight__when_the_origin_is_not_listed__is_refused(
    client: MemoryClient, origin: str
) -> None:
    response = await client.request("OPTIONS", "/v1/mints", headers=preflight(origin))

    assert response.status == 405
    assert "access-control-allow-origin" not in response.headers
    assert response.headers["vary"] == "Origin"


@pytest.mark.parametrize(("path", "status"), [("/v1/nothing", 404), ("/healthz", 204)])
async def test_preflight__when_of_any_path__is_answered_by_what_the_path_has(
    client: MemoryClient, path: str, status: int
) -> None:
    response = await client.request("OPTIONS", path, headers=preflight(SHOP, "GET"))

    assert response.status == status


async def test_response__when_to_a_listed_origin__can_be_read_whatever_it_is(
    harness: Harness, client: MemoryClient
) -> None:
    headers = harness.headers(content_type="application/json")
    body = b'{"metadata": {"name": "x", "image": "https://example.com/x"}}'
    response = await client.request("POST", "/v1/mints", headers={**headers, "Origin": SHOP}, body=body)
    refused = await client.request("GET", "/v1/mints", headers={"Origin": SHOP})
    elsewhere = await client.request(
        "GET", "/v1/mints", headers={**headers, "Origin": "https://evil.example"}
    )

    for reply, status in ((response, 202), (refused, 401)):
        assert reply.status == status
        assert reply.headers["access-control-allow-origin"] == SHOP
        assert "Location" in reply.headers["access-control-expose-headers"]
    assert elsewhere.status == 200
    assert "access-control-allow-origin" not in elsewhere.headers
    public = await client.request("GET", "/openapi.json", headers={"Origin": "https://evil.example"})
    assert public.headers["access-control-allow-origin"] == "*"


def test_cors__when_every_origin_is_listed__allows_it() -> None:
    assert Cors(["*"]).allowed("https://anyone.example")
    assert not Cors([]).allowed(SHOP)


def test_headers__when_operations_declare_them__pages_may_send_and_read_them() -> None:
    sent = {header.name for group in GROUPS for op in group for header in op.headers}
    read = {
        header.name
        for group in GROUPS
        for op in group
        for response in op.answers
        for header in response.headers
    }
    read |= {header.name for header in RATE_LIMIT_HEADERS}

    assert sent <= set(ALLOWED_HEADERS.split(", "))
    # Cache-Control is one of those that pages may always read (Fetch standard, 2.2.2).
    assert read - {"Cache-Control"} <= set(EXPOSED_HEADERS.split(", "))


@pytest.mark.parametrize("origin", ["shop.example", "https://shop.example/", "https://Shop.example", "null"])
def test_setting__when_no_origin__is_refused(pool: UserPool, origin: str) -> None:
    with pytest.raises(ValidationError, match="cors_origins"):
        Harness(pool, cors_origins=(origin,)).app()


async def test_sign_in_document__when_read__says_where_tokens_are_had(client: MemoryClient) -> None:
    response = await client.request("GET", "/.well-known/oauth-protected-resource")
    document: dict[str, Any] = response.json()

    assert response.headers["access-control-allow-origin"] == "*"
    assert document["resource"] == "https://api.example.com"
    assert document["token_endpoint"].endswith("/oauth2/token")
    assert document["authorization_endpoint"].endswith("/oauth2/authorize")
    assert "mintline/mints:create" in document["user_scopes"]
