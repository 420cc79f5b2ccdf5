from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator

import pytest
import structlog
from structlog.testing import LogCapture
from structlog.typing import EventDict

from mintline.aws.errors import AwsRefused
from mintline.aws.keys import GeneratedKey
from mintline.errors import Misconfigured
from mintline_api.http.tracing import trace_of
from mintline_testkit.api.client import MemoryClient
from mintline_testkit.api.harness import Harness

TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
TRACEPARENT = f"00-{TRACE_ID}-00f067aa0ba902b7-01"


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> list[EventDict]:
    capture = LogCapture()
    with monkeypatch.context():
        structlog.configure(processors=[structlog.contextvars.merge_contextvars, capture])
        entries: list[EventDict] = capture.entries
    return entries


@pytest.fixture(autouse=True)
def structlog_defaults() -> Iterator[None]:
    yield
    structlog.reset_defaults()


async def test_path__when_there_is_none_such__is_a_problem(client: MemoryClient) -> None:
    response = await client.request("GET", "/v2/mints?token=secret")

    assert response.status == 404
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert problem.pop("trace")
    assert problem == {
        "type": "https://api.example.com/docs#unknown-route",
        "title": "Path not found",
        "status": 404,
        "detail": "Path not found: /docs lists the operations.",
        "instance": "/v2/mints",
        "code": "unknown-route",
    }


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "/v1/mints", "GET, HEAD, POST"),
        ("PUT", "/v1/mints/mint_1", "GET, HEAD"),
        ("POST", "/v1/wallet", "GET, HEAD"),
        ("OPTIONS", "/healthz", "GET, HEAD"),
        ("PATCH", "/docs", "GET, HEAD"),
    ],
)
async def test_method__when_the_path_lacks_it__is_refused_with_those_it_has(
    client: MemoryClient, method: str, path: str, allowed: str
) -> None:
    response = await client.request(method, path)

    assert (response.status, response.json()["code"]) == (405, "method-not-allowed")
    assert response.headers["allow"] == allowed


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/openapi.json", "/docs", "/v1/wallet", "/v1/mints"])
async def test_head__when_the_path_has_get__answers_alike_without_a_body(
    harness: Harness, client: MemoryClient, path: str
) -> None:
    get = await client.request("GET", path, headers=harness.headers())
    head = await client.request("HEAD", path, headers=harness.headers())

    assert (head.status, head.body) == (get.status, b"")
    assert head.headers["content-length"] == str(len(get.body))


@pytest.mark.parametrize("path", ["/healthz", "/nowhere", "/v1/wallet", "/docs", "/openapi.json"])
async def test_answer__when_of_any_kind__carries_the_safe_headers_and_hides_the_server(
    client: MemoryClient, path: str
) -> None:
    response = await client.request("GET", path)

    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["referrer-policy"] == "no-referrer"
    assert response.headers["x-frame-options"] == "DENY"
    assert "default-src 'none'" in response.headers["content-security-policy"]
    assert "server" not in response.headers


async def test_answer__when_it_is_a_users__is_not_to_be_stored(
    harness: Harness, client: MemoryClient
) -> None:
    response = await client.request("GET", "/v1/wallet", headers=harness.headers())

    assert response.headers["cache-control"] == "no-store"


async def test_trace__when_the_client_sends_one__is_joined_and_travels_with_the_mint(
    harness: Harness, client: MemoryClient
) -> None:
    headers = harness.headers(traceparent=TRACEPARENT, content_type="application/json")
    body = json.dumps({"metadata": {"name": "x", "image": "https://example.com/x"}}).encode()
    response = await client.request("POST", "/v1/mints", headers=headers, body=body)

    ((_, message),) = harness.line.sent
    assert message.trace == response.headers["traceresponse"]
    assert re.fullmatch(rf"00-{TRACE_ID}-(?!00f067aa0ba902b7)[0-9a-f]{{16}}-01", message.trace)


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "garbage",
        f"00-{'0' * 32}-00f067aa0ba902b7-01",
        f"00-{TRACE_ID}-{'0' * 16}-01",
        f"ff-{TRACE_ID}-00f067aa0ba902b7-01",
        TRACEPARENT.upper(),
    ],
)
def test_trace__when_the_client_sends_none_or_a_bad_one__is_a_new_one(header: str | None) -> None:
    trace = trace_of(header, entropy=lambda count: bytes(range(1, count + 1)))

    assert trace.traceparent() == "00-0102030405060708090a0b0c0d0e0f10-1112131415161718-01"


