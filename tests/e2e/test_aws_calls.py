"""What services call of DynamoDB, SQS, S3, Secrets Manager and Cognito is allowed to their roles.

Those of two mints: KMS is called beside the recorder, and STS by nothing that a mint takes.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest

from mintline_bench.users import sign_in_new
from mintline_devstack.ports import Ports
from mintline_devstack.principals import ROLES, role_arn
from mintline_devstack.running_stack import Stack, running_stack
from mintline_harness.aws_calls import AwsCall, AwsCallRecorder, allowed
from mintline_harness.chaos.proxy import Reached
from tests.e2e.conftest import User

pytestmark = pytest.mark.e2e

GRANTS = Path(__file__).resolve().parents[2] / "infra/tests/grants.json"
"""The roles' statements; `make infra` compares them with those that it synthesizes."""
OWN = {"operator": None, "enclave": None, "signer-host": "signer"}
"""Roles of the local stack by their names on AWS; None: no service runs under it there."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """A pipeline whose calls are noted, and one of its users."""

    recorder: AwsCallRecorder
    user: User
    stack: Stack
    state: Path

    def by_service(self) -> dict[str, set[AwsCall]]:
        """Return the calls by the service that made them; each was signed by a role that is known."""
        known = json.loads((self.state / "kms/principals.json").read_text())
        roles = {role_arn(role): OWN.get(role, role) for role in ROLES}
        named = {key: roles[entry["arn"]] for key, entry in known.items()}
        strangers = {key: calls for key, calls in self.recorder.calls.items() if key not in named}
        assert strangers == {}
        return {role: calls for key, calls in self.recorder.calls.items() if (role := named[key])}


@pytest.fixture
async def recorded(tmp_path: Path) -> AsyncIterator[Recorded]:
    async with AsyncExitStack() as stack:
        recorders: list[AwsCallRecorder] = []

        async def through(ports: Ports) -> Reached:
            made = AwsCallRecorder(ports.url("ministack"), prefix="mintline")
            recorders.append(await stack.enter_async_context(made))
            return Reached(ports, {"ministack": made})

        line = await stack.enter_async_context(running_stack(tmp_path, ports="free", through=through))
        session = await stack.enter_async_context(aiohttp.ClientSession())
        (token,) = await sign_in_new(line.info, count=1)
        yield Recorded(recorders[0], User(session, line.info["api_url"], token), line, tmp_path)


async def test_calls__when_a_users_mint_and_a_sponsored_one_end__then_the_roles_allow_each(
    recorded: Recorded,
) -> None:
    user = recorded.user
    minted = await user.mint("paid by the wallet")
    await user.until(minted["mint_id"], "finalized")
    sponsored = await user.mint("paid by a relayer", custody="sponsored")
    await user.until(sponsored["mint_id"], "finalized")

    grants = json.loads(GRANTS.read_text())
    made = recorded.by_service()
    refused = {
        service: sorted(call for call in calls if not allowed(grants[service], call))
        for service, calls in made.items()
    }
    assert {service: calls for service, calls in refused.items() if calls} == {}
    assert {"api", "builder", "signer", "broadcaster", "indexer", "notifier"} <= set(made)
    read = {call.resource for call in made["notifier"] if call.action == "dynamodb:GetRecords"}
    assert {"table/mints/stream/TIME", "table/transactions/stream/TIME"} <= read
    assert AwsCall("dynamodb:GetItem", "table/wrapped-keys") not in made["api"]
    assert not allowed(grants["builder"], AwsCall("sqs:ReceiveMessage", "sign.fifo"))
