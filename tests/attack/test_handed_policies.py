"""Whoever owns the signer's host starts the right image again, and hands it another policy document."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio
from pydantic import SecretStr

from mintline.audit.records import NO_HASH
from mintline.messages.intents import SignNoop
from mintline.messages.parts import Fees
from mintline_devstack.services import POLICY
from mintline_signer.errors import FailureCode
from mintline_signer.protocol import (
    Accepted,
    Begin,
    Credentials,
    Failure,
    HandedPolicy,
    Response,
    Sign,
    Signed,
)
from mintline_testkit.signer import Authority
from tests.attack.conftest import Socket

if TYPE_CHECKING:
    from tests.attack.conftest import Victim

pytestmark = [pytest.mark.integration, pytest.mark.asyncio(loop_scope="session")]

Policy = dict[str, Any]


class Host:
    """A host that has started the image once more, beside the line's own enclave."""

    def __init__(self, victim: Victim, path: Path) -> None:
        self.victim = victim
        self.right = (victim.state.enclave / POLICY).read_bytes()
        self._path = path

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[Socket]:
        """Connect to the new enclave, which may not listen yet."""
        async with asyncio.timeout(30):
            while True:
                with suppress(OSError):
                    reader, writer = await asyncio.open_unix_connection(str(self._path))
                    break
                await asyncio.sleep(0.05)
        try:
            yield Socket(reader, writer)
        finally:
            writer.transport.abort()

    async def hand(self, document: bytes) -> Response:
        """Hand a document over, on a connection of its own."""
        async with self.connected() as socket:
            return await socket.ask(HandedPolicy(document=document))

    async def noop(self) -> Response:
        """Have a user's key sign the one thing for which no user is asked, with all that a host has."""
        wallet = await self.victim.cold_wallet()
        fees = Fees(max_fee_per_gas=10**9, max_priority_fee_per_gas=10**9)
        intent = SignNoop(signer=wallet, chain_id=wallet.chain_id, nonce=0, gas=21_000, fees=fees)
        own = self.victim.credentials["enclave"]
        given = Credentials(
            access_key_id=own.access_key_id,
            secret_access_key=SecretStr(own.secret_access_key),
            region=self.victim.info["region"],
        )
        async with self.connected() as socket:
            for handed in (Begin(follows=NO_HASH), given):
                response = await socket.ask(handed)
                if not isinstance(response, Accepted):
                    return response
            return await socket.ask(Sign(intent=intent, keys=[await self.victim.wrapped(wallet)]))


def variables_of(pid: int) -> dict[str, str]:
    """Return the environment of a process."""
    environ = Path(f"/proc/{pid}/environ").read_bytes().decode()
    return dict(line.split("=", 1) for line in environ.split("\0") if line)


@pytest_asyncio.fixture(loop_scope="session")
async def host(victim: Victim) -> AsyncIterator[Host]:
    """Start the line's enclave once more: the same code, settings and way to KMS, at another socket."""
    variables = variables_of(victim.pid("enclave"))
    path = Path(variables["MINTLINE_ENCLAVE_ADDRESS"].removeprefix("unix://")).with_name("another.sock")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "mintline_signer.enclave"),
        env={**variables, "MINTLINE_ENCLAVE_ADDRESS": f"unix://{path}"},
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    yield Host(victim, path)
    process.kill()
    await process.wait()


def with_own_pool(policy: Policy) -> None:
    policy["authorization"]["jwks"] = {"keys": [Authority(kid="mine").jwk()]}


def with_more_for_anyone(policy: Policy) -> None:
    most = str(10**25)
    policy["max_top_up_value"] = most
    policy["top_ups"] |= {"value": most, "recipient": most, "relayer": most}


def with_a_key_of_ones_own(policy: Policy) -> None:
    policy["rewrap_to"] = "arn:aws:kms:us-east-1:000000000000:key/mine"


def in_other_bytes(_policy: Policy) -> None:
    """Say the same in other bytes."""


CHANGES = [with_own_pool, with_more_for_anyone, with_a_key_of_ones_own, in_other_bytes]


@pytest.mark.parametrize("change", CHANGES, ids=[change.__name__ for change in CHANGES])
async def test_hostile_host__when_it_hands_another_policy_over__gets_no_key(
    host: Host, change: Callable[[Policy], None]
) -> None:
    policy = json.loads(host.right)
    change(policy)
    assert await host.hand(json.dumps(policy).encode()) == Accepted(), "the enclave itself cannot know"
    assert await host.noop() == Failure(code=FailureCode.KMS_DENIED)
    # And the right one comes too late: what is measured first is locked.
    assert await host.hand(host.right) == Failure(code=FailureCode.POLICY_OTHER)
    assert await host.noop() == Failure(code=FailureCode.KMS_DENIED)


async def test_hostile_host__when_it_hands_rubbish_over_first__gets_no_key_until_the_right_policy_comes(
    host: Host,
) -> None:
    assert await host.noop() == Failure(code=FailureCode.POLICY_MISSING)
    for rubbish in (b"{}", b"[" * 400_000, b" " * 500_000, host.right[:-2]):
        assert await host.hand(rubbish) == Failure(code=FailureCode.POLICY_INVALID)
    assert await host.noop() == Failure(code=FailureCode.POLICY_MISSING)
    # The control: all of this, and then the right document.
    assert await host.hand(host.right) == Accepted()
    assert isinstance(await host.noop(), Signed)


async def test_hostile_host__when_it_hands_another_policy_over_later__changes_nothing(host: Host) -> None:
    policy = json.loads(host.right)
    with_own_pool(policy)
    assert await host.hand(host.right) == Accepted()
    assert await host.hand(json.dumps(policy).encode()) == Failure(code=FailureCode.POLICY_OTHER)
    assert isinstance(await host.noop(), Signed)
