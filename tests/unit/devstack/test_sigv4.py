"""Signatures made by botocore are accepted; whatever was changed after signing is not."""

from datetime import UTC, datetime

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from mintline_devstack.sigv4 import SKEW, SignatureRefused, SignedRequest, verify

SECRETS = {"LOCALKEY": "its secret"}
BODY = b'{"KeyId": "alias/wallets"}'


def signed(
    *, key_id: str = "LOCALKEY", secret: str = "its secret", service: str = "kms"
) -> tuple[SignedRequest, float]:
    request = AWSRequest(
        "POST", "http://127.0.0.1:4567/", headers={"X-Amz-Target": "TrentService.Decrypt"}, data=BODY
    )
    request.headers["Host"] = "127.0.0.1:4567"
    SigV4Auth(Credentials(key_id, secret), service, "us-east-1").add_auth(request)
    headers = {name.lower(): str(value) for name, value in request.headers.items()}
    signed_at = datetime.strptime(headers["x-amz-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()
    return SignedRequest("POST", headers, BODY), signed_at


def refusal(request: SignedRequest, now: float) -> str:
    with pytest.raises(SignatureRefused) as refused:
        verify(request, SECRETS, service="kms", now=now)
    return refused.value.code


def test_verify__when_botocore_signed__names_the_key() -> None:
    request, now = signed()
    assert verify(request, SECRETS, service="kms", now=now) == "LOCALKEY"


def test_verify__when_the_body_was_changed__refuses() -> None:
    request, now = signed()
    tampered = SignedRequest("POST", request.headers, BODY.replace(b"wallets", b"other"))
    assert refusal(tampered, now) == "InvalidSignatureException"


def test_verify__when_a_signed_header_was_changed__refuses() -> None:
    request, now = signed()
    headers = {**request.headers, "x-amz-target": "TrentService.DescribeKey"}
    assert refusal(SignedRequest("POST", headers, BODY), now) == "InvalidSignatureException"


def test_verify__when_the_secret_is_not_the_keys__refuses() -> None:
    request, now = signed(secret="another secret")
    assert refusal(request, now) == "InvalidSignatureException"


@pytest.mark.parametrize(("name", "part"), [("authorization", "us-east-1"), ("x-amz-target", "Service")])
def test_verify__when_a_header_is_no_text__refuses(name: str, part: str) -> None:
    request, now = signed()
    headers = {**request.headers, name: request.headers[name].replace(part, "\udcff")}
    assert refusal(SignedRequest("POST", headers, BODY), now) in {
        "IncompleteSignatureException",
        "InvalidSignatureException",
    }


def test_verify__when_the_key_is_unknown__says_so() -> None:
    request, now = signed(key_id="NOBODY")
    assert refusal(request, now) == "UnrecognizedClientException"


def test_verify__when_signed_for_another_service__refuses() -> None:
    request, now = signed(service="sqs")
    assert refusal(request, now) == "InvalidSignatureException"


@pytest.mark.parametrize("late", [SKEW + 1, -SKEW - 1])
def test_verify__when_replayed_outside_the_window__refuses(late: float) -> None:
    request, now = signed()
    assert refusal(request, now + late) == "InvalidSignatureException"


def test_verify__when_not_signed__asks_for_a_token() -> None:
    assert refusal(SignedRequest("POST", {}, BODY), 0) == "MissingAuthenticationTokenException"


def test_verify__when_the_date_is_left_out_of_the_signature__refuses() -> None:
    request, now = signed()
    header = request.headers["authorization"].replace(";x-amz-date", "")
    headers = {**request.headers, "authorization": header}
    assert refusal(SignedRequest("POST", headers, BODY), now) == "InvalidSignatureException"
