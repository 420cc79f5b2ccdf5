"""The comparison of the policy document's signing keys, by issuers that rotate, add to and spoil theirs."""

from __future__ import annotations

import base64
import importlib.util
import io
import json
import re
import sys
import threading
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from mintline_infra.canary import POLICY_KEYS_HANDLER
from synthesis import ROOT, Templates, described, listed, properties, resources, synthesized

POOL = "https://cognito-idp.us-east-1.amazonaws.com/us-east-1_x"
POOL_KEYS = f"{POOL}/.well-known/jwks.json"
OTHER = "https://login.example.com/"
DISCOVERY = f"{OTHER}.well-known/openid-configuration"
OTHER_KEYS = "https://keys.example.com/"


@pytest.fixture
def canary(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.setitem(sys.modules, "boto3", ModuleType("boto3"))
    spec = importlib.util.spec_from_file_location("policy_keys_handler", POLICY_KEYS_HANDLER)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def modulus(bits: int = 2048, *, last: int = 1) -> str:
    number = (1 << (bits - 1)) | last
    return base64.urlsafe_b64encode(number.to_bytes((bits + 7) // 8)).rstrip(b"=").decode()


def rsa(kid: str, n: str = modulus(), **more: str) -> dict[str, str]:
    return {"kty": "RSA", "kid": kid, "n": n, "e": "AQAB", **more}


def ec(kid: str, x: str = "x", **more: str) -> dict[str, str]:
    return {"kty": "EC", "crv": "P-256", "kid": kid, "x": x, "y": "y", "use": "sig", **more}


def policy(*keys: dict[str, str], other: dict[str, str] | None = None) -> dict[str, Any]:
    others = [] if other is None else [{"issuer": OTHER, "jwks": {"keys": [other]}}]
    return {"authorization": {"issuer": POOL, "jwks": {"keys": list(keys)}, "other_issuers": others}}


@pytest.mark.parametrize(
    ("published", "lacking"),
    [
        ([rsa("a")], []),
        ([rsa("a", use="sig", alg="RS256")], []),
        ([rsa("a"), rsa("b")], ["b"]),
        ([rsa("a", n=modulus(last=3))], ["a"]),
        ([rsa("a"), rsa("b", n=modulus(8192))], ["b"]),
        # What signs no access token is not missed.
        ([rsa("a"), rsa("b", use="enc"), rsa("c", alg="RS512"), ec("d"), {"kty": "RSA"}, "rubbish"], []),
        # Nor what the policy may not hold.
        ([rsa("a"), rsa("b", n=modulus(2047)), rsa("c", n=modulus(8193)), rsa("d" * 257)], []),
    ],
)
def test_keys__when_the_pool_publishes_more_or_others__then_they_are_named(
    canary: ModuleType, published: list[Any], lacking: list[str]
) -> None:
    documents = {POOL_KEYS: {"keys": published}}
    assert canary.lacking(policy(rsa("a")), documents.__getitem__) == (lacking, [])


def test_keys__when_another_issuer_rotates__then_they_are_named(canary: ModuleType) -> None:
    documents = {
        POOL_KEYS: {"keys": [rsa("a")]},
        DISCOVERY: {"jwks_uri": OTHER_KEYS},
        OTHER_KEYS: {"keys": [ec("k", x="another"), rsa("r")]},
    }
    assert canary.lacking(policy(rsa("a"), other=ec("k")), documents.__getitem__) == (["k", "r"], [])
    documents[OTHER_KEYS] = {"keys": [ec("k"), ec("p", crv="P-384")]}
    assert canary.lacking(policy(rsa("a"), other=ec("k")), documents.__getitem__) == ([], [])


def test_keys__when_there_is_no_user_pool__then_the_issuers_are_compared_alone(canary: ModuleType) -> None:
    without = policy(rsa("a"), other=ec("e"))
    del without["authorization"]["issuer"], without["authorization"]["jwks"]
    documents = {DISCOVERY: {"jwks_uri": OTHER_KEYS}, OTHER_KEYS: {"keys": [ec("e"), rsa("f")]}}
    assert canary.lacking(without, documents.__getitem__) == (["f"], [])


def test_keys__when_the_deployment_names_an_issuers_jwks_url__then_nothing_is_discovered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    """As the API reads them: an issuer need have no discovery document."""
    other = {"name": "auth0", "issuer": OTHER, "client_ids": ["app"], "jwks_url": OTHER_KEYS}
    named = synthesized(described(signing_policy="now.json", other_issuers=[other]), tmp_path)
    (variables,) = (
        function["Environment"]["Variables"]
        for function in properties(named["canary"], "AWS::Lambda::Function")
        if function["FunctionName"] == "acme-mintline-policy-keys"
    )
    monkeypatch.setenv("JWKS_URLS", variables["JWKS_URLS"])
    canary = request.getfixturevalue("canary")

    documents = {POOL_KEYS: {"keys": [rsa("a")]}, OTHER_KEYS: {"keys": [ec("k", x="another")]}}
    assert canary.lacking(policy(rsa("a"), other=ec("k")), documents.__getitem__) == (["k"], [])


@pytest.mark.parametrize("hangs", [False, True], ids=["fails", "hangs"])
@pytest.mark.parametrize("failing", [POOL_KEYS, DISCOVERY, OTHER_KEYS])
def test_keys__when_one_issuer_does_not_answer__then_the_others_keys_are_named(
    canary: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    failing: str,
    hangs: bool,  # noqa: FBT001 - a parameter's value
) -> None:
    monkeypatch.setattr(canary, "PATIENCE", 0.5)
    over = threading.Event()
    documents = {
        POOL_KEYS: {"keys": [rsa("of the pool")]},
        DISCOVERY: {"jwks_uri": OTHER_KEYS},
        OTHER_KEYS: {"keys": [rsa("of the other")]},
    }

    def read(url: str) -> Any:
        if url == failing:
            if hangs:
                over.wait(60)
            raise OSError("unreachable")
        return documents[url]

    kids, faults = canary.lacking(policy(rsa("a"), other=rsa("b")), read)
    over.set()
    assert kids == (["of the other"] if failing == POOL_KEYS else ["of the pool"])
    assert faults == (["an issuer hangs"] if hangs else ["OSError('unreachable')"])


@pytest.mark.parametrize("published", [{"keys": []}, {"keys": [ec("a")]}, {}, []])
def test_keys__when_the_pool_publishes_none__then_it_fails(canary: ModuleType, published: Any) -> None:
    kids, (fault,) = canary.lacking(policy(rsa("a")), {POOL_KEYS: published}.__getitem__)
    assert kids == []
    assert fault.startswith(("ValueError", "KeyError", "TypeError"))


def test_fetch__when_it_is_not_by_tls_or_too_long__then_it_fails(
    canary: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ValueError, match="not by TLS"):
        canary.fetch("file:///etc/passwd")
    answers = {"https://good": b'{"keys": []}', "https://long": b" " * 100_001}

    def opened(url: str, *, timeout: float) -> io.BytesIO:
        assert timeout < canary.PATIENCE < 30, "the function's own"
        return io.BytesIO(answers[url])

    monkeypatch.setattr(canary.urllib.request, "build_opener", lambda *_: SimpleNamespace(open=opened))
    assert canary.fetch("https://good") == {"keys": []}
    with pytest.raises(ValueError, match="more than 100000 bytes"):
        canary.fetch("https://long")


def test_fetch__when_it_is_led_elsewhere__then_it_does_not_follow(
    canary: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server of plain HTTP in place of TLS, as it is the redirect that counts."""
    paths: list[str] = []

    class Leading(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            paths.append(self.path)
            self.send_response(302)
            self.send_header("Location", "/elsewhere")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    opener = urllib.request.build_opener
    with ThreadingHTTPServer(("127.0.0.1", 0), Leading) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        plain = f"http://127.0.0.1:{server.server_port}/keys"

        def opening(*handlers: Any) -> Any:
            plain_opener = opener(urllib.request.ProxyHandler({}), *handlers)
            return SimpleNamespace(open=lambda _url, timeout: plain_opener.open(plain, timeout=timeout))

        monkeypatch.setattr(canary.urllib.request, "build_opener", opening)
        with pytest.raises(urllib.error.HTTPError, match="302"):
            canary.fetch("https://good")
        server.shutdown()
    assert paths == ["/keys"]


@pytest.mark.parametrize(
    ("published", "lines"),
    [
        ([rsa("a")], [{"event": "policy_keys_compared", "lacking": 0}]),
        (
            [rsa("b")],
            [
                {"event": "policy_keys_compared", "lacking": 1},
                {"event": "policy_keys_lacking", "kids": ["b"]},
            ],
        ),
    ],
)
def test_handler__when_it_has_compared__then_it_says_what_came_of_it(
    canary: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    published: list[Any],
    lines: list[dict[str, Any]],
) -> None:
    monkeypatch.setenv("BUCKET", "artifacts")
    monkeypatch.setenv("POLICY", "policy.json")
    requests: list[dict[str, str]] = []

    def get_object(**request: str) -> dict[str, Any]:
        requests.append(request)
        return {"Body": io.BytesIO(json.dumps(policy(rsa("a"))).encode())}

    canary.boto3.client = lambda _: SimpleNamespace(get_object=get_object)
    monkeypatch.setattr(canary, "fetch", {POOL_KEYS: {"keys": published}}.__getitem__)

    canary.handler(None, None)

    assert requests == [{"Bucket": "artifacts", "Key": "policy.json"}]
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == lines


def test_handler__when_an_issuer_fails__then_it_names_the_others_keys_and_fails(
    canary: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("BUCKET", "artifacts")
    monkeypatch.setenv("POLICY", "policy.json")
    stored = {"Body": io.BytesIO(json.dumps(policy(rsa("a"), other=rsa("k"))).encode())}
    canary.boto3.client = lambda _: SimpleNamespace(get_object=lambda **_: stored)
    monkeypatch.setattr(canary, "fetch", {POOL_KEYS: {"keys": [rsa("b")]}}.__getitem__)

    with pytest.raises(RuntimeError, match="KeyError"):
        canary.handler(None, None)

    # Without `policy_keys_compared`, whose absence is an alarm too.
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert lines == [{"event": "policy_keys_lacking", "kids": ["b"]}]


def test_canary__when_the_host_hands_the_policy_over__then_it_may_read_that_document_alone(
    tmp_path: Path,
) -> None:
    handed_templates = synthesized(described(signing_policy="policies/now.json"), tmp_path)
    (function,) = (
        function
        for function in properties(handed_templates["canary"], "AWS::Lambda::Function")
        if function["FunctionName"] == "acme-mintline-policy-keys"
    )
    assert function["Code"]["ZipFile"] == POLICY_KEYS_HANDLER.read_text()
    assert len(POLICY_KEYS_HANDLER.read_text()) <= 4096
    variables = {"BUCKET": "acme-mintline-artifacts", "POLICY": "policies/now.json", "JWKS_URLS": "{}"}
    assert function["Environment"]["Variables"] == variables
    reads = [
        statement
        for granted in properties(handed_templates["canary"], "AWS::IAM::Policy")
        for statement in granted["PolicyDocument"]["Statement"]
        if "s3:GetObject" in listed(statement["Action"])
    ]
    assert [statement["Resource"] for statement in reads] == [
        "arn:aws:s3:::acme-mintline-artifacts/policies/now.json"
    ]

    alarms = {
        alarm["AlarmName"].removeprefix("acme-mintline-"): alarm
        for alarm in properties(handed_templates["watch"], "AWS::CloudWatch::Alarm")
    }
    runbook = (ROOT / "docs/aws-alarms.md").read_text()
    for name in ("policy-keys-lacking", "policy-keys-unchecked"):
        assert re.search(rf"^\| .*`{name}`.* \|", runbook, flags=re.MULTILINE), name
    assert alarms["policy-keys-lacking"]["TreatMissingData"] == "notBreaching"
    assert alarms["policy-keys-unchecked"]["TreatMissingData"] == "breaching"


def test_canary__when_the_image_holds_the_policy__then_nothing_is_compared(templates: Templates) -> None:
    assert len(resources(templates["canary"], "AWS::Lambda::Function")) == 1
    alarms = properties(templates["watch"], "AWS::CloudWatch::Alarm")
    assert not [alarm for alarm in alarms if "policy-keys" in alarm["AlarmName"]]
