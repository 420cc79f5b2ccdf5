"""`mintline login` and `mintline logout`: sign in to a deployment, and keep the sign-in as a profile.

A user signs in by the authorization code flow with PKCE in a browser, which comes back to this machine
(RFC 6749, section 4.1; RFC 7636; RFC 8252, section 7.3). A machine client is known by its id and secret.
"""

from __future__ import annotations

import asyncio
import secrets
import time
import webbrowser
from collections.abc import Mapping
from typing import Annotated
from urllib.parse import quote, urlencode

import aiohttp
import typer
from aiohttp import web

from mintline.errors import Rejected, Unavailable
from mintline_cli.execution import ending_on_errors, execute, stop
from mintline_cli.options import Json
from mintline_cli.output import Screen
from mintline_cli.profiles import DEFAULT, Profile, profiles_path, read_profiles, store_profile
from mintline_client.access import SignIn, discover, grant
from mintline_client.sign_in import code_challenge

PORT = 8400
PATH = "/signed-in"
"""With the port, the address that deployments let the login page return to (`sign_in_callbacks`)."""
PATIENCE = 300.0
"""Seconds within which a user signs in."""
SIGNED_IN = "<!doctype html><title>Mintline</title><p>You are signed in. You can close this page."

Name = Annotated[str, typer.Option("--profile", envvar="MINTLINE_PROFILE", help="What to call this sign-in.")]


def login(
    *,
    url: Annotated[str, typer.Option(help="The API of the deployment.")],
    profile: Name = DEFAULT,
    client_id: Annotated[
        str | None, typer.Option(help="Sign in as this machine client, not as a user.")
    ] = None,
    client_secret: Annotated[
        str | None,
        typer.Option(envvar="MINTLINE_CLIENT_SECRET", help="Its secret; asked for if it is missing."),
    ] = None,
    browser: Annotated[bool, typer.Option(help="Open the login page in a browser.")] = True,
    as_json: Json = False,
) -> None:
    """Sign in to a deployment, as a user or as a machine client.

    Example: mintline login --url https://api.example.com --profile shop
    """
    screen = Screen(as_json=as_json)
    if client_id is not None and client_secret is None:
        client_secret = str(typer.prompt("Client secret", hide_input=True, err=True))
    stored = execute(
        _as_client(url, client_id, client_secret)
        if client_id is not None and client_secret is not None
        else _as_user(url, screen, browser=browser)
    )
    with ending_on_errors():
        store_profile(profile, stored)
    kind = "a user" if client_id is None else f"client {client_id}"
    screen.say(f"signed in to {stored.url} as {kind}; commands take --profile {profile}")
    screen.result({"profile": profile, "url": stored.url, "client_id": client_id})


def logout(*, profile: Name = DEFAULT, as_json: Json = False) -> None:
    """Forget a sign-in.

    Example: mintline logout --profile shop
    """
    screen = Screen(as_json=as_json)
    with ending_on_errors():
        known = profile in read_profiles()
        if not known:
            stop(f"no profile {profile!r} in {profiles_path()}")
        store_profile(profile, None)
    screen.say(f"forgot {profile}")
    screen.result({"profile": profile})


def profiles(*, as_json: Json = False) -> None:
    """List the deployments that are signed in to.

    Example: mintline profiles
    """
    screen = Screen(as_json=as_json)
    with ending_on_errors():
        known = read_profiles()
    rows = [
        {"profile": name, "url": each.url, "kind": "user" if each.client_secret is None else "client"}
        for name, each in sorted(known.items())
    ]
    screen.table(
        ("Profile", "URL", "Signed in as"),
        [(row["profile"], row["url"], row["kind"]) for row in rows],
        empty="there are no profiles; sign in with `mintline login --url URL`",
    )
    screen.result({"profiles": rows})


async def _as_client(url: str, client_id: str, client_secret: str) -> Profile:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(30)) as http:
        sign_in = await discover(http, url)
        fields = {"grant_type": "client_credentials"}
        await grant(http, sign_in.token_endpoint, fields, secret=(client_id, client_secret))
    return Profile(
        url=url.rstrip("/"),
        token_endpoint=sign_in.token_endpoint,
        client_id=client_id,
        client_secret=client_secret,
    )


async def _as_user(url: str, screen: Screen, *, browser: bool) -> Profile:
    verifier = secrets.token_urlsafe(48)
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(30)) as http:
        sign_in = await discover(http, url)
        code = await _code(sign_in, verifier, screen, browser=browser)
        fields = {
            "grant_type": "authorization_code",
            "client_id": sign_in.client_id,
            "redirect_uri": _redirect_uri(),
            "code": code,
            "code_verifier": verifier,
        }
        granted = await grant(http, sign_in.token_endpoint, fields)
    return Profile(
        url=url.rstrip("/"),
        token_endpoint=sign_in.token_endpoint,
        client_id=sign_in.client_id,
        refresh_token=granted.refresh_token,
        access_token=granted.access_token,
        expires_at=time.time() + granted.expires_in,
    )


def _redirect_uri() -> str:
    return f"http://localhost:{PORT}{PATH}"


def with_query(endpoint: str, query: Mapping[str, str]) -> str:
    """Return an endpoint with a query, behind the one that it may have already (RFC 6749, 3.1)."""
    return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(query, quote_via=quote)}"


async def _code(sign_in: SignIn, verifier: str, screen: Screen, *, browser: bool) -> str:
    """Show the login page in the user's browser, and return the code with which it comes back."""
    state = secrets.token_urlsafe(16)
    pending: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def signed_in(request: web.Request) -> web.Response:
        # A request without the state does not come from our login page.
        if not secrets.compare_digest(request.query.get("state", ""), state):
            return web.Response(status=400, text="This page was not asked for.")
        if not pending.done():
            if "code" in request.query:
                pending.set_result(request.query["code"])
            else:
                cause = request.query.get("error_description") or request.query.get("error", "no code")
                pending.set_exception(Rejected("sign_in_refused", cause))
        return web.Response(text=SIGNED_IN, content_type="text/html")

    app = web.Application()
    app.router.add_get(PATH, signed_in)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, "localhost", PORT).start()
        except OSError as error:
            raise Unavailable(f"port {PORT}, to which the login page returns: {error.strerror}") from None
        query = {
            "response_type": "code",
            "client_id": sign_in.client_id,
            "redirect_uri": _redirect_uri(),
            "scope": " ".join(sign_in.scopes),
            "state": state,
            "code_challenge": code_challenge(verifier),
            "code_challenge_method": "S256",
        }
        address = with_query(sign_in.authorization_endpoint, query)
        screen.note(f"sign in at {address}")
        if browser:
            await asyncio.to_thread(webbrowser.open, address)
        async with asyncio.timeout(PATIENCE):
            return await pending
    except TimeoutError:
        raise Unavailable(f"nobody signed in within {PATIENCE:.0f} s") from None
    finally:
        await runner.cleanup()
