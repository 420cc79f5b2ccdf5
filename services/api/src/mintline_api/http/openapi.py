"""The OpenAPI 3.1 document, made from the declared operations and their models."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from itertools import groupby
from typing import Any, Literal

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, models_json_schema

from mintline.scopes import DESCRIPTIONS, MACHINE_SCOPES, OPENID, USER_SCOPES, Scope
from mintline_api.http.catalogue import ProblemCatalogue
from mintline_api.http.operations import Answer, HeaderField, Operation, Operations
from mintline_api.http.problems import MEDIA_TYPE, ProblemDocument, ProblemType
from mintline_api.http.reference.samples import code_samples

_REF = "#/components/schemas/{model}"
USERS = "accessToken"
CLIENTS = "clientToken"
"""The security schemes: a user's token, and a machine client's."""
_TRACE_EXAMPLE = "4bf92f3577b34da6a3ce929d0e0e4736"
_PATH_PARAMETER = re.compile(r"\{(\w+)\}")

DESCRIPTION = """\
Mintline mints NFTs on Ethereum for users who hold no keys: post a mint, and a token lands in a wallet.
[Try a request]({trial})

**Authentication.** Send a Cognito access token: `Authorization: Bearer TOKEN`. Users sign in for theirs; a
company's backend is a machine client and gets its own by its id and secret. Operations say whose they take.

**Lists** go on by opaque cursors: pass `next_cursor` as `cursor`, until it is null.

**Numbers.** Token ids and wei are decimal strings, because a double would lose digits; addresses carry their
EIP-55 checksum.

**Problems** follow RFC 9457: `code` says which one it is, `detail` what is wrong, `errors` where, and `trace`
names the request in our logs. Send `traceparent` to join your own trace. [All problems]({problems})

**Samples** in Python and TypeScript use the clients, `mintline_client` and `@mintline/client`, where those
have a method for the operation. They try again what can be tried again, and give each POST an idempotency
key.
"""


class _Untitled(GenerateJsonSchema):
    """Leaves out the titles that only repeat a member's name."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002 - pydantic calls it so
        return False


def openapi(
    groups: Sequence[Operations],
    *,
    problems: ProblemCatalogue,
    public_url: str,
    authorization_url: str,
    token_url: str,
) -> dict[str, Any]:
    """Return the document for an API that is reached at `public_url`.

    Users sign in at `authorization_url`; codes and client credentials are exchanged at `token_url`.
    """
    operations = [operation for group in groups for operation in group]
    schemas = _schemas(operations)
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        described = _operation(operation, schemas, problems.of(operation), public_url)
        described["x-codeSamples"] = code_samples(operation.method, public_url, operation.path, described)
        paths.setdefault(operation.path, {})[operation.method.lower()] = described
    for model in _parameter_models(operations):
        schemas.pop(model.__name__, None)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Mintline",
            "version": version("mintline-api"),
            "summary": "Custodial NFT minting for Ethereum.",
            "description": DESCRIPTION.format(
                problems=f"{public_url}/docs/problems", trial=f"{public_url}/docs/try"
            ),
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": public_url}],
        "tags": [{"name": group.tag, "description": group.description} for group in groups],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": _security_schemes(authorization_url, token_url),
        },
    }


def _security_schemes(authorization_url: str, token_url: str) -> dict[str, Any]:
    """Return how tokens are had (OAuth 2.0, RFC 6749, sections 4.1 and 4.4)."""
    return {
        USERS: {
            "type": "oauth2",
            "description": "A user's access token, by the authorization code flow with PKCE, for the scope "
            "that the operation names and for `openid`. Id tokens are refused.",
            "flows": {
                "authorizationCode": {
                    "authorizationUrl": authorization_url,
                    "tokenUrl": token_url,
                    "scopes": {OPENID: "Lets the API ask whether the token was revoked."}
                    | _described(USER_SCOPES),
                }
            },
        },
        CLIENTS: {
            "type": "oauth2",
            "description": "A machine client's own access token, by the client credentials flow, for the "
            "scope that the operation names. The client's secret is shown once, when it is created.",
            "flows": {
                "clientCredentials": {"tokenUrl": token_url, "scopes": _described(MACHINE_SCOPES)},
            },
        },
    }


def _described(scopes: Iterable[Scope]) -> dict[str, str]:
    return {scope.value: DESCRIPTIONS[scope] for scope in scopes}


def _security(operation: Operation) -> list[dict[str, list[str]]]:
    """Return whose tokens an operation takes: one of these."""
    if operation.scope is None:
        return []
    users = [{USERS: [OPENID, operation.scope.value]}] if operation.for_users else []
    clients = [{CLIENTS: [operation.scope.value]}] if operation.for_clients else []
    return users + clients


def _parameter_models(operations: Iterable[Operation]) -> list[type[BaseModel]]:
    models = [model for op in operations for model in (op.path_model, op.query_model) if model is not None]
    return list(dict.fromkeys(models))


def _schemas(operations: Sequence[Operation]) -> dict[str, Any]:
    """Return the schema of every model in use, parameters' included, by name."""
    modes: list[tuple[type[BaseModel], Literal["validation", "serialization"]]] = [
        (ProblemDocument, "serialization")
    ]
    modes += [(model, "validation") for model in _parameter_models(operations)]
    modes += [(op.body_model, "validation") for op in operations if op.body_model is not None]
    modes += [
        (response.model, "serialization")
        for op in operations
        for response in op.answers
        if response.model is not None
    ]
    _, document = models_json_schema(
        list(dict.fromkeys(modes)), ref_template=_REF, schema_generator=_Untitled
    )
    schemas: dict[str, Any] = document["$defs"]
    return {name: _without_null_defaults(schema) for name, schema in schemas.items()}


