"""What services call of DynamoDB, SQS, S3, Secrets Manager and Cognito is allowed to their roles.

Those of two mints. What they call of KMS is in the file that is compared here, by which `make infra` judges
the keys' policies. STS is called by nothing that a mint takes.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest

from mintline_bench.users import sign_in_new
from mintline_harness.aws_calls import AwsCall, allowed
from tests.e2e.conftest import User
from tests.e2e.recording import GRANTS, KMS_CALLS, Recorded, read_kms, recorded_stack, refused

pytestmark = pytest.mark.e2e


@dataclass(frozen=True, slots=True)
class Minting:
    """A pipeline whose calls are noted, and one of its users."""

    recorded: Recorded
    user: User


@pytest.fixture
async def minting(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Minting]:
    into = request.config.getoption("--grants")
    async with recorded_stack(tmp_path, into=into) as recorded, aiohttp.ClientSession() as session:
        (token,) = await sign_in_new(recorded.stack.info, count=1)
        yield Minting(recorded, User(session, recorded.stack.info["api_url"], token))


async def test_calls__when_a_users_mint_and_a_sponsored_one_end__then_the_roles_allow_each(
    request: pytest.FixtureRequest, minting: Minting
) -> None:
    user = minting.user
    minted = await user.mint("paid by the wallet")
    await user.until(minted["mint_id"], "finalized")
    sponsored = await user.mint("paid by a relayer", custody="sponsored")
    await user.until(sponsored["mint_id"], "finalized")

    grants = json.loads(GRANTS.read_text())
    recorded = minting.recorded.by_service()
    assert refused(grants, recorded) == {}
    assert {"api", "builder", "signer", "broadcaster", "indexer", "notifier"} <= set(recorded)
    of_kms = minting.recorded.of_kms()
    assert of_kms.keys() == {"api", "signer"}
    if request.config.getoption("--grants") is None:
        known = read_kms(json.loads(GRANTS.with_name(KMS_CALLS).read_text()))
        unknown = {service: calls - known[service] for service, calls in of_kms.items()}
        assert not any(unknown.values()), f"record again: {unknown}"
    read = {call.resource for call in recorded["notifier"] if call.action == "dynamodb:GetRecords"}
    assert {"table/mints/stream/TIME", "table/transactions/stream/TIME"} <= read
    assert AwsCall("dynamodb:GetItem", "table/wrapped-keys") not in recorded["api"]
    assert not allowed(grants["builder"], AwsCall("sqs:ReceiveMessage", "sign.fifo"))
