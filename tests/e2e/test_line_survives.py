"""A process of the line is killed in the middle of its work: mints are late, never lost or doubled."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from mintline_bench.load import Posted
from mintline_bench.verify import verify

if TYPE_CHECKING:
    from tests.e2e.conftest import Harness

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="session")]

SERVICES = ("api", "builder", "signer-host", "enclave", "broadcaster", "indexer")
MINTS = 60


@pytest.mark.parametrize("victim", SERVICES)
async def test_mints__when_a_process_is_killed_amid_them__are_each_minted_once(
    harness: Harness, victim: str
) -> None:
    users = await asyncio.gather(*(harness.sign_in() for _ in range(6)))
    head = await harness.node.block("latest", full=False)

    async def assassin() -> None:
        await asyncio.sleep(0.6)
        await harness.kill(victim)

    async def one(number: int) -> Posted:
        await asyncio.sleep(number * 0.03)
        user = users[number % len(users)]
        accepted = await user.mint(f"{victim} {number}")
        ended = await user.until(accepted["mint_id"], within=150)
        return Posted(ended["mint_id"], number % len(users), f"{victim} {number}", 0, 0, ended)

    results = await asyncio.gather(assassin(), *(one(number) for number in range(MINTS)))
    posted = [result for result in results if isinstance(result, Posted)]
    assert head is not None
    verdict = await verify(
        harness.node, contract=harness.info["contract"], first_block=head.number, posted=posted
    )
    assert verdict.clean, verdict
    assert verdict.minted == MINTS
