"""Machine clients managed over HTTP: by clients with the scope `admin`, and by no other."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mintline.errors import Unavailable
from mintline.records.clients import ClientBudget
from mintline.scopes import MACHINE_SCOPES, RESOURCE_SERVER, Scope
from mintline_testkit.api.client import Answered, MemoryClient
from mintline_testkit.api.harness import Harness
from mintline_testkit.constants import CONTRACT

BUDGET = {"mints_per_hour": 100, "wei_per_day": "1000000000000000000", "collections": [CONTRACT]}
CHANGES = [
    ("POST", "/v1/clients", {"name": "shop"}),
    ("GET", "/v1/clients", None),
    ("GET", "/v1/clients/shop", None),
    ("PATCH", "/v1/clients/shop", {"disabled": True}),
    ("DELETE", "/v1/clients/shop", None),
    ("POST", "/v1/clients/shop/secrets", None),
    ("DELETE", "/v1/clients/shop/secrets/previous", None),
]


@pytest.fixture(autouse=True)
def operator(harness: Harness) -> None:
    harness.clients.add("operator")


async def ask(
    harness: Harness, client: MemoryClient, method: str, path: str, body: Any = None, *, by: str = "operator"
) -> Answered:
    return await send(client, method, path, body, harness.client_headers(by))


async def send(client: MemoryClient, method: str, path: str, body: Any, headers: dict[str, str]) -> Answered:
    if body is None:
        return await client.request(method, path, headers=headers)
    typed = {**headers, "Content-Type": "application/json"}
    return await client.request(method, path, headers=typed, body=json.dumps(body).encode())


async def create(harness: Harness, client: MemoryClient, **members: Any) -> dict[str, Any]:
    response = await ask(harness, client, "POST", "/v1/clients", {"name": "shop", **members})
    assert response.status == 201, response.body
    created: dict[str, Any] = response.json()
    return created


async def test_create__when_only_a_name_is_sent__then_the_client_may_do_all_but_administer(
    harness: Harness, client: MemoryClient
) -> None:
    created = await create(harness, client)

    assert created["client_secret"] == harness.registry_of_clients.secrets[created["client_id"]][0]
    assert created["scopes"] == [scope.short for scope in MACHINE_SCOPES if scope is not Scope.ADMIN]
    assert created["budget"] == {"mints_per_hour": None, "wei_per_day": None, "collections": None}
    assert harness.clients.records[created["client_id"]].scopes[0].startswith(f"{RESOURCE_SERVER}/")


async def test_client__when_it_was_created__then_it_is_shown_without_its_secret(
    harness: Harness, client: MemoryClient
) -> None:
    created = await create(harness, client, budget=BUDGET, scopes=["mints:create"])
    path = f"/v1/clients/{created['client_id']}"

    listed = (await ask(harness, client, "GET", "/v1/clients")).json()["items"]
    shown = (await ask(harness, client, "GET", path)).json()

    del created["client_secret"]
    assert created in listed
    assert shown["used"]["mints"] == 0
    assert {name: value for name, value in shown.items() if name != "used"} == created
    assert created["budget"] == BUDGET


@pytest.mark.parametrize(
    ("body", "code", "pointer"),
    [
        ({"name": "shop", "scopes": ["mints:create", "everything"]}, "unknown-scope", "#/scopes/1"),
        ({"name": "shop", "scopes": ["wallets:manage"]}, "unknown-scope", "#/scopes/0"),
        ({"name": "shop", "scopes": []}, "invalid-body", "#/scopes"),
        ({"name": ""}, "invalid-body", "#/name"),
        ({"name": "s" * 65}, "invalid-body", "#/name"),
        ({"name": "a\nb"}, "invalid-body", "#/name"),
        ({"name": "shop", "budget": {"mints_per_hour": -1}}, "invalid-body", "#/budget/mints_per_hour"),
        ({"name": "shop", "budget": {"wei_per_day": "1.5"}}, "invalid-body", "#/budget/wei_per_day"),
        ({"name": "shop", "budget": {"collections": ["0x12"]}}, "invalid-body", "#/budget/collections/0"),
        ({"name": "shop", "budget": {"mints": 1}}, "invalid-body", "#/budget/mints"),
    ],
)
async def test_create__when_the_body_is_wrong__then_the_member_is_named_and_nothing_is_made(
    harness: Harness, client: MemoryClient, body: dict[str, Any], code: str, pointer: str
) -> None:
    response = await ask(harness, client, "POST", "/v1/clients", body)

    assert response.json()["code"] == code
    assert response.json()["errors"][0]["pointer"] == pointer
    assert not harness.registry_of_clients.secrets


@pytest.mark.parametrize(("method", "path", "body"), CHANGES)
async def test_clients__when_the_caller_lacks_the_scope__then_nothing_is_shown_or_done(
    harness: Harness, client: MemoryClient, method: str, path: str, body: Any
) -> None:
    shop = harness.clients.add("shop")
    claims = harness.pool.client_claims("shop", now=harness.now) | {"scope": Scope.MINTS_CREATE.value}
    machine = {"Authorization": f"Bearer {harness.pool.sign(claims)}"}

    as_client = await send(client, method, path, body, machine)
    as_user = await send(client, method, path, body, harness.headers())

    assert (as_client.status, as_client.json()["code"]) == (403, "insufficient-scope")
    assert (as_user.status, as_user.json()["code"]) == (403, "insufficient-scope")
    assert harness.clients.records["shop"] == shop


@pytest.mark.parametrize(("method", "path", "body"), CHANGES[2:])
async def test_client__when_there_is_none__then_it_is_not_found(
    harness: Harness, client: MemoryClient, method: str, path: str, body: Any
) -> None:
    response = await ask(harness, client, method, path, body)

    assert (response.status, response.json()["code"]) == (404, "client-not-found")
    assert not harness.revocations.recorded


async def test_budget__when_it_is_changed__then_it_is_replaced_and_counts_at_once(
    harness: Harness, client: MemoryClient
) -> None:
    created = await create(harness, client, budget=BUDGET)
    path = f"/v1/clients/{created['client_id']}"

    changed = (await ask(harness, client, "PATCH", path, {"budget": {"mints_per_hour": 5}})).json()

    assert changed["budget"] == {"mints_per_hour": 5, "wei_per_day": None, "collections": None}
    assert harness.clients.records[created["client_id"]].budget == ClientBudget(mints_per_hour=5)


async def test_client__when_it_is_disabled__then_its_tokens_are_refused_here_and_in_the_enclave(
    harness: Harness, client: MemoryClient
) -> None:
    created = await create(harness, client)
    name = created["client_id"]
    assert (await ask(harness, client, "GET", "/v1/client", by=name)).status == 200

    first = await ask(harness, client, "PATCH", f"/v1/clients/{name}", {"disabled": True})
    again = await ask(harness, client, "PATCH", f"/v1/clients/{name}", {"disabled": True})

    assert first.json()["disabled_at"] == again.json()["disabled_at"] is not None
    refused = await ask(harness, client, "GET", "/v1/client", by=name)
    assert (refused.status, refused.json()["code"]) == (401, "unknown-client")
    assert harness.revocations.recorded[name][0] == int(harness.now) + 1


async def test_client__when_it_is_enabled_again__then_only_new_tokens_count(
    harness: Harness, client: MemoryClient
) -> None:
    created = await create(harness, client)
    name = created["client_id"]
    old = harness.client_headers(name)
    await ask(harness, client, "PATCH", f"/v1/clients/{name}", {"disabled": True})
    harness.now += 60
    await ask(harness, client, "PATCH", f"/v1/clients/{name}", {"disabled": False})

    assert (await client.request("GET", "/v1/client", headers=old)).json()["code"] == "token-revoked"
    assert (await ask(harness, client, "GET", "/v1/client", by=name)).status == 200


async def test_client__when_it_is_deleted__then_its_tokens_are_refused_and_it_is_gone(
    harness: Harness, client: MemoryClient
) -> None:
    created = await create(harness, client)
    name = created["client_id"]

    response = await ask(harness, client, "DELETE", f"/v1/clients/{name}")

    assert response.status == 204
    assert name not in harness.registry_of_clients.secrets
    assert name in harness.revocations.recorded
    assert (await ask(harness, client, "GET", "/v1/client", by=name)).json()["code"] == "unknown-client"
    assert (await ask(harness, client, "DELETE", f"/v1/clients/{name}")).status == 404


async def test_delete__when_the_revocation_cannot_be_recorded__then_the_client_stays(
    harness: Harness, client: MemoryClient
) -> None:
    created = await create(harness, client)
    harness.revocations.failure = Unavailable("no storage")

    response = await ask(harness, client, "DELETE", f"/v1/clients/{created['client_id']}")

    assert response.status == 503
    assert created["client_id"] in harness.clients.records


async def test_secret__when_it_is_rotated__then_the_new_one_is_shown_once_and_the_old_one_goes_when_asked(
    harness: Harness, client: MemoryClient
) -> None:
    created = await create(harness, client)
    path = f"/v1/clients/{created['client_id']}/secrets"
    secrets = harness.registry_of_clients.secrets

    added = await ask(harness, client, "POST", path)

    assert added.status == 201
    assert secrets[created["client_id"]] == [created["client_secret"], added.json()["client_secret"]]
    for _ in range(2):
        assert (await ask(harness, client, "DELETE", f"{path}/previous")).status == 204
        assert secrets[created["client_id"]] == [added.json()["client_secret"]]


async def test_own__when_a_client_asks__then_it_sees_itself_and_what_it_has_used(
    harness: Harness, client: MemoryClient
) -> None:
    created = await create(harness, client, budget=BUDGET)
    name = created["client_id"]
    hour = int(harness.now) // 3600
    harness.client_use.counts[f"{name}#hour#{hour}"] = 7

    shown = (await ask(harness, client, "GET", "/v1/client", by=name)).json()

    assert (shown["client_id"], shown["used"]["mints"], shown["used"]["wei"]) == (name, 7, "0")
    assert shown["used"]["mints_reset_at"] > shown["created_at"]


async def test_own__when_a_user_asks__then_there_is_none(harness: Harness, client: MemoryClient) -> None:
    response = await client.request("GET", "/v1/client", headers=harness.headers())

    assert (response.status, response.json()["code"]) == (404, "client-not-found")
    assert response.json()["detail"] == "A user has no client: send a machine client's access token."