def _without_null_defaults(schema: dict[str, Any]) -> dict[str, Any]:
    """Leave out defaults that are null: generators take a default to mean that the member is there."""
    properties = {
        name: {key: value for key, value in each.items() if key != "default" or value is not None}
        for name, each in schema.get("properties", {}).items()
    }
    return {**schema, "properties": properties} if properties else schema


def _operation(
    operation: Operation, schemas: dict[str, Any], problems: list[ProblemType], public_url: str
) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": operation.name,
        "tags": [operation.tag],
        "summary": operation.summary,
        "description": operation.description,
        "security": _security(operation),
        "parameters": [*_parameters(operation, schemas), *_header_parameters(operation.headers)],
        "responses": {str(response.status): _answer(response) for response in operation.answers}
        | _problem_responses(operation, problems, public_url),
    }
    if operation.body_model is not None:
        media = {
            "schema": {"$ref": _REF.format(model=operation.body_model.__name__)},
            "example": operation.body_example,
        }
        described["requestBody"] = {"required": True, "content": {"application/json": media}}
    elif operation.body_texts:
        texts = {
            media_type: {"schema": {"type": "string"}, "example": example}
            for media_type, example in operation.body_texts.items()
        }
        described["requestBody"] = {"required": True, "content": texts}
    return described


def _parameters(operation: Operation, schemas: dict[str, Any]) -> list[dict[str, Any]]:
    parameters = []
    for model in (operation.path_model, operation.query_model):
        if model is None:
            continue
        in_path = model is operation.path_model
        required = schemas[model.__name__].get("required", ())
        for name, property_ in schemas[model.__name__].get("properties", {}).items():
            schema = _without_null(property_)
            description = schema.pop("description", None) or _default_description(name)
            parameters.append(
                {
                    "name": name,
                    "in": "path" if in_path else "query",
                    "required": in_path or name in required,
                    "description": description,
                    "schema": schema,
                }
            )
    return parameters


def _header_parameters(headers: Iterable[HeaderField]) -> list[dict[str, Any]]:
    return [
        {
            "name": header.name,
            "in": "header",
            "required": False,
            "description": header.description,
            "schema": dict(header.schema),
            "example": header.example,
        }
        for header in headers
    ]


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """Unwrap `anyOf [X, null]`: an optional parameter is absent, never null."""
    kept = dict(schema)
    options = [option for option in kept.get("anyOf", ()) if option.get("type") != "null"]
    if len(options) == 1:
        del kept["anyOf"]
        kept = {**options[0], **kept}
    if kept.get("default", ...) is None:
        del kept["default"]
    return kept


def _default_description(name: str) -> str:
    return {
        "contract": "The collection's address.",
        "address": "The owner's address.",
        "mint_id": "The mint's id, as its creation gave it.",
    }.get(name, "")


def _answer(response: Answer) -> dict[str, Any]:
    described: dict[str, Any] = {"description": response.description}
    if response.headers:
        described["headers"] = {
            header.name: {
                "description": header.description,
                "schema": dict(header.schema),
                "example": header.example,
            }
            for header in response.headers
        }
    if response.status in (204, 304):
        return described
    media: dict[str, Any] = {"schema": {"type": "object"}}
    if response.media_type != "application/json":
        media = {"schema": {"type": "string"}}
    if response.model is not None:
        media["schema"] = {"$ref": _REF.format(model=response.model.__name__)}
    if isinstance(response.example, BaseModel):
        media["example"] = response.example.model_dump(mode="json", by_alias=True)
    elif response.example is not None:
        media["example"] = response.example
    described["content"] = {response.media_type: media}
    return described


def _problem_responses(operation: Operation, problems: list[ProblemType], public_url: str) -> dict[str, Any]:
    taken = {response.status for response in operation.answers}
    responses: dict[str, Any] = {}
    for status, group in groupby(problems, key=lambda kind: kind.status):
        if status in taken:
            continue
        kinds = list(group)
        response: dict[str, Any] = {
            "description": "; ".join(kind.title for kind in kinds),
            "content": {
                MEDIA_TYPE: {
                    "schema": {"$ref": _REF.format(model=ProblemDocument.__name__)},
                    "examples": {
                        kind.slug: {"summary": kind.title, "value": _example(operation, kind, public_url)}
                        for kind in kinds
                    },
                }
            },
        }
        if status == 401:
            response["headers"] = {"WWW-Authenticate": {"schema": {"type": "string"}}}
        if status == 503:
            response["headers"] = {"Retry-After": {"description": "Seconds.", "schema": {"type": "integer"}}}
        responses[str(status)] = response
    return responses


def _example(operation: Operation, kind: ProblemType, public_url: str) -> dict[str, Any]:
    return {
        "type": f"{public_url}/docs#{kind.slug}",
        "title": kind.title,
        "status": kind.status,
        "detail": kind.meaning,
        "instance": _PATH_PARAMETER.sub(r"\1", operation.path),
        "code": kind.slug,
        "trace": _TRACE_EXAMPLE,
    }
