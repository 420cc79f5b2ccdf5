"""Our signatures of requests are botocore's own, to the byte."""

from __future__ import annotations

import datetime as dt
import hashlib
from typing import Any

import botocore.auth
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from mintline.aws import session
from mintline.aws.signatures import QuickSigV4Auth

NOW = dt.datetime(2026, 11, 30, 12, 0, 0)  # noqa: DTZ001 - botocore's own form
JSON = {"Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": "DynamoDB_20120810.BatchGetItem"}


def request(url: str = "https://dynamodb.us-east-1.amazonaws.com/", **changes: Any) -> AWSRequest:
    fields: dict[str, Any] = {"method": "POST", "headers": dict(JSON), "data": b'{"TableName":"mints"}'}
    return AWSRequest(url=url, **{**fields, **changes})


def repeated() -> AWSRequest:
    signed = request()
    signed.headers.add_header("X-Amz-Meta", "one")
    signed.headers.add_header("x-amz-meta", "two")
    return signed


def with_context(**context: Any) -> AWSRequest:
    signed = request()
    signed.context.update(context)
    return signed


REQUESTS = {
    "items": request,
    "no body": lambda: request(data=b""),
    "text body": lambda: request(data="text"),
    "form body": lambda: request(data={"Action": "ListQueues", "Version": "2012-11-05"}),
    "get": lambda: request("https://kms.eu-west-1.amazonaws.com/%20//c?b=2&a=1&a=0", method="GET", data=b""),
    "params": lambda: request(params={"b": "ü", "a": 1}),
    "port": lambda: request("http://127.0.0.1:4566/"),
    "address of version 6": lambda: request("http://[::1]:4566/queue"),
    "default port": lambda: request("https://sqs.eu-central-1.amazonaws.com:443/1/q"),
    "spaces in a header": lambda: request(headers={**JSON, "X-Amz-Meta": "  a   b "}),
    "headers not signed": lambda: request(headers={**JSON, "User-Agent": "x", "traceparent": "00-1-2-03"}),
    "date": lambda: request(headers={**JSON, "Date": "yesterday"}),
    "signed before": lambda: request(headers={**JSON, "Authorization": "old", "X-Amz-Date": "old"}),
    "own hash": lambda: request(headers={**JSON, "X-Amz-Content-SHA256": hashlib.sha256(b"x").hexdigest()}),
    "repeated header": repeated,
    "body not signed": lambda: with_context(payload_signing_enabled=False),
    "checksum behind": lambda: with_context(checksum={"request_algorithm": {"in": "trailer"}}),
}


def signed(auth: type[SigV4Auth], request: AWSRequest, token: str | None) -> list[tuple[str, Any]]:
    auth(Credentials("AKID", "secret", token), "dynamodb", "us-east-1").add_auth(request)
    return list(request.headers.raw_items())


@pytest.mark.parametrize("token", [None, "session token"])
@pytest.mark.parametrize("make", REQUESTS.values(), ids=REQUESTS.keys())
def test_add_auth__when_a_request_is_signed__then_it_is_what_botocore_makes_of_it(
    make: Any, token: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda: NOW)
    ours, theirs = (signed(auth, make(), token) for auth in (QuickSigV4Auth, SigV4Auth))
    assert ours == theirs
    assert dict(ours)["Authorization"].startswith("AWS4-HMAC-SHA256 Credential=AKID/20261130/")


def test_open_client__when_it_is_imported__then_version_4_signatures_are_ours() -> None:
    assert session.__name__
    assert botocore.auth.AUTH_TYPE_MAPS["v4"] is QuickSigV4Auth
    assert botocore.auth.AUTH_TYPE_MAPS["s3v4"] is not QuickSigV4Auth
