"""The signing keys that issuers publish."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import aiohttp
from pydantic import TypeAdapter, ValidationError

from mintline.access_tokens.keys import Jwk
from mintline.errors import Misconfigured, Unavailable
from mintline.http_bodies import read_at_most
from mintline.oidc_issuers import AnyJwk

_TIMEOUT = aiohttp.ClientTimeout(total=20)
_MOST_BYTES = 100_000
"""Of what an issuer publishes: two keys take less than one kilobyte."""
_ANY_JWK: TypeAdapter[AnyJwk] = TypeAdapter(AnyJwk)


async def read_jwks(url: str) -> dict[str, Any]:
    """Return the keys that an issuer publishes; raises Unavailable, and Misconfigured if they are none."""
    document = await read_json(url, hint="is the user pool's id right, or the jwks_url?")
    keys = document.get("keys") if isinstance(document, dict) else None
    if keys is None:
        raise Misconfigured(f"{url}: no JSON Web Key Set")
    return {"keys": keys}


async def read_json(url: str, *, hint: str) -> Any:
    """Return a short document that an issuer publishes, None if it is no JSON.

    Raises Unavailable, and Misconfigured, with the `hint`, for another status than 200. Redirects are not
    followed: they may lead away from TLS.
    """
    try:
        async with (
            aiohttp.ClientSession(timeout=_TIMEOUT) as http,
            http.get(url, allow_redirects=False) as response,
        ):
            if 300 <= response.status < 400:
                raise Misconfigured(f"{url}: status {response.status}: redirects are not followed: {hint}")
            if response.status != 200:
                raise Misconfigured(f"{url}: status {response.status}: {hint}")
            content = await read_at_most(response.content, _MOST_BYTES)
    except (aiohttp.ClientError, TimeoutError) as error:
        raise Unavailable(f"{url}: {error or type(error).__name__}") from None
    if content is None:
        raise Misconfigured(f"{url}: more than {_MOST_BYTES} bytes: no issuer publishes that much")
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return None


def usable_keys(jwks: Mapping[str, Any], url: str, *, rsa_alone: bool) -> dict[str, AnyJwk]:
    """Return the keys, by id, by which access tokens can be signed: RSA, and P-256 unless `rsa_alone`.

    Raises Misconfigured if there is none.
    """
    keys: dict[str, AnyJwk] = {}
    for jwk in jwks["keys"] if isinstance(jwks["keys"], list) else ():
        try:
            key = _ANY_JWK.validate_python(jwk)
            key.key()
        except (ValidationError, ValueError):
            continue
        if isinstance(key, Jwk) or not rsa_alone:
            keys[key.kid] = key
    if not keys:
        raise Misconfigured(f"{url}: no key that signs access tokens")
    return keys
