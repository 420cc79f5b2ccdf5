"""The samples of the reference, in curl, Python and TypeScript."""

from __future__ import annotations

import ast
import json
import shlex
from collections.abc import Mapping
from typing import Any

import pytest

from mintline_api.http.reference.client_calls import CALLS
from mintline_client.api import Api, Response
from mintline_testkit.api.harness import PUBLIC_URL
from mintline_testkit.api.openapi import document_of


@pytest.fixture(scope="module")
def operations() -> list[dict[str, Any]]:
    return [
        {**operation, "method": method.upper(), "path": path}
        for path, methods in document_of()["paths"].items()
        for method, operation in methods.items()
    ]


def sample_of(operation: dict[str, Any], label: str) -> str:
    (source,) = (item["source"] for item in operation["x-codeSamples"] if item["label"] == label)
    assert isinstance(source, str)
    return source


def texts_of(operation: dict[str, Any]) -> list[str]:
    """Return the media types of a body that is no JSON."""
    content = operation.get("requestBody", {}).get("content", {})
    return [media_type for media_type in content if media_type != "application/json"]


def test_samples__when_an_operation_is_described__show_its_request_in_curl(
    operations: list[dict[str, Any]],
) -> None:
    for operation in operations:
        words = shlex.split(sample_of(operation, "curl"))

        assert words[:2] == ["curl", "-sS"]
        assert ("-X" in words) is (operation["method"] != "GET")
        assert any(word.startswith(PUBLIC_URL) and "{" not in word for word in words)
        assert ("Authorization: Bearer $TOKEN" in words) is bool(operation["security"])
        if texts_of(operation):
            assert (f"Content-Type: {texts_of(operation)[0]}" in words, words[-2:]) == (
                True,
                ["-T", "lines.ndjson"],
            )
        elif "requestBody" in operation:
            example = operation["requestBody"]["content"]["application/json"]["example"]
            assert json.loads(words[words.index("-d") + 1]) == example


def asked_by(source: str, monkeypatch: pytest.MonkeyPatch) -> tuple[str, str, Any]:
    """Run a sample of the Python client, and return the one request that it makes."""
    requests: list[tuple[str, str, Any]] = []

    async def once(
        _api: Api, method: str, path: str, data: Any, _headers: Mapping[str, str], *, fresh: bool
    ) -> Response:
        assert not fresh
        requests.append((method, path.partition("?")[0], None if data is None else json.loads(data)))
        empty: dict[str, Any] = {
            "items": [],
            "next_cursor": None,
            "events": [],
            "more": False,
            "next": "0" * 13,
        }
        return Response(200, {}, json.dumps(empty).encode())

    monkeypatch.setattr(Api, "_once", once)
    monkeypatch.setenv("TOKEN", "token")
    exec(compile(source, "sample", "exec"), {})
    [request] = requests
    return request


def path_of(operation: dict[str, Any]) -> str:
    """Return an operation's path with the values of its examples, as curl's sample has them."""
    words = shlex.split(sample_of(operation, "curl"))
    [url] = [word for word in words if word.startswith(PUBLIC_URL)]
    return url.removeprefix(PUBLIC_URL).partition("?")[0]


def body_of(operation: dict[str, Any]) -> Any:
    """Return the example of an operation's JSON body."""
    return operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("example")


def test_samples__when_the_python_client_has_a_method__make_the_request_that_is_described(
    operations: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    left = set(CALLS)
    for operation in operations:
        if operation["operationId"] not in CALLS:
            continue
        left.remove(operation["operationId"])
        source = sample_of(operation, "Python")

        method, path, body = asked_by(source, monkeypatch)

        assert (method, path) == (operation["method"], path_of(operation))
        assert (body or None) == body_of(operation), source
        assert ("TOKEN" in source) is bool(operation["security"])
    assert left == set(), "calls of operations that do not exist"
    assert capsys.readouterr().out


def test_samples__when_no_client_has_a_method__show_the_request_over_http(
    operations: list[dict[str, Any]],
) -> None:
    others = [operation for operation in operations if operation["operationId"] not in CALLS]
    for operation in others:
        calls = [
            node for node in ast.walk(ast.parse(sample_of(operation, "Python"))) if isinstance(node, ast.Call)
        ]
        (call,) = (node for node in calls if ast.unparse(node.func) == "httpx.request")
        keywords = {keyword.arg: keyword.value for keyword in call.keywords}
        text = sample_of(operation, "TypeScript")

        assert ast.literal_eval(call.args[0]) == operation["method"]
        if texts_of(operation):
            assert ast.unparse(keywords["content"]) == "open('lines.ndjson', 'rb')"
        elif body_of(operation) is not None:
            assert ast.literal_eval(keywords["json"]) == body_of(operation)
        if operation["security"]:
            assert "'Authorization': f'Bearer {token}'" in ast.unparse(keywords["headers"])
        assert f'const response = await fetch("{PUBLIC_URL}/' in text
        assert ("const token = process.env.TOKEN;" in text) is bool(operation["security"])
        assert ('const file = await readFile("lines.ndjson");' in text) is bool(texts_of(operation))
        assert (f'method: "{operation["method"]}"' in text) is (operation["method"] != "GET")
        assert ("Authorization: `Bearer ${token}`" in text) is bool(operation["security"])
        assert ("body: file" in text) is bool(texts_of(operation))
        assert ("JSON.stringify(" in text) is (body_of(operation) is not None)


def test_samples__when_the_typescript_client_has_a_method__name_it_and_carry_the_body(
    operations: list[dict[str, Any]],
) -> None:
    """That they type-check is seen by TypeScript's own compiler: `tests/integration/client`."""
    for operation in operations:
        if (call := CALLS.get(operation["operationId"])) is None:
            continue
        text = sample_of(operation, "TypeScript")
        body = body_of(operation)

        assert f"mintline.{call.in_typescript()}(" in text
        assert "fetch(" not in text
        assert ("process.env.TOKEN" in text) is bool(operation["security"])
        if body is not None:
            sent = body if call.typescript == "whole" else next(iter(body.values()))
            assert json.dumps(sent, indent=2) in text
