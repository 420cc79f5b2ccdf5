"""Compare the policy document's signing keys with what its issuers publish.

CloudFormation takes this as a Lambda's code: 4 kB, boto3 alone.
"""

import base64
import json
import os
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any

import boto3  # type: ignore[import-not-found] # Lambda's runtime has it

MEMBERS = {"RSA": ("n", "e"), "EC": ("crv", "x", "y")}
ALGORITHMS = {"RSA": "RS256", "EC": "ES256"}
MOST_BYTES = 100_000
PATIENCE = 20.0
"""Seconds for all issuers: one that hangs hides no other."""
JWKS_URLS = json.loads(os.environ.get("JWKS_URLS", "{}"))
"""By issuer; others are discovered."""


class Direct(urllib.request.HTTPRedirectHandler):
    """Follows no redirect: it may lead away from TLS."""

    def redirect_request(self, *_: Any) -> None:
        """Refuse."""


def fetch(url: str) -> Any:
    """Return a short JSON document; raise what fails."""
    if not url.startswith("https://"):
        raise ValueError(f"not by TLS: {url}")
    with urllib.request.build_opener(Direct).open(url, timeout=3) as page:
        content = page.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise ValueError(f"more than {MOST_BYTES} bytes: {url}")
    return json.loads(content)


def lacking(policy: dict[str, Any], read: Callable[[str], Any]) -> tuple[list[str], list[str]]:
    """Return ids of published keys that the policy lacks or has otherwise, and what failed."""
    pool = policy["authorization"]
    threads = ThreadPoolExecutor()
    issuers = [i for i in (pool, *pool.get("other_issuers", ())) if "issuer" in i]
    runs = [threads.submit(compare, issuer, read, is_pool=issuer is pool) for issuer in issuers]
    ended, late = wait(runs, timeout=PATIENCE)
    threads.shutdown(wait=False)
    faults = ["an issuer hangs"] * len(late) + [repr(f)[:300] for run in ended if (f := run.exception())]
    return [kid for run in runs if run in ended and not run.exception() for kid in run.result()], faults


def compare(issuer: dict[str, Any], read: Callable[[str], Any], *, is_pool: bool) -> list[str]:
    """Return what `lacking` does for one issuer."""
    base = issuer["issuer"].rstrip("/")
    if is_pool:
        url = f"{base}/.well-known/jwks.json"
    else:
        url = JWKS_URLS.get(issuer["issuer"]) or read(f"{base}/.well-known/openid-configuration")["jwks_uri"]
    held = {key["kid"]: key for key in issuer["jwks"]["keys"]}
    published = [key for key in read(url)["keys"] if signs(key, rsa_alone=is_pool)]
    if not published:
        raise ValueError(f"no key that signs access tokens: {url}")
    return [
        key["kid"]
        for key in published
        if any(held.get(key["kid"], {}).get(part) != key[part] for part in ("kty", *MEMBERS[key["kty"]]))
    ]


def signs(key: Any, *, rsa_alone: bool) -> bool:
    """Tell whether the policy may hold a key: RSA, and another issuer's P-256."""
    kind = key.get("kty") if isinstance(key, dict) else None
    if kind not in MEMBERS or (rsa_alone and kind != "RSA") or not {"kid", *MEMBERS[kind]} <= set(key):
        return False
    uses = {key.get("use", "sig"), key.get("alg", ALGORITHMS[kind])}
    if uses != {"sig", ALGORITHMS[kind]} or not isinstance(key["kid"], str) or len(key["kid"]) > 256:
        return False
    if kind == "EC":
        return bool(key["crv"] == "P-256")
    modulus = int.from_bytes(base64.urlsafe_b64decode(key["n"] + "=="))
    return 2048 <= modulus.bit_length() <= 8192


def handler(_event: Any, _context: Any) -> None:
    """Compare, log JSON lines, and fail if an issuer did."""
    stored = boto3.client("s3").get_object(Bucket=os.environ["BUCKET"], Key=os.environ["POLICY"])
    kids, faults = lacking(json.load(stored["Body"]), fetch)
    if not faults:
        print(json.dumps({"event": "policy_keys_compared", "lacking": len(kids)}))  # noqa: T201 - the log
    if kids:
        print(json.dumps({"event": "policy_keys_lacking", "kids": kids[:16]}))  # noqa: T201 - as above
    if faults:
        raise RuntimeError("; ".join(faults))
