"""What deployments do to containers, in the middle of mints: each mint is late at worst, and minted once."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

import pytest

from mintline_bench.load import Posted
from mintline_bench.verify import verify

if TYPE_CHECKING:
    from tests.conftest import Containers
    from tests.e2e.conftest import Harness

pytestmark = [pytest.mark.e2e, pytest.mark.containers, pytest.mark.asyncio(loop_scope="session")]

SERVICES = (
    *("enclave", "signer-host", "builder", "broadcaster", "indexer", "reconciler", "notifier", "api"),
)
FROZEN_SECONDS = 5.0


async def mint_during(
    harness: Harness,
    name: str,
    disturbance: Coroutine[Any, Any, None],
    *,
    mints: int = 60,
    every: float = 0.05,
) -> None:
    """Post mints of six new users, one `every` few seconds, amid a disturbance; check every one of them."""
    users = await asyncio.gather(*(harness.sign_in() for _ in range(6)))
    head = await harness.node.block("latest", full=False)

    async def disturb() -> None:
        await asyncio.sleep(0.6)
        await disturbance

    async def one(number: int) -> Posted:
        await asyncio.sleep(number * every)
        user = users[number % len(users)]
        accepted = await user.mint(f"{name} {number}")
        ended = await user.until(accepted["mint_id"], within=150)
        return Posted(ended["mint_id"], number % len(users), f"{name} {number}", 0, 0, ended)

    disturbing = asyncio.create_task(disturb())
    posted = await asyncio.gather(*(one(number) for number in range(mints)))
    await disturbing
    assert head is not None
    verdict = await verify(
        harness.node, contract=harness.info["contract"], first_block=head.number, posted=list(posted)
    )
    assert verdict.clean, verdict
    assert verdict.minted == mints


async def test_mints__when_every_service_is_restarted_in_turn__are_each_minted_once(
    harness: Harness, containers: Containers
) -> None:
    codes: dict[str, int] = {}

    async def roll() -> None:
        for part in SERVICES:
            codes[part] = await containers.restart(part)

    await mint_during(harness, "rolling", roll(), mints=90, every=0.4)
    assert codes == dict.fromkeys(SERVICES, 0)


@pytest.mark.parametrize("part", SERVICES)
async def test_mints__when_a_service_freezes_amid_them__are_each_minted_once(
    harness: Harness, containers: Containers, part: str
) -> None:
    await mint_during(harness, f"frozen {part}", containers.pause(part, FROZEN_SECONDS))


@pytest.mark.parametrize("part", ["broadcaster", "builder", "indexer"])
async def test_mints__when_a_service_loses_the_network__are_each_minted_once(
    harness: Harness, containers: Containers, part: str
) -> None:
    await mint_during(harness, f"cut off {part}", containers.cut_off(part, FROZEN_SECONDS))


async def test_mints__when_every_service_runs_twice__then_each_is_minted_once(
    harness: Harness, containers: Containers
) -> None:
    await containers.double()
    try:
        await mint_during(harness, "doubled", asyncio.sleep(0), mints=200, every=0.02)
        assert containers.logged("signer-host-2", "intent_signed")
    finally:
        await containers.halve()


async def test_mints__when_all_is_stopped_and_started_again__are_each_minted_once(
    harness: Harness, containers: Containers
) -> None:
    await mint_during(harness, "from the top", containers.restart_all())
