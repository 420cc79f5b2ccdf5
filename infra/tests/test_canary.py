"""The canary's own code, against keys that refuse, answer, or do neither."""

from __future__ import annotations

import importlib.util
import sys
from types import ModuleType
from typing import Any

import pytest
from botocore.exceptions import ClientError

from mintline_infra.canary import HANDLER
from synthesis import Templates, listed, properties

ARN = "arn:aws:kms:us-east-1:111122223333:key/1"


@pytest.fixture
def canary(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.setitem(sys.modules, "boto3", ModuleType("boto3"))
    spec = importlib.util.spec_from_file_location("canary_handler", HANDLER)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Kms:
    """Wraps keys for anyone, and answers a Decrypt with a plaintext or an error."""

    def __init__(self, refusal: str | None) -> None:
        self.requests: list[dict[str, Any]] = []
        self._refusal = refusal

    def generate_data_key_pair_without_plaintext(self, **_: Any) -> dict[str, bytes]:
        return {"PrivateKeyCiphertextBlob": b"wrapped"}

    def decrypt(self, **request: Any) -> dict[str, bytes]:
        self.requests.append(request)
        if self._refusal is not None:
            raise ClientError({"Error": {"Code": self._refusal}}, "Decrypt")
        return {"Plaintext": b"key"}


@pytest.mark.parametrize(
    ("refusal", "event"),
    [("AccessDeniedException", "unattested_decrypt_refused"), (None, "unattested_decrypt_answered")],
)
def test_canary__when_kms_answers__then_it_says_which_answer_came(
    canary: ModuleType, refusal: str | None, event: str
) -> None:
    kms = Kms(refusal)

    assert canary.probe(kms, ARN, "1") == event
    (request,) = kms.requests
    assert request["CiphertextBlob"] == b"wrapped"
    assert request["EncryptionContext"] == {"sub": "platform:canary", "chain": "1"}
    assert "Recipient" not in request


def test_canary__when_kms_fails_otherwise__then_it_fails_too(canary: ModuleType) -> None:
    with pytest.raises(ClientError):
        canary.probe(Kms("DisabledException"), ARN, "1")


def test_canary__when_deployed__then_iam_allows_it_what_the_key_policy_must_refuse(
    templates: Templates,
) -> None:
    (function,) = properties(templates["canary"], "AWS::Lambda::Function")
    assert function["Code"]["ZipFile"] == HANDLER.read_text()
    assert len(HANDLER.read_text()) <= 4096
    (policy,) = properties(templates["canary"], "AWS::IAM::Policy")
    tried = next(s for s in policy["PolicyDocument"]["Statement"] if s.get("Sid") == "Try")
    assert set(listed(tried["Action"])) == {"kms:Decrypt", "kms:GenerateDataKeyPairWithoutPlaintext"}
    (rule,) = properties(templates["canary"], "AWS::Events::Rule")
    assert rule["ScheduleExpression"] == "rate(5 minutes)"


def test_denials__when_they_are_the_canarys__then_nobody_is_told(templates: Templates) -> None:
    (rule,) = (
        rule
        for rule in properties(templates["watch"], "AWS::Events::Rule")
        if rule["Name"] == "acme-mintline-kms-denied"
    )
    others, unknown = rule["EventPattern"]["detail"]["$or"]
    session = "arn:aws:sts::111122223333:assumed-role/acme-mintline-canary/"
    assert others == {"userIdentity": {"arn": [{"anything-but": {"prefix": session}}]}}
    assert unknown == {"userIdentity": {"arn": [{"exists": False}]}}
