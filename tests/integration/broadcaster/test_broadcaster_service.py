"""The service as it runs: its own process or its own task, real queues, tables and chain."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
from eth_account import Account

from mintline.errors import Misconfigured
from mintline.messages.intents import SignMint
from mintline.resources import BROADCAST
from mintline.states import MintStatus
from mintline_broadcaster.service import run

if TYPE_CHECKING:
    from tests.integration.broadcaster.conftest import Eventually, Harness

pytestmark = pytest.mark.integration

SENDERS, NONCES = 10, 30
VISIBILITY = 5
"""Seconds for which a killed process hides what it held: shorter than in production, for the test's sake."""


@asynccontextmanager
async def running(harness: Harness) -> AsyncIterator[None]:
    stop = asyncio.Event()
    task = asyncio.create_task(run(harness.settings, stop))
    try:
        yield
    finally:
        stop.set()
        await task


async def spawn(harness: Harness) -> asyncio.subprocess.Process:
    endpoint_url = harness.settings.aws_endpoint_url
    assert endpoint_url is not None
    environment = {
        "MINTLINE_AWS_ENDPOINT_URL": endpoint_url,
        "MINTLINE_RESOURCE_PREFIX": harness.settings.resource_prefix,
        "MINTLINE_CHAIN_ID": str(harness.settings.chain_id),
        "MINTLINE_ISSUER": harness.settings.issuer.model_dump_json(),
        "MINTLINE_RPC_URLS": json.dumps(
            [endpoint.url.get_secret_value() for endpoint in harness.settings.rpc_urls]
        ),
    }
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "mintline_broadcaster",
        env={**os.environ, **environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def intents_of(harness: Harness) -> list[SignMint]:
    """Build every sender's mints, and sign and enqueue them out of order."""
    wallets = await asyncio.gather(*(harness.wallet() for _ in range(SENDERS)))
    intents = [harness.mint_intent(wallet, nonce) for wallet in wallets for nonce in range(NONCES)]
    await asyncio.gather(*(harness.built(intent) for intent in intents))
    shuffled = random.Random(5).sample(intents, len(intents))
    await asyncio.gather(*(harness.enqueue(harness.sign(intent)) for intent in shuffled))
    return intents


async def check_all_landed(harness: Harness, intents: list[SignMint]) -> None:
    for intent in intents:
        mint = await harness.mint(intent)
        assert mint.status is MintStatus.SUBMITTED
        [attempt] = mint.attempts
        receipt = await harness.node.receipt(attempt.tx_hash)
        assert receipt is not None
        assert receipt.status
    for address in {intent.signer.address for intent in intents}:
        assert await harness.node.transaction_count(address) == NONCES


async def test_service__when_300_transactions_come_out_of_order__then_all_land_once(
    harness: Harness, eventually: Eventually, record_property: Callable[[str, object], None]
) -> None:
    intents = await intents_of(harness)
    wallets = {intent.signer.address for intent in intents}
    started = time.monotonic()

    async def empty() -> bool:
        depth = await harness.queues.depth(BROADCAST)
        return bool(depth.visible + depth.in_flight == 0)

    async with running(harness):
        await eventually(empty, 30)
        record_property("tx_per_s", len(intents) / (time.monotonic() - started))

        async def landed() -> bool:
            counts = await asyncio.gather(*(harness.node.transaction_count(wallet) for wallet in wallets))
            return set(counts) == {NONCES}

        await eventually(landed)
    await check_all_landed(harness, intents)


async def test_service__when_killed_in_the_middle__then_its_successor_ends_the_work_and_doubles_nothing(
    harness: Harness, eventually: Eventually
) -> None:
    intents = await intents_of(harness)
    await harness.hide_messages_for(VISIBILITY, BROADCAST)

    async def some_submitted() -> bool:
        mints = await asyncio.gather(*(harness.mint(intent) for intent in intents))
        return sum(mint.status is MintStatus.SUBMITTED for mint in mints) > 20

    victim = await spawn(harness)
    await eventually(some_submitted)
    os.kill(victim.pid, signal.SIGKILL)
    await victim.communicate()

    async def landed() -> bool:
        counts = await asyncio.gather(
            *(harness.node.transaction_count(address) for address in {i.signer.address for i in intents})
        )
        return set(counts) == {NONCES}

    async with running(harness):
        # What the victim held comes back when its visibility timeout ends.
        await eventually(landed, VISIBILITY + 20)
    await check_all_landed(harness, intents)


async def test_process__when_told_to_stop__then_it_ends_cleanly_and_logs_no_secret(harness: Harness) -> None:
    process = await spawn(harness)
    assert process.stdout is not None
    lines: list[bytes] = []
    async with asyncio.timeout(20):
        while not lines or b"broadcaster_ready" not in lines[-1]:
            lines.append(await process.stdout.readline())
            assert lines[-1]
    process.terminate()
    async with asyncio.timeout(20):
        output, errors = await process.communicate()
    assert (process.returncode, errors) == (0, b"")
    everything = b"".join(lines) + output
    assert all(json.loads(entry)["service"] == "broadcaster" for entry in everything.splitlines())
    assert harness.settings.rpc_urls[0].url.get_secret_value().encode() not in everything


async def test_service__when_the_node_serves_another_chain__then_it_does_not_start(harness: Harness) -> None:
    settings = harness.settings.model_copy(update={"chain_id": 1})
    with pytest.raises(Misconfigured, match="MINTLINE_CHAIN_ID"):
        await run(settings, asyncio.Event())


async def test_service__when_a_message_does_not_belong_here__then_it_is_dead_lettered(
    harness: Harness, eventually: Eventually
) -> None:
    intent = harness.mint_intent(await harness.wallet())
    await harness.queues.send(BROADCAST, intent, group="x", dedup="x")

    async def dead() -> bool:
        return bool((await harness.queues.depth(BROADCAST, dead_letters=True)).visible)

    async with running(harness):
        await eventually(dead)


async def test_service__when_a_forged_voucher_comes_first__then_the_mint_waits_for_its_issuers(
    harness: Harness, eventually: Eventually
) -> None:
    intent = harness.mint_intent(await harness.wallet())
    await harness.built(intent, custody="self", sender=None, nonce=None)
    forged, good = harness.issue(intent, by=Account.create()), harness.issue(intent)

    async def dead() -> bool:
        return bool((await harness.queues.depth(BROADCAST, dead_letters=True)).visible)

    async def issued() -> bool:
        return bool((await harness.mint(intent)).status is MintStatus.ISSUED)

    async with running(harness):
        await harness.queues.send(BROADCAST, forged, group=intent.mint_id, dedup="forged")
        await eventually(dead)
        assert (await harness.mint(intent)).status is MintStatus.BUILT
        await harness.queues.send(BROADCAST, good, group=intent.mint_id, dedup="good")
        await eventually(issued)

    assert (await harness.mint(intent)).voucher_signature == good.signature
