"""Machine clients at the door of the API: whose token counts, for which operations, and how soon it stops."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from mintline.errors import Unavailable
from mintline.scopes import MACHINE_SCOPES
from mintline_api.app import GROUPS
from mintline_api.auth.clients import REREAD_AFTER, SERVED_FOR, UNKNOWN_FOR
from mintline_testkit.api.client import Answered, MemoryClient
from mintline_testkit.api.harness import Harness
from mintline_testkit.constants import CONTRACT
from mintline_testkit.user_pool import CLIENT_ID

SECURED = [operation for group in GROUPS for operation in group if operation.scope is not None]
READ = f"/v1/tokens/{CONTRACT}/7"


async def read_token(client: MemoryClient, headers: dict[str, str]) -> Answered:
    """Read a token that does not exist: 404 for who may ask."""
    return await client.request("GET", READ, headers=headers)


def bearer(harness: Harness, **changes: Any) -> dict[str, str]:
    claims = harness.pool.client_claims("shop", now=harness.now) | changes
    return {
        "Authorization": f"Bearer {harness.pool.sign({k: v for k, v in claims.items() if v is not None})}"
    }


async def test_client__when_it_is_on_record__is_let_in_where_clients_may_be(
    harness: Harness, client: MemoryClient
) -> None:
    harness.clients.add("shop")

    response = await read_token(client, harness.client_headers())

    assert (response.status, response.json()["code"]) == (404, "unknown-token")
    assert harness.user_pool.requested == [], "the pool knows nothing of a client's token"


@pytest.mark.parametrize("disabled", [False, True])
async def test_client__when_it_is_unknown_or_disabled__is_refused(
    harness: Harness, client: MemoryClient, *, disabled: bool
) -> None:
    if disabled:
        harness.clients.add("shop", disabled_at=1)

    response = await read_token(client, harness.client_headers())

    assert (response.status, response.json()["code"]) == (401, "unknown-client")
    assert response.headers["www-authenticate"].startswith('Bearer error="invalid_token"')


async def test_client__when_it_is_disabled__is_refused_within_45_seconds_and_reported_to_the_enclave(
    harness: Harness, client: MemoryClient
) -> None:
    harness.clients.add("shop")
    headers = harness.client_headers()
    assert (await read_token(client, headers)).status == 404
    harness.clients.add("shop", disabled_at=1)
    harness.now += REREAD_AFTER

    assert (await read_token(client, headers)).json()["code"] == "unknown-client"
    issued = harness.now - REREAD_AFTER
    assert harness.revocations.recorded["shop"][0] == int(issued) + 1


async def test_client__when_it_was_enabled_again__gets_in_by_a_new_token_alone(
    harness: Harness, client: MemoryClient
) -> None:
    old = harness.client_headers()
    harness.clients.add("shop", disabled_at=1)
    await read_token(client, old)
    harness.clients.add("shop")
    harness.now += REREAD_AFTER

    assert (await read_token(client, old)).json()["code"] == "token-revoked"
    assert (await read_token(client, harness.client_headers())).status == 404


async def test_client__when_it_asks_often__is_read_once_and_by_one_request(
    harness: Harness, client: MemoryClient
) -> None:
    harness.clients.add("shop")
    headers = harness.client_headers()
    for rounds in range(1, 4):
        answers = await asyncio.gather(*(read_token(client, headers) for _ in range(10)))
        assert {response.status for response in answers} == {404}
        assert harness.clients.requests == rounds
        harness.now += REREAD_AFTER


async def test_client__when_it_is_created_after_its_first_request__is_let_in_after_seconds(
    harness: Harness, client: MemoryClient
) -> None:
    assert (await read_token(client, harness.client_headers())).status == 401
    harness.clients.add("shop")
    harness.now += UNKNOWN_FOR

    assert (await read_token(client, harness.client_headers())).status == 404


async def test_client__when_storage_is_silent__is_served_by_what_was_read_for_five_minutes(
    harness: Harness, client: MemoryClient
) -> None:
    harness.clients.add("shop")
    headers = harness.client_headers()
    await read_token(client, headers)
    harness.clients.failure = Unavailable("no storage")
    harness.now += SERVED_FOR - 1
    assert (await read_token(client, headers)).status == 404
    harness.now += 1

    assert (await read_token(client, headers)).status == 503


@pytest.mark.parametrize("operation", SECURED, ids=lambda operation: operation.name)
async def test_operation__when_a_client_calls_it__is_refused_unless_declared_for_clients(
    harness: Harness, client: MemoryClient, operation: Any
) -> None:
    harness.clients.add("shop")
    path = operation.path.replace("{", "").replace("}", "")

    response = await client.request(operation.method, path, headers=harness.client_headers())

    assert (response.status == 403) is not operation.clients
    if not operation.clients:
        assert response.json()["code"] == "not-for-clients"


async def test_client__when_its_token_lacks_the_scope__is_refused_though_openid_is_not_needed(
    harness: Harness, client: MemoryClient
) -> None:
    harness.clients.add("shop")

    response = await read_token(client, bearer(harness, scope=MACHINE_SCOPES[0].value))

    assert (response.status, response.json()["code"]) == (403, "insufficient-scope")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"sub": "alice"}, "wrong-client"),
        ({"sub": CLIENT_ID, "client_id": CLIENT_ID}, "bad-claims"),
        ({"username": "shop"}, "wrong-client"),
        ({"client_id": CLIENT_ID, "sub": "shop"}, "insufficient-scope"),
        ({"sub": "platform:relayer", "client_id": "platform:relayer"}, "bad-claims"),
        ({"sub": ["shop"], "client_id": ["shop"]}, "wrong-client"),
        ({"sub": None}, "bad-claims"),
        ({"token_use": "id"}, "not-an-access-token"),
    ],
    ids=[
        "a user's sub",
        "the app client of users for itself",
        "a user called like the client",
        "a user's token whose sub is a client's id",
        "a key of the platform",
        "lists",
        "no sub",
        "an id token",
    ],
)
async def test_token__when_it_is_neither_a_users_nor_a_clients__is_refused(
    harness: Harness, client: MemoryClient, changes: dict[str, Any], code: str
) -> None:
    """The one that says it is a user's is one: what stops it is that it was given for nothing of a user's."""
    harness.clients.add("shop")

    response = await read_token(client, bearer(harness, **changes))

    assert response.json()["code"] == code
