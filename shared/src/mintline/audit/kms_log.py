"""Which enclaves asked KMS for keys, by KMS's own account: what an audit trail must have a life for.

A host can delete what it stored, but not what CloudTrail holds: KMS puts the module id of each attestation
document on record. An enclave that never asked KMS has no keys, and so signed nothing.
https://docs.aws.amazon.com/kms/latest/developerguide/ct-nitro-enclave.html
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from mintline.attestation.document import Document

_DECRYPT = "Decrypt"


class NoKmsLog(ValueError):  # noqa: N818 - named for what was found
    """A file holds no request that an enclave made to KMS."""


def event_of(attested: Document, *, at: datetime) -> dict[str, Any]:
    """Return, as far as it is read here, CloudTrail's event of a key that was decrypted for an enclave."""
    return {
        "eventTime": at.astimezone(UTC).isoformat(timespec="seconds"),
        "eventSource": "kms.amazonaws.com",
        "eventName": _DECRYPT,
        "additionalEventData": {
            "recipient": {
                "attestationDocumentModuleId": attested.module_id,
                "attestationDocumentEnclaveImageDigest": attested.pcrs[0].hex(),
            }
        },
    }


def modules_in(text: str) -> set[str]:
    """Return the module ids of the enclaves that KMS decrypted a key for; raises NoKmsLog if there is none.

    `text` is one JSON text or several behind each other: CloudTrail's files (`Records`), what
    `aws cloudtrail lookup-events` prints (`Events`), or events by themselves.
    """
    modules: set[str] = set()
    try:
        for value in _values(text):
            modules.update(_modules(value))
    except (json.JSONDecodeError, RecursionError):
        raise NoKmsLog("it is not JSON") from None
    if not modules:
        raise NoKmsLog("it holds no Decrypt of KMS's for an enclave")
    return modules


def _values(text: str) -> Iterator[Any]:
    decoder = json.JSONDecoder()
    rest = text.lstrip()
    at = 0
    while at < len(rest):
        value, at = decoder.raw_decode(rest, at)
        yield value
        while at < len(rest) and rest[at].isspace():
            at += 1


def _modules(value: Any) -> Iterator[str]:
    match value:
        case list():
            for item in value:
                yield from _modules(item)
        case {"Records": list() as events} | {"Events": list() as events}:
            yield from _modules(events)
        case {"CloudTrailEvent": str() as event}:
            yield from _modules(json.loads(event))
        case {
            "eventName": "Decrypt",
            "additionalEventData": {"recipient": {"attestationDocumentModuleId": str() as module_id}},
        } if "errorCode" not in value:
            yield module_id
