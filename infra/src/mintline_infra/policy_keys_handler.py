"""Compare the signing keys in the policy document with those that its issuers publish. Runs as a Lambda.

CloudFormation takes the text of this file as the function's code: 4 kB at most, nothing but boto3.
"""

import json
import os
import urllib.request
from collections.abc import Callable
from typing import Any

import boto3  # type: ignore[import-not-found] # Lambda's runtime has it; nothing here does

MEMBERS = {"RSA": ("n", "e"), "EC": ("crv", "x", "y")}
ALGORITHMS = {"RSA": "RS256", "EC": "ES256"}
MOST_BYTES = 100_000


def fetch(url: str) -> Any:
    """Return a short JSON document; whatever fails is raised, and the alarm for silence fires."""
    if not url.startswith("https://"):
        raise ValueError(f"not by TLS: {url}")
    with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - https alone, as checked
        content = answer.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise ValueError(f"more than {MOST_BYTES} bytes: {url}")
    return json.loads(content)


def lacking(policy: dict[str, Any], read: Callable[[str], Any]) -> list[str]:
    """Return the ids of published keys that the policy lacks, or under which it holds another key."""
    pool = policy["authorization"]
    found = []
    for issuer in (pool, *pool.get("other_issuers", ())):
        base = issuer["issuer"].rstrip("/")
        if issuer is pool:
            url = f"{base}/.well-known/jwks.json"
        else:
            url = read(f"{base}/.well-known/openid-configuration")["jwks_uri"]
        held = {key["kid"]: key for key in issuer["jwks"]["keys"]}
        published = [key for key in read(url)["keys"] if signs(key, rsa_alone=issuer is pool)]
        if not published:
            raise ValueError(f"no key that signs access tokens: {url}")
        for key in published:
            own = held.get(key["kid"], {})
            if any(own.get(member) != key[member] for member in ("kty", *MEMBERS[key["kty"]])):
                found.append(key["kid"])
    return found


def signs(key: Any, *, rsa_alone: bool) -> bool:
    """Tell whether access tokens may be signed by a key: RSA, of another issuer than the pool P-256 too."""
    kind = key.get("kty") if isinstance(key, dict) else None
    if kind not in MEMBERS or (rsa_alone and kind != "RSA") or not {"kid", *MEMBERS[kind]} <= set(key):
        return False
    return {key.get("use", "sig"), key.get("alg", ALGORITHMS[kind])} == {"sig", ALGORITHMS[kind]}


def handler(_event: Any, _context: Any) -> None:
    """Compare once, and log what came of it as one JSON line, and another one if keys are lacking."""
    stored = boto3.client("s3").get_object(Bucket=os.environ["BUCKET"], Key=os.environ["POLICY"])
    kids = lacking(json.loads(stored["Body"].read()), fetch)
    print(json.dumps({"event": "policy_keys_compared", "lacking": len(kids)}))  # noqa: T201 - a Lambda's log
    if kids:
        print(json.dumps({"event": "policy_keys_lacking", "kids": kids[:16]}))  # noqa: T201 - as above
