"""Access tokens: had from a deployment's token endpoint, kept until shortly before they end.

Source: RFC 6749, sections 4.4 and 6; RFC 9728 (the document that says where a deployment's tokens are had).
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import aiohttp

from mintline.errors import Rejected, Unavailable

METADATA_PATH = "/.well-known/oauth-protected-resource"
_EARLY_SECONDS = 60
"""A token is renewed this long before its end."""


@dataclass(frozen=True, slots=True)
class SignIn:
    """Where a deployment's tokens are had."""

    authorization_endpoint: str
    token_endpoint: str
    client_id: str
    """The public client by which users sign in."""
    scopes: tuple[str, ...]
    """What a user's token can be given for."""


async def discover(http: aiohttp.ClientSession, url: str) -> SignIn:
    """Return where the tokens of the API at `url` are had; raises Unavailable."""
    address = url.rstrip("/") + METADATA_PATH
    try:
        async with http.get(address) as response:
            body = await response.json(content_type=None)
            status = response.status
        if status != 200:
            raise Unavailable(f"{address} was answered {status}; is it a Mintline API?")
        return SignIn(
            authorization_endpoint=body["authorization_endpoint"],
            token_endpoint=body["token_endpoint"],
            client_id=body["client_id"],
            scopes=tuple(body["user_scopes"]),
        )
    except (aiohttp.ClientError, TimeoutError, ValueError, KeyError, TypeError) as error:
        raise Unavailable(f"no sign-in document at {address}: {error or type(error).__name__}") from None


@dataclass(frozen=True, slots=True)
class Granted:
    """What a token endpoint gave."""

    access_token: str
    expires_in: int
    """Seconds that the access token is valid."""
    refresh_token: str | None = None
    id_token: str = ""


async def grant(
    http: aiohttp.ClientSession,
    endpoint: str,
    fields: dict[str, str],
    *,
    secret: tuple[str, str] | None = None,
) -> Granted:
    """Ask a token endpoint; `secret` are a confidential client's id and secret.

    Raises Rejected for what it refuses, and Unavailable if it does not answer.
    """
    headers = {} if secret is None else {"Authorization": aiohttp.encode_basic_auth(*secret)}
    try:
        async with http.post(endpoint, data=fields, headers=headers) as response:
            text = await response.text(errors="replace")
            status = response.status
    except (aiohttp.ClientError, TimeoutError) as error:
        raise Unavailable(f"no token endpoint at {endpoint}: {error or type(error).__name__}") from None
    if status == 429 or status >= 500:
        raise Unavailable(f"the token endpoint at {endpoint} was answered {status}")
    body = _json_object(text)
    if status == 200 and body is None:
        raise Unavailable(f"no token endpoint at {endpoint}: its response is not JSON")
    if status != 200 or body is None or "access_token" not in body:
        cause = (body or {}).get("error") or status
        raise Rejected("sign_in_refused", f"the token endpoint gives no token: {cause}")
    return Granted(
        access_token=body["access_token"],
        expires_in=int(body.get("expires_in", 3600)),
        refresh_token=body.get("refresh_token"),
        id_token=body.get("id_token", ""),
    )


def _json_object(text: str) -> dict[str, Any] | None:
    """Return a response's JSON object; None if it is none: what refuses may say so in another form."""
    try:
        body = json.loads(text)
    except ValueError:
        return None
    return body if isinstance(body, dict) else None


class ClientCredentials:
    """A machine client's tokens: calls return a valid one."""

    def __init__(
        self,
        http: aiohttp.ClientSession,
        url: str,
        client_id: str,
        client_secret: str,
        *,
        token_url: str | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._http = http
        self._url = url
        self._secret = (client_id, client_secret)
        self._token_url = token_url
        self._monotonic = monotonic
        self._lock = asyncio.Lock()
        self._token = ""
        self._until = 0.0

    async def __call__(self, *, fresh: bool = False) -> str:
        """Return a valid token; raises Rejected for credentials that are refused, and Unavailable."""
        before = self._token
        async with self._lock:
            # A call that waited for another one's new token takes that.
            if self._monotonic() >= self._until or (fresh and self._token == before):
                if self._token_url is None:
                    self._token_url = (await discover(self._http, self._url)).token_endpoint
                granted = await grant(
                    self._http, self._token_url, {"grant_type": "client_credentials"}, secret=self._secret
                )
                self._token = granted.access_token
                self._until = self._monotonic() + max(granted.expires_in - _EARLY_SECONDS, 1)
            return self._token
