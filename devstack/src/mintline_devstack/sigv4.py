"""Check AWS Signature Version 4 on an incoming request.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

ALGORITHM = "AWS4-HMAC-SHA256"
SKEW = 300.0
"""Seconds that a signature's date may be away from now, as on AWS."""

_AUTHORIZATION = re.compile(
    rf"{ALGORITHM} Credential=([^/,\s]+)/(\d{{8}})/([^/,\s]+)/([^/,\s]+)/aws4_request,\s*"
    r"SignedHeaders=([^,\s]+),\s*Signature=([0-9a-f]{64})"
)


class SignatureRefused(Exception):  # noqa: N818 - named as AWS names the fact
    """The request is not signed, or not by who it says; `code` is AWS's name for the fault."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """An HTTP request to a JSON service, whose path is `/` and whose query is empty."""

    method: str
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes


@dataclass(frozen=True, slots=True)
class Authorization:
    """The parts of an `Authorization` header."""

    access_key_id: str
    date: str
    region: str
    service: str
    signed_headers: tuple[str, ...]
    signature: str


def parse_authorization(header: str | None) -> Authorization:
    """Take an `Authorization` header apart; raises SignatureRefused."""
    if not header:
        raise SignatureRefused(
            "MissingAuthenticationTokenException", "Request is missing Authentication Token"
        )
    # Bytes that are no UTF-8 come as lone surrogates, which cannot be hashed.
    match = _AUTHORIZATION.fullmatch(header) if header.isascii() else None
    if match is None:
        raise SignatureRefused("IncompleteSignatureException", "Authorization header is not AWS SigV4")
    access_key_id, date, region, service, signed_headers, signature = match.groups()
    return Authorization(access_key_id, date, region, service, tuple(signed_headers.split(";")), signature)


def verify(request: SignedRequest, secrets: Mapping[str, str], *, service: str, now: float) -> str:
    """Return the access key id that signed `request`; raises SignatureRefused.

    `secrets` maps access key ids to secrets; `now` is in Unix seconds. Host and date must be signed, and the
    body always is: its digest is computed here, never taken from a header.
    """
    given = parse_authorization(request.headers.get("authorization"))
    secret = secrets.get(given.access_key_id)
    if secret is None:
        raise SignatureRefused(
            "UnrecognizedClientException", "The security token included in the request is invalid."
        )
    if given.service != service:
        raise SignatureRefused("InvalidSignatureException", f"Credential should be scoped to {service}.")
    if not {"host", "x-amz-date"} <= set(given.signed_headers):
        raise SignatureRefused("InvalidSignatureException", "host and x-amz-date must be signed.")
    stamp = request.headers.get("x-amz-date", "")
    _check_date(stamp, given.date, now)
    if not hmac.compare_digest(_signature(request, given, secret, stamp), given.signature):
        raise SignatureRefused(
            "InvalidSignatureException",
            "The request signature we calculated does not match the signature you provided.",
        )
    return given.access_key_id


def _check_date(stamp: str, scope_date: str, now: float) -> None:
    try:
        signed_at = datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()
    except ValueError:
        raise SignatureRefused("InvalidSignatureException", "x-amz-date is not a date.") from None
    if stamp[:8] != scope_date or abs(now - signed_at) > SKEW:
        raise SignatureRefused("InvalidSignatureException", f"Signature expired: {stamp}")


def _signature(request: SignedRequest, given: Authorization, secret: str, stamp: str) -> str:
    headers = "".join(
        f"{name}:{' '.join(request.headers.get(name, '').split())}\n" for name in given.signed_headers
    )
    canonical = "\n".join(
        (
            request.method,
            "/",
            "",
            headers,
            ";".join(given.signed_headers),
            hashlib.sha256(request.body).hexdigest(),
        )
    ).encode(errors="surrogateescape")
    scope = f"{given.date}/{given.region}/{given.service}/aws4_request"
    to_sign = "\n".join((ALGORITHM, stamp, scope, hashlib.sha256(canonical).hexdigest()))
    key = f"AWS4{secret}".encode()
    for part in (given.date, given.region, given.service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.new(key, to_sign.encode(), "sha256").hexdigest()
