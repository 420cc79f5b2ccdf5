"""Whose wallets a `mintline wallets` command is about, by its options."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import typer
from botocore.exceptions import BotoCoreError, ClientError

from mintline.aws.errors import AwsRefused
from mintline.errors import Misconfigured
from mintline_cli.execution import execute, stop
from mintline_cli.options import (
    REGION,
    EndpointUrl,
    Json,
    Prefix,
    Region,
    State,
    deployment,
    local_stack_info,
)
from mintline_cli.output import Screen
from mintline_cli.shared_options import gives, shared_option
from mintline_ops.run_file import DEFAULT_STATE
from mintline_ops.wallets.custody import Custody, custody_of_deployment, custody_of_local_stack
from mintline_signer import addresses

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class WalletsTarget:
    """Whose wallets a command is about: those of the local stack, or of the deployment with a prefix."""

    prefix: str | None
    region: str
    endpoint_url: str | None
    state: Path
    screen: Screen

    def execute(self, work: Callable[[Custody], Awaitable[T]]) -> T:
        """Work in the custody; ends the command where AWS refuses a request for good."""
        if self.prefix is None:
            opening = custody_of_local_stack(local_stack_info(self.state))
        else:
            opening = custody_of_deployment(deployment(self.prefix, self.region, self.endpoint_url))
        return execute(_working(opening, work))

    def enclave(self, address: str | None, audit: Path | None) -> tuple[addresses.Address, Path]:
        """Return where enclave and audit trail are; ends the command if a deployment's are not named."""
        if self.prefix is None:
            info = local_stack_info(self.state)
            address, audit = info["enclave_address"], Path(info["state_dir"]) / "audit"
        if address is None or audit is None:
            stop("--prefix takes --enclave and --audit")
        try:
            return addresses.parse(address), audit
        except ValueError as error:
            raise typer.BadParameter(str(error), param_hint="--enclave") from None

    def chain(self, chain_id: int | None) -> int:
        """Return the chain whose wallet is meant; ends the command when a deployment's is not named."""
        if self.prefix is None:
            own: int = local_stack_info(self.state)["chain_id"]
            return own
        if chain_id is None:
            stop("--prefix takes --chain-id")
        return chain_id


async def _working(
    opening: AbstractAsyncContextManager[Custody], work: Callable[[Custody], Awaitable[T]]
) -> T:
    """Do the work in a custody; raises Misconfigured where AWS refuses a request for good."""
    try:
        async with opening as custody:
            return await work(custody)
    except (AwsRefused, BotoCoreError, ClientError) as error:
        raise Misconfigured(f"AWS refused: {error}") from None


def _target(*, as_json: bool, **given: Any) -> WalletsTarget:
    return WalletsTarget(screen=Screen(as_json=as_json), **given)


on_wallets = gives(
    _target,
    (
        shared_option("prefix", Prefix, None),
        shared_option("region", Region, REGION),
        shared_option("endpoint_url", EndpointUrl, None),
        shared_option("state", State, DEFAULT_STATE),
        shared_option("as_json", Json, False),  # noqa: FBT003 - an option's default
    ),
)
"""Gives a command, whose first parameter is the WalletsTarget, the options that name it."""
