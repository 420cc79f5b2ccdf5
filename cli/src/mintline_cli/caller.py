"""Whose API a command calls, and as whom: the options that all such commands share.

A command that is decorated with `calls_api` takes a Caller and gets these options:

- `--profile`: a deployment that `mintline login` has signed in to;
- `--url` with `--token`: any deployment;
- `--state`: a local stack, whose demo user or demo client calls.

Without any of them it is the local stack, and where none runs the profile `default`.
"""

from __future__ import annotations

import os
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import aiohttp
import typer

from mintline.errors import Misconfigured
from mintline_cli.execution import execute, stop
from mintline_cli.local_users import Password, Username, signed_in
from mintline_cli.options import Json, State
from mintline_cli.output import Screen
from mintline_cli.profiles import DEFAULT, Profile, read_profiles, store_profile
from mintline_cli.shared_options import gives, shared_option
from mintline_client import AsyncMintline
from mintline_client.access import ClientCredentials, grant
from mintline_client.api import Token
from mintline_client.sign_in import demo_client_token
from mintline_ops import run_file
from mintline_ops.run_file import DEFAULT_STATE

T = TypeVar("T")
Role = Literal["user", "client"]
TOKEN_VARIABLE = "MINTLINE_TOKEN"  # noqa: S105 - a variable's name
PROFILE_VARIABLE = "MINTLINE_PROFILE"
EARLY_SECONDS = 60
REQUEST_SECONDS = 600
"""For one request: the upload of a drop's lines may take long."""

Url = Annotated[
    str | None, typer.Option("--url", "--api", help="The API of a deployment; takes --token as well.")
]
AccessToken = Annotated[
    str | None, typer.Option("--token", envvar=TOKEN_VARIABLE, help="The access token to call with.")
]
ProfileName = Annotated[
    str | None,
    typer.Option(
        "--profile", envvar=PROFILE_VARIABLE, help="A deployment that `mintline login` signed in to."
    ),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Calls an API, and shows people and programs what came of it."""

    screen: Screen
    role: Role
    url: str | None
    token: str | None
    profile: str | None
    state: Path
    username: str | None = None
    password: str | None = None

    def run(self, work: Callable[[AsyncMintline], Awaitable[T]]) -> T:
        """Work with the API; ends the command where it refuses or does not answer."""
        return execute(self._run(work))

    @property
    def named_api(self) -> str | None:
        """The option that names an API to call, as opposed to the environment; None: no option does."""
        for option, value, variable in (
            ("--url", self.url, None),
            ("--profile", self.profile, PROFILE_VARIABLE),
            ("--token", self.token, TOKEN_VARIABLE),
        ):
            if value is not None and (variable is None or value != os.environ.get(variable)):
                return option
        return None

    @property
    def calls_a_deployment(self) -> bool:
        """Whether an API is to be called, where the command could as well look at the local stack itself.

        So it is if options or the environment name one, or if no local stack runs and one has signed in.
        """
        if self.named_api is not None or self.profile is not None:
            return True
        return (
            self.state == DEFAULT_STATE
            and run_file.running(self.state) is None
            and DEFAULT in read_profiles()
        )

    async def _run(self, work: Callable[[AsyncMintline], Awaitable[T]]) -> T:
        async with AsyncExitStack() as stack:
            http = await stack.enter_async_context(aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(30)))
            url, token = await self._place(http)
            client = AsyncMintline(url, token=token, timeout=REQUEST_SECONDS)
            return await work(await stack.enter_async_context(client))

    async def _place(self, http: aiohttp.ClientSession) -> tuple[str, str | Token]:
        if self.url is not None:
            if self.token is None:
                stop("--url takes --token, or the token in MINTLINE_TOKEN; or sign in by `mintline login`")
            return self.url, self.token
        if self.profile is not None:
            return self._of_profile(http, self.profile)
        running = run_file.running(self.state)
        if running is not None:
            return running["api_url"], self.token or await self._local_token(http, running)
        if self.state != DEFAULT_STATE or DEFAULT not in read_profiles():
            stop(
                f"no local stack runs from {self.state}; start one with `make up`, or sign in to another one "
                "with `mintline login --url URL`"
            )
        return self._of_profile(http, DEFAULT)

    def _of_profile(self, http: aiohttp.ClientSession, name: str) -> tuple[str, str | Token]:
        profile = read_profiles().get(name)
        if profile is None:
            raise Misconfigured(
                f"no profile {name!r}; make it with `mintline login --url URL --profile {name}`"
            )
        self.screen.note(f"profile {name}: {profile.url}")
        if self.token is not None:
            return profile.url, self.token
        return profile.url, token_of(http, name, profile)

    async def _local_token(self, http: aiohttp.ClientSession, info: dict[str, Any]) -> str:
        if self.role == "client":
            return (await demo_client_token(http, info)).access_token
        return (await signed_in(http, info, self.username, self.password)).access_token


def token_of(http: aiohttp.ClientSession, name: str, profile: Profile) -> Token:
    """Return what gets a profile's access tokens; a user's are kept in the profile while they are valid."""
    if profile.client_secret is not None:
        return ClientCredentials(
            http, profile.url, profile.client_id, profile.client_secret, token_url=profile.token_endpoint
        )
    current = profile

    async def token(*, fresh: bool) -> str:
        nonlocal current
        if fresh or time.time() > current.expires_at - EARLY_SECONDS:
            if current.refresh_token is None:
                raise Misconfigured(f"the sign-in of profile {name} has ended: run `mintline login` again")
            fields = {
                "grant_type": "refresh_token",
                "client_id": current.client_id,
                "refresh_token": current.refresh_token,
            }
            granted = await grant(http, current.token_endpoint, fields)
            current = Profile.model_validate(
                current.model_dump()
                | {
                    "access_token": granted.access_token,
                    "expires_at": time.time() + granted.expires_in,
                    "refresh_token": granted.refresh_token or current.refresh_token,
                }
            )
            store_profile(name, current)
        return current.access_token

    return token


def calls_api(role: Role) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command, whose first parameter is the Caller, the options that say which API it calls.

    `role` says who calls the local stack's: its demo user, or its demo client.
    """

    def make(*, as_json: bool, **given: Any) -> Caller:
        return Caller(screen=Screen(as_json=as_json), role=role, **given)

    return gives(make, [*_SHARED, *(_OF_USERS if role == "user" else ())], beginning=_PREFIX)


_PREFIX = "caller_"
"""Begins the names of the shared parameters, so that a command may have a `url` of its own."""
_SHARED = (
    shared_option(f"{_PREFIX}url", Url, None),
    shared_option(f"{_PREFIX}token", AccessToken, None),
    shared_option(f"{_PREFIX}profile", ProfileName, None),
    shared_option(f"{_PREFIX}state", State, DEFAULT_STATE),
    shared_option(f"{_PREFIX}as_json", Json, False),  # noqa: FBT003 - an option's default
)
_OF_USERS = (
    shared_option(f"{_PREFIX}username", Username, None),
    shared_option(f"{_PREFIX}password", Password, None),
)
