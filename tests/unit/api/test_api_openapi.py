from __future__ import annotations

import json
import re
from collections.abc import Iterator
from importlib import import_module
from pkgutil import walk_packages
from typing import Any

import pytest
from aiohttp import web

import mintline_api
from mintline_api.app import GROUPS, PROBLEMS
from mintline_api.features.mints.models import MintRequest
from mintline_api.http.openapi import openapi
from mintline_api.http.problems import ProblemType
from mintline_testkit.api.client import MemoryClient
from mintline_testkit.api.harness import PUBLIC_URL, SIGN_IN_URL, Harness
from mintline_testkit.api.openapi import document_of

KINDS = PROBLEMS.all(operation for group in GROUPS for operation in group)
METHODS = {"get", "post", "patch", "delete"}


@pytest.fixture(scope="module")
def described() -> dict[str, Any]:
    return document_of()


def operations(described: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in described["paths"].items():
        assert set(methods) <= METHODS
        for method, operation in methods.items():
            yield method, path, operation


def walk(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
        for inner in value.values():
            yield from walk(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from walk(inner)


TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "null": (type(None),),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
}


def fits(value: Any, schema: dict[str, Any], described: dict[str, Any]) -> bool:
    """As much of JSON Schema as the document uses."""
    if "$ref" in schema:
        return fits(value, described["components"]["schemas"][schema["$ref"].rpartition("/")[2]], described)
    if "anyOf" in schema:
        return any(fits(value, option, described) for option in schema["anyOf"])
    return (
        has_type(value, schema.get("type"))
        and value in schema.get("enum", [value])
        and ("pattern" not in schema or re.search(schema["pattern"], value) is not None)
        and all(fits(item, schema["items"], described) for item in (value if "items" in schema else ()))
        and ("properties" not in schema or members_fit(value, schema, described))
    )


def has_type(value: Any, name: str | None) -> bool:
    if name is None:
        return True
    return isinstance(value, TYPES[name]) and (name == "boolean" or not isinstance(value, bool))


def members_fit(value: dict[str, Any], schema: dict[str, Any], described: dict[str, Any]) -> bool:
    members = schema["properties"]
    known = schema.get("additionalProperties") is not False or value.keys() <= members.keys()
    complete = set(schema.get("required", ())) <= value.keys()
    return (
        known
        and complete
        and all(fits(inner, members[name], described) for name, inner in value.items() if name in members)
    )


async def test_document__when_served__is_valid_json_with_an_etag(client: MemoryClient) -> None:
    response = await client.request("GET", "/openapi.json")
    again = await client.request("GET", "/openapi.json", headers={"If-None-Match": response.headers["etag"]})

    assert response.json()["openapi"] == "3.1.0"
    assert response.json()["servers"] == [{"url": PUBLIC_URL}]
    assert response.headers["content-type"] == "application/json"
    assert again.status == 304


def test_document__when_compared_with_the_router__describes_every_route(
    harness: Harness, described: dict[str, Any]
) -> None:
    routes = {
        (route.method.lower(), route.resource.canonical)
        for route in harness.app().router.routes()
        if route.resource is not None
        and route.method != "HEAD"
        # The console's page and files are no operations.
        and not route.resource.canonical.startswith("/console")
    }

    assert {(method, path) for method, path, _ in operations(described)} == routes


def test_document__when_it_refers__refers_to_what_is_there_and_nothing_is_left_over(
    described: dict[str, Any],
) -> None:
    schemas = described["components"]["schemas"]
    used = {
        node["$ref"].removeprefix("#/components/schemas/")
        for node in walk(described)
        if isinstance(node.get("$ref"), str)
    }

    assert used == set(schemas)


REQUIRED_IN_QUERY = {
    ("/v1/users", "email"),
    ("/v1/owners/{address}/balance", "contract"),
    ("/v1/owners/{address}/holds", "contract"),
}


def test_document__when_it_names_parameters__names_each_of_the_path_once(described: dict[str, Any]) -> None:
    for _, path, operation in operations(described):
        names = [p["name"] for p in operation["parameters"] if p["in"] == "path"]
        assert sorted(names) == sorted(re.findall(r"\{(\w+)\}", path))
        for parameter in operation["parameters"]:
            required = parameter["in"] == "path" or (path, parameter["name"]) in REQUIRED_IN_QUERY
            assert parameter["required"] is required
            assert parameter["description"]


def test_document__when_it_gives_examples__they_fit_their_schemas(described: dict[str, Any]) -> None:
    checked = 0
    for node in walk(described["paths"]):
        if "schema" not in node:
            continue
        examples = [node["example"]] if "example" in node else []
        examples += [example["value"] for example in node.get("examples", {}).values()]
        for example in examples:
            assert fits(example, node["schema"], described), example
            checked += 1

    assert checked > 50


def test_document__when_a_value_does_not_fit__the_check_itself_fails(described: dict[str, Any]) -> None:
    schema = {"$ref": "#/components/schemas/MintView"}
    example = described["paths"]["/v1/mints"]["post"]["responses"]["202"]["content"]["application/json"][
        "example"
    ]

    assert fits(example, schema, described)
    assert not fits({**example, "status": "done"}, schema, described)
    assert not fits({**example, "token_id": 5}, schema, described)
    assert not fits({**example, "more": 1}, schema, described)
    assert not fits({k: v for k, v in example.items() if k != "to"}, schema, described)


def test_document__when_it_gives_a_body_example__the_model_accepts_it(described: dict[str, Any]) -> None:
    example = described["paths"]["/v1/mints"]["post"]["requestBody"]["content"]["application/json"]["example"]

    MintRequest.model_validate(example)


async def test_document__when_an_operation_is_secured__it_refuses_without_a_token(
    client: MemoryClient, described: dict[str, Any]
) -> None:
    for method, path, operation in operations(described):
        response = await client.request(method.upper(), re.sub(r"\{\w+\}", "1", path))
        assert (response.status == 401) is bool(operation["security"]), path


async def test_document__when_users_are_refused__names_no_user_token_for_the_operation(
    described: dict[str, Any], client: MemoryClient, harness: Harness
) -> None:
    refused = set()
    for method, path, operation in operations(described):
        if "requestBody" in operation or not operation["security"]:
            continue
        target = path
        for parameter in operation["parameters"]:
            if parameter["in"] == "path":
                target = target.replace(
                    f"{{{parameter['name']}}}", str(parameter["schema"].get("examples", ["1"])[0])
                )
        response = await client.request(method.upper(), target, headers=harness.headers())
        if response.status == 403 and response.json()["code"] in ("clients-only", "insufficient-scope"):
            refused.add((method, path))
            assert not any("accessToken" in alternative for alternative in operation["security"]), path
    assert ("get", "/v1/drops") in refused


def test_document__when_machine_clients_may_call_an_operation__names_their_scheme_beside_the_users(
    described: dict[str, Any],
) -> None:
    schemes = described["components"]["securitySchemes"]
    token_url = f"{SIGN_IN_URL}/token"

    assert set(schemes) == {"accessToken", "clientToken"}
    assert schemes["accessToken"]["flows"]["authorizationCode"]["tokenUrl"] == token_url
    assert schemes["clientToken"]["flows"]["clientCredentials"]["tokenUrl"] == token_url
    assert described["paths"]["/v1/tokens/{contract}/{token_id}"]["get"]["security"] == [
        {"accessToken": ["openid", "mintline/tokens:read"]},
        {"clientToken": ["mintline/tokens:read"]},
    ]
    assert described["paths"]["/v1/wallet"]["get"]["security"] == [
        {"accessToken": ["openid", "mintline/wallets:manage"]}
    ]


def test_document__when_operations_name_scopes__their_scheme_can_be_given_them(
    described: dict[str, Any],
) -> None:
    given = {
        name: {scope for flow in scheme["flows"].values() for scope in flow["scopes"]}
        for name, scheme in described["components"]["securitySchemes"].items()
    }
    for _, path, operation in operations(described):
        for alternative in operation["security"]:
            for name, scopes in alternative.items():
                assert set(scopes) <= given[name], path


async def test_document__when_an_answer_is_given__it_fits_the_schema_of_that_answer(
    harness: Harness, client: MemoryClient, described: dict[str, Any]
) -> None:
    body = json.dumps(
        described["paths"]["/v1/mints"]["post"]["requestBody"]["content"]["application/json"]["example"]
    ).encode()
    created = await client.request(
        "POST", "/v1/mints", headers=harness.headers(content_type="application/json"), body=body
    )
    requests = [
        ("/v1/mints", "post", created),
        ("/v1/mints/{mint_id}", "get", None),
        ("/v1/mints", "get", None),
        ("/v1/wallet", "get", None),
        ("/healthz", "get", None),
        ("/readyz", "get", None),
    ]
    for path, method, given in requests:
        target = path.replace("{mint_id}", created.json()["mint_id"])
        response = given or await client.request("GET", target, headers=harness.headers())
        responses = described["paths"][path][method]["responses"]
        schema = responses[str(response.status)]["content"]["application/json"]["schema"]
        assert fits(response.json(), schema, described), path


def test_problems__when_declared_by_any_module__are_in_the_catalogue() -> None:
    declared = {
        value
        for module in walk_packages(mintline_api.__path__, "mintline_api.")
        if module.name.endswith(".problems")
        for value in vars(import_module(module.name)).values()
        if isinstance(value, ProblemType)
    }

    assert declared == set(KINDS)


def test_problems__when_listed__each_has_its_own_slug_and_some_operation_or_all_answer_it(
    described: dict[str, Any],
) -> None:
    slugs = [kind.slug for kind in KINDS]
    answered = {
        slug
        for node in walk(described["paths"])
        if "examples" in node
        for slug in node["examples"]
        if isinstance(node["examples"], dict)
    }

    assert len(set(slugs)) == len(slugs)
    assert set(slugs) - answered == {
        "unknown-route",
        "method-not-allowed",
        "expectation-failed",
    }
    assert answered <= set(slugs)


def test_app__when_built_twice__is_the_same(harness: Harness) -> None:
    first = harness.app()

    assert isinstance(first, web.Application)
    assert openapi(
        GROUPS,
        problems=PROBLEMS,
        public_url=PUBLIC_URL,
        authorization_url=f"{SIGN_IN_URL}/authorize",
        token_url=f"{SIGN_IN_URL}/token",
    ) == openapi(
        GROUPS,
        problems=PROBLEMS,
        public_url=PUBLIC_URL,
        authorization_url=f"{SIGN_IN_URL}/authorize",
        token_url=f"{SIGN_IN_URL}/token",
    )
