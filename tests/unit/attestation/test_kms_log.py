"""Which enclaves KMS decrypted keys for, read from CloudTrail's events in each of their forms."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from mintline.attestation.development import DevelopmentAuthority
from mintline.attestation.verify import verify
from mintline.audit.kms_log import NoKmsLog, event_of, modules_in

NOW = datetime(2026, 11, 29, tzinfo=UTC)


def event(module_id: str, **changes: Any) -> dict[str, Any]:
    """Return an event as AWS documents it."""
    recipient = {
        "attestationDocumentModuleId": module_id,
        "attestationDocumentEnclaveImageDigest": "ee0d451a",
    }
    return {
        "eventVersion": "1.08",
        "eventSource": "kms.amazonaws.com",
        "eventName": "Decrypt",
        "requestParameters": {"encryptionAlgorithm": "SYMMETRIC_DEFAULT"},
        "responseElements": None,
        "additionalEventData": {"recipient": recipient},
    } | changes


ONE, OTHER = event("i-1-enc1"), event("i-1-enc2")
UNATTESTED = event("") | {"additionalEventData": {"keyMaterialId": "1"}}


@pytest.mark.parametrize(
    "text",
    [
        json.dumps({"Records": [ONE, UNATTESTED, OTHER]}),
        json.dumps({"Records": [ONE]}) + json.dumps({"Records": [OTHER]}),
        json.dumps({"Records": [ONE]}, indent=1) + "\n\n" + json.dumps({"Records": [OTHER]}),
        json.dumps(
            {"Events": [{"EventName": "Decrypt", "CloudTrailEvent": json.dumps(e)} for e in (ONE, OTHER)]}
        ),
        "".join(json.dumps(e) + "\n" for e in (ONE, OTHER, OTHER)),
        json.dumps([ONE, OTHER]),
    ],
    ids=["a file", "two files", "two files, indented", "lookup-events", "a line each", "a list"],
)
def test_modules__when_cloudtrail_gives_events__are_those_of_its_enclaves(text: str) -> None:
    assert modules_in(text) == {"i-1-enc1", "i-1-enc2"}


def test_modules__when_kms_refused_or_did_something_else__are_left_out() -> None:
    denied = event("i-1-enc3", errorCode="AccessDenied")
    random = event("i-1-enc4", eventName="GenerateRandom")
    assert modules_in(json.dumps([ONE, denied, random])) == {"i-1-enc1"}


@pytest.mark.parametrize(
    "text",
    ["", "[]", "null", "{}", '{"Records": []}', json.dumps(UNATTESTED), "x", '{"Records": [', "[" * 100_000],
)
def test_modules__when_there_are_none__are_an_error_and_no_proof(text: str) -> None:
    with pytest.raises(NoKmsLog):
        modules_in(text)


def test_event__when_the_front_writes_one__is_read_as_cloudtrails() -> None:
    authority = DevelopmentAuthority.create(now=NOW)
    pcrs = dict.fromkeys(range(3), b"\1" * 48)
    document = authority.attester("m", now=NOW).attest(module_id="i-1-enc5", at=NOW, pcrs=pcrs)
    attested = verify(document, root=authority.fingerprint, at=NOW)
    assert modules_in(json.dumps(event_of(attested, at=NOW))) == {"i-1-enc5"}
