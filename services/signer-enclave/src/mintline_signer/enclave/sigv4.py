"""AWS Signature Version 4, for the one request that the enclave makes.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from mintline.clock import UnixSeconds


@dataclass(frozen=True, slots=True)
class AwsKey:
    """The key that signs, and where it is valid."""

    access_key_id: str = field(repr=False)
    secret: str = field(repr=False)
    token: str | None = field(repr=False)
    region: str
    service: str


def signed_headers(
    key: AwsKey, headers: Mapping[str, str], body: bytes, *, now: UnixSeconds
) -> dict[str, str]:
    """Return `headers` with those that authenticate `POST /` with `body`.

    Names are lower-case, `host` is among them; `now` is in Unix seconds.
    """
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
    complete = {**headers, "x-amz-date": stamp}
    if key.token is not None:
        complete["x-amz-security-token"] = key.token
    names = sorted(complete)
    signed = ";".join(names)
    canonical = "\n".join(
        ["POST", "/", "", *(f"{n}:{complete[n].strip()}" for n in names), "", signed, _sha256(body)]
    )
    scope = f"{stamp[:8]}/{key.region}/{key.service}/aws4_request"
    text = "\n".join(["AWS4-HMAC-SHA256", stamp, scope, _sha256(canonical.encode())])
    derived = f"AWS4{key.secret}".encode()
    for part in scope.split("/"):
        derived = _hmac(derived, part)
    signature = _hmac(derived, text).hex()
    complete["authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={key.access_key_id}/{scope}, "
        f"SignedHeaders={signed}, Signature={signature}"
    )
    return complete


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha256")
