"""Whose machine clients a command is about: the options that say so, and how they are reached."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from botocore.exceptions import BotoCoreError, ClientError

from mintline.aws.errors import AwsRefused
from mintline.errors import Misconfigured
from mintline_cli.caller import AccessToken, Caller, ProfileName, Url
from mintline_cli.client_administration import (
    ClientAdministration,
    ClientsByAws,
    ClientsOverApi,
    ClientUnknown,
)
from mintline_cli.execution import ending_on_errors, execute, stop
from mintline_cli.options import REGION, EndpointUrl, Json, Prefix, Region, State, local_stack_info, target_of
from mintline_cli.output import Screen
from mintline_cli.shared_options import gives, shared_option
from mintline_ops.clients import open_registry
from mintline_ops.run_file import DEFAULT_STATE

T = TypeVar("T")

UserPool = Annotated[
    str | None, typer.Option("--user-pool", help="With --prefix: the id of the deployment's user pool.")
]


@dataclass(frozen=True, slots=True)
class ClientsTarget:
    """Whose clients a command is about, and how it reaches them: over an API, or with AWS rights."""

    caller: Caller
    prefix: str | None
    user_pool: str | None
    region: str
    endpoint_url: str | None

    @property
    def screen(self) -> Screen:
        """Where the command shows what came of it."""
        return self.caller.screen

    def execute(self, work: Callable[[ClientAdministration], Awaitable[T]]) -> T:
        """Work on the clients; ends the command where the API or AWS refuses."""

        async def of_known(clients: ClientAdministration) -> T:
            try:
                return await work(clients)
            except ClientUnknown as error:
                stop(f"{error.reason}; `mintline clients list` shows all")

        with ending_on_errors():
            over_api = self._over_api()
        if over_api:
            return self.caller.run(lambda mintline: of_known(ClientsOverApi(mintline)))
        return execute(self._by_aws(of_known))

    def _over_api(self) -> bool:
        named = self.caller.named_api
        if self.prefix is not None:
            if named is not None:
                raise typer.BadParameter(
                    f"{named} calls the API, and --prefix uses AWS rights: pass one of them"
                )
            return False
        if not self.caller.calls_a_deployment:
            return False
        of_aws = {
            "--user-pool": self.user_pool is not None,
            "--endpoint-url": self.endpoint_url is not None,
            "--region": self.region != REGION,
        }
        for option in (option for option, given in of_aws.items() if given):
            raise typer.BadParameter(
                f"{option} is for AWS rights, with --prefix: leave it out to call the API"
            )
        return True

    async def _by_aws(self, work: Callable[[ClientAdministration], Awaitable[T]]) -> T:
        target = target_of(self.caller.state, self.prefix, self.region, self.endpoint_url, None)
        pool = self.user_pool
        if self.prefix is None:
            pool = local_stack_info(self.caller.state)["cognito"]["user_pool_id"]
        elif pool is None:
            stop("--prefix takes --user-pool; where there is no pool, make clients at their own issuer")
        assert pool is not None
        try:
            async with open_registry(target, user_pool_id=pool) as registry:
                return await work(ClientsByAws(registry))
        except (AwsRefused, BotoCoreError, ClientError) as error:
            raise Misconfigured(f"AWS refused: {error}") from None


def _target(
    *,
    url: str | None,
    token: str | None,
    profile: str | None,
    state: Path,
    as_json: bool,
    **of_aws: Any,
) -> ClientsTarget:
    caller = Caller(
        screen=Screen(as_json=as_json), role="client", url=url, token=token, profile=profile, state=state
    )
    return ClientsTarget(caller, **of_aws)


on_clients = gives(
    _target,
    (
        shared_option("url", Url, None),
        shared_option("token", AccessToken, None),
        shared_option("profile", ProfileName, None),
        shared_option("prefix", Prefix, None),
        shared_option("user_pool", UserPool, None),
        shared_option("region", Region, REGION),
        shared_option("endpoint_url", EndpointUrl, None),
        shared_option("state", State, DEFAULT_STATE),
        shared_option("as_json", Json, False),  # noqa: FBT003 - an option's default
    ),
)
"""Gives a command, whose first parameter is the ClientsTarget, the options that name it."""