async def test_log__when_a_request_is_served__has_one_line_without_secrets(
    harness: Harness, client: MemoryClient, logged: list[EventDict]
) -> None:
    headers = harness.headers(content_type="application/json", idempotency_key="key-of-mine")
    body = json.dumps({"metadata": {"name": "Very private", "image": "https://example.com/x"}}).encode()
    response = await client.request("POST", "/v1/mints", headers=headers, body=body)
    await client.request(
        "GET", f"/v1/mints/{response.json()['mint_id']}?x=secret-query", headers=harness.headers()
    )

    lines = [line for line in logged if line["event"] == "http_request"]
    assert [(line["method"], line["route"], line["status"]) for line in lines] == [
        ("POST", "/v1/mints", 202),
        ("GET", "/v1/mints/{mint_id}", 400),
    ]
    assert all(line["ms"] >= 0 and len(line["trace"]) == 32 for line in lines)
    everything = json.dumps(logged, default=str)
    for secret in (headers["Authorization"][7:], "Very private", "key-of-mine", "secret-query"):
        assert secret not in everything


async def test_failure__when_unforeseen__is_a_500_that_names_only_the_trace(
    harness: Harness, client: MemoryClient, logged: list[EventDict], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(_: str) -> None:
        raise ZeroDivisionError("the cause, with a secret")

    monkeypatch.setattr(harness.wallets, "get", fail)
    response = await client.request("GET", "/v1/wallet", headers=harness.headers())

    assert (response.status, response.json()["code"]) == (500, "internal")
    assert b"cause" not in response.body
    (line,) = [line for line in logged if line["event"] == "request_failed"]
    assert line["trace"] == response.json()["trace"]
    assert (line["log_level"], line["error"], len(line["digest"])) == ("error", "ZeroDivisionError", 16)
    assert line["frames"][-1].endswith(" fail")
    assert "exc_info" not in line
    assert "secret" not in json.dumps(logged)


async def test_body__when_the_client_goes_before_its_end__is_no_failure_of_ours(
    harness: Harness, client: MemoryClient, logged: list[EventDict]
) -> None:
    fields = {**harness.headers(), "Content-Type": "application/json", "Content-Length": "100"}
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    with client.unfinished(f"POST /v1/mints HTTP/1.1\r\nHost: api.example.com\r\n{head}\r\n{{".encode()):
        for _ in range(50):
            await asyncio.sleep(0)
    for _ in range(50):
        await asyncio.sleep(0)

    (line,) = [line for line in logged if line["event"] == "http_request"]
    assert line["status"] == 400
    assert not [line for line in logged if line["log_level"] == "error"]


async def test_ready__when_everything_answers__says_so(client: MemoryClient) -> None:
    response = await client.request("GET", "/readyz")

    assert response.status == 200
    assert response.json() == {
        "status": "ready",
        "missing": [],
        "checks": {"dynamodb": "ok", "sqs": "ok", "jwks": "ok", "intake": "ok"},
    }


@pytest.mark.parametrize(
    ("failure", "message"), [(RuntimeError("with details"), "unavailable"), (TimeoutError(), "timeout")]
)
async def test_ready__when_a_dependency_is_missing__names_it(
    harness: Harness, client: MemoryClient, failure: Exception, message: str
) -> None:
    harness.missing["sqs"] = failure
    harness.jwks.failure = None
    response = await client.request("GET", "/readyz")

    assert response.status == 503
    assert response.json() == {
        "status": "not_ready",
        "missing": ["sqs"],
        "checks": {"dynamodb": "ok", "sqs": message, "jwks": "ok", "intake": "ok"},
    }

    del harness.missing["sqs"]
    assert (await client.request("GET", "/readyz")).status == 503
    harness.now += 1
    assert (await client.request("GET", "/readyz")).status == 200


async def test_health__when_dependencies_are_missing__is_ok(harness: Harness, client: MemoryClient) -> None:
    harness.missing["dynamodb"] = RuntimeError()

    response = await client.request("GET", "/healthz")

    assert (response.status, response.json()) == (200, {"status": "ok"})


async def test_metrics__when_requests_were_served__count_them_by_route(
    harness: Harness, client: MemoryClient
) -> None:
    await client.request("GET", "/v1/mints/mint_1")
    await client.request("GET", "/nowhere")

    def count(route: str, status: str) -> float | None:
        labels = {"method": "GET", "route": route, "status": status}
        return harness.registry.get_sample_value("mintline_http_request_seconds_count", labels)

    assert count("/v1/mints/{mint_id}", "401") == 1
    assert count("unknown", "404") == 1


@pytest.mark.parametrize(
    "failure",
    [
        AwsRefused("GenerateDataKeyPairWithoutPlaintext: DisabledException", code="DisabledException"),
        Misconfigured("AWS credentials: none found by the AWS SDK's usual chain"),
    ],
    ids=lambda failure: type(failure).__name__,
)
async def test_api__when_aws_refuses_until_an_operator_acts__then_503_and_logged(
    harness: Harness,
    client: MemoryClient,
    monkeypatch: pytest.MonkeyPatch,
    failure: Exception,
    logged: list[EventDict],
) -> None:
    async def refuse(_: str) -> GeneratedKey:
        raise failure

    monkeypatch.setattr(harness.keys, "generate", refuse)
    response = await client.request("GET", "/v1/wallet", headers=harness.headers())
    assert (response.status, response.headers["retry-after"]) == (503, "30")
    assert response.json()["code"] == "unavailable"
    assert "DisabledException" not in response.body.decode()
    [reason] = [line["reason"] for line in logged if line["event"] == "dependency_refused"]
    assert str(failure) in reason


@pytest.mark.parametrize(
    "request_",
    [
        b"GET /v1/wallet HTTP/1.1\r\nAuthorization: Bearer sesame\r\n\r\n",
        b"GET /v1/wallet HTTP/1.1\nHost: x\nAuthorization: Bearer sesame\n\n",
        b"GET /v1/wallet HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer\0sesame\r\n\r\n",
        b"GET /v1/wallet HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer a\r\n sesame\r\n\r\n",
        b"GET /v1/wallet HTTP/1.1\r\nHost: x\r\nX-A: sesame" + b"a" * 60_000 + b"\r\n\r\n",
        b"POST /v1/mints HTTP/1.1\r\nHost: x\r\nContent-Length: -sesame\r\n\r\n",
        b"POST /v1/mints HTTP/1.1\r\nHost: x\r\nContent-Type: a/sesame\r\nContent-Type: a/b\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03sesame",
    ],
    ids=lambda request_: request_[:60].hex(),
)
async def test_request__when_it_is_no_http__then_a_problem_that_quotes_nothing_of_it(
    client: MemoryClient, caplog: pytest.LogCaptureFixture, logged: list[EventDict], request_: bytes
) -> None:
    response = await client.send(request_, method="GET")
    assert (response.status, response.json()["code"]) == (400, "bad-request")
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["x-content-type-options"] == "nosniff"
    assert len(response.json()["trace"]) == 32
    assert "sesame" not in response.body.decode()
    assert "sesame" not in caplog.text + str(logged)


@pytest.mark.parametrize("path", ["/v1/wallet", "/nowhere"])
async def test_request__when_it_expects_something_else__then_417_as_a_problem(
    harness: Harness, client: MemoryClient, path: str
) -> None:
    response = await client.request("GET", path, headers=harness.headers(expect="banana"))
    assert (response.status, response.json()["code"]) == (417, "expectation-failed")
    assert response.headers["content-type"] == "application/problem+json"
    assert "banana" not in response.body.decode()
