"""Sign-in as a browser does it: the OAuth authorization code flow with PKCE, through the pool's login page.

Source: RFC 6749, section 4.1; RFC 7636; "The authorize endpoint", "The token endpoint" in Amazon Cognito's
developer guide. Direct sign-in (`InitiateAuth`) is off, since its tokens administer the user's account.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Any
from urllib.parse import parse_qs, urljoin, urlsplit

import aiohttp

from mintline.errors import Rejected, Unavailable


@dataclass(frozen=True, slots=True)
class Tokens:
    """What the token endpoint gives for a code."""

    access_token: str
    id_token: str
    expires_in: int
    """Seconds that the access token is valid."""


async def sign_in(
    http: aiohttp.ClientSession, info: Mapping[str, Any], *, username: str, password: str
) -> Tokens:
    """Sign a user in at the stack that `info`, its run file, describes; raises Rejected or Unavailable."""
    url: str = info["sign_in_url"]
    try:
        return await _sign_in(http, url, info["cognito"], username, password)
    except (aiohttp.ClientError, TimeoutError) as error:
        raise Unavailable(f"no sign-in at {url}: {error or type(error).__name__}") from None


async def _sign_in(
    http: aiohttp.ClientSession, url: str, pool: Mapping[str, Any], username: str, password: str
) -> Tokens:
    client = {"client_id": pool["client_id"], "redirect_uri": pool["redirect_uri"]}
    verifier, state = secrets.token_urlsafe(48), secrets.token_urlsafe(16)
    query = {
        **client,
        "response_type": "code",
        "scope": " ".join(pool["scopes"]),
        "state": state,
        "code_challenge": code_challenge(verifier),
        "code_challenge_method": "S256",
    }
    async with http.get(f"{url}/oauth2/authorize", params=query, allow_redirects=False) as page:
        form = login_form(await page.text())
        if page.status != 200 or form is None:
            raise Rejected("sign_in_refused", "the user pool shows no login page; was its client changed?")
        address = urljoin(str(page.url), form.action)
    filled = {**form.fields, "username": username, "password": password}
    async with http.post(address, data=filled, allow_redirects=False) as response:
        location = response.headers.get("Location", "")
    returned = {name: values[0] for name, values in parse_qs(urlsplit(location).query).items()}
    if response.status != 302 or "code" not in returned or returned.get("state") != state:
        raise Rejected("sign_in_refused", f"the user pool does not accept {username!r} with this password")
    exchanged = {
        **client,
        "grant_type": "authorization_code",
        "code": returned["code"],
        "code_verifier": verifier,
    }
    async with http.post(f"{url}/oauth2/token", data=exchanged) as response:
        body = await response.json(content_type=None)
    if response.status != 200:
        raise Rejected("sign_in_refused", f"the user pool gives no token: {body.get('error')}")
    return Tokens(body["access_token"], body.get("id_token", ""), body["expires_in"])


async def client_token(
    http: aiohttp.ClientSession, info: Mapping[str, Any], *, client_id: str, secret: str
) -> Tokens:
    """Get a machine client's token by the client-credentials grant (RFC 6749, section 4.4).

    `info` is the run file of the local stack. Raises Rejected or Unavailable.
    """
    url = f"{info['sign_in_url']}/oauth2/token"
    try:
        async with http.post(
            url,
            data={"grant_type": "client_credentials"},
            headers={"Authorization": aiohttp.encode_basic_auth(client_id, secret)},
        ) as response:
            body = await response.json(content_type=None)
    except (aiohttp.ClientError, TimeoutError) as error:
        raise Unavailable(f"no token endpoint at {url}: {error or type(error).__name__}") from None
    if response.status != 200:
        raise Rejected(
            "sign_in_refused", f"the user pool gives client {client_id} no token: {body.get('error')}"
        )
    return Tokens(body["access_token"], "", body["expires_in"])


async def demo_client_token(http: aiohttp.ClientSession, info: Mapping[str, Any]) -> Tokens:
    """Get a token of the local stack's own machine client, as `client_token` does."""
    demo = info["demo_client"]
    return await client_token(http, info, client_id=demo["client_id"], secret=demo["client_secret"])


def code_challenge(verifier: str) -> str:
    """Return the S256 challenge of a code verifier (RFC 7636, section 4.2)."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


class LoginForm(HTMLParser):
    """The first form of a page that takes a password: where it is posted, and its hidden fields."""

    def __init__(self) -> None:
        super().__init__()
        self.action = ""
        self.fields: dict[str, str] = {}
        self.takes_password = False
        self.done = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a form and its fields, until one of them took the password."""
        given = {name: value or "" for name, value in attrs}
        if tag == "form" and self.takes_password:
            self.done = True
        if self.done:
            return
        if tag == "form":
            self.action, self.fields = given.get("action", ""), {}
        elif tag == "input" and given.get("type") == "hidden":
            self.fields[given.get("name", "")] = given.get("value", "")
        elif tag == "input" and given.get("type") == "password":
            self.takes_password = True


def login_form(page: str) -> LoginForm | None:
    """Return the page's login form, or None."""
    form = LoginForm()
    form.feed(page)
    return form if form.takes_password else None
