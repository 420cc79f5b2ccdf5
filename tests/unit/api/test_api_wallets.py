from __future__ import annotations

import asyncio
import itertools

import pytest

from mintline.errors import Unavailable
from mintline.messages.parts import KeyRef
from mintline_api.features.wallets.use_cases import WalletDirectory, provision
from mintline_testkit.api.client import MemoryClient
from mintline_testkit.api.harness import Harness
from mintline_testkit.constants import CHAIN_ID

STEPS = ("get", "generate", "create", "keep", "mark_ready")


def directory(harness: Harness) -> WalletDirectory:
    return WalletDirectory(
        chain_id=CHAIN_ID,
        wallets=harness.wallets,
        keys=harness.keys,
        now=harness.milliseconds,
        clock=harness.clock,
    )


async def test_wallet__when_first_asked_for__is_made_and_kept(harness: Harness, client: MemoryClient) -> None:
    response = await client.request("GET", "/v1/wallet", headers=harness.headers("alice"))

    wallet = harness.wallets.items[f"{CHAIN_ID}#alice"]
    assert response.json() == {
        "address": wallet.address,
        "chain_id": CHAIN_ID,
        "created_at": "2026-11-23T01:50:54.000Z",
        "deletes_at": None,
    }
    assert (wallet.ready, wallet.wrapped) == (True, None)
    assert wallet.key() == KeyRef(
        address=wallet.address, subject="alice", chain_id=CHAIN_ID, secret_id=wallet.secret_id
    )
    assert harness.keys.kept == {wallet.secret_id: ("alice", harness.keys.generated[0].wrapped)}


async def test_wallet__when_asked_for_again__is_the_same_one(harness: Harness, client: MemoryClient) -> None:
    answers = [await client.request("GET", "/v1/wallet", headers=harness.headers()) for _ in range(3)]

    assert len({response.json()["address"] for response in answers}) == 1
    assert len(harness.keys.generated) == 1


async def test_wallet__when_asked_for_at_once__is_made_by_one_flight(harness: Harness) -> None:
    wallets = directory(harness)

    results = await asyncio.gather(*(wallets.of("alice") for _ in range(100)))

    assert len({wallet.address for wallet in results}) == len(harness.keys.generated) == 1


async def test_wallet__when_the_first_caller_goes_away__is_made_for_the_others(harness: Harness) -> None:
    wallets = directory(harness)
    first = asyncio.create_task(wallets.of("alice"))
    second = asyncio.create_task(wallets.of("alice"))
    await asyncio.sleep(0)
    first.cancel()

    assert (await second).ready
    assert len(harness.keys.generated) == 1


@pytest.mark.parametrize(("step", "when"), list(itertools.product(STEPS, ("before", "after"))))
async def test_wallet__when_the_process_dies_around_a_step__is_finished_by_the_next(
    harness: Harness, monkeypatch: pytest.MonkeyPatch, step: str, when: str
) -> None:
    port = harness.keys if step in ("generate", "keep") else harness.wallets
    real = getattr(port, step)

    async def dies(*arguments: object) -> object:
        if when == "after":
            await real(*arguments)
        raise Unavailable("died here")

    with monkeypatch.context() as dying:
        dying.setattr(port, step, dies)
        with pytest.raises(Unavailable):
            await directory(harness).of("alice")
    shown = harness.wallets.items.get(f"{CHAIN_ID}#alice")
    wallet = await directory(harness).of("alice")

    assert shown is None or shown.address == wallet.address
    assert harness.wallets.items == {f"{CHAIN_ID}#alice": wallet}
    assert (wallet.ready, wallet.wrapped) == (True, None)
    by_address = {key.address: key.wrapped for key in harness.keys.generated}
    assert harness.keys.kept == {wallet.secret_id: ("alice", by_address[wallet.address])}


async def test_wallet__when_two_processes_race__is_the_winners_in_both(harness: Harness) -> None:
    barrier = asyncio.Barrier(5)

    class Racing:
        generated = harness.keys.generated

        async def generate(self, sub: str) -> object:
            key = await harness.keys.generate(sub)
            await barrier.wait()
            return key

        keep = harness.keys.keep
        secret_id = harness.keys.secret_id

    racing = Racing()
    wallets = await asyncio.gather(
        *(
            provision(
                "alice",
                chain_id=CHAIN_ID,
                wallets=harness.wallets,
                keys=racing,  # type: ignore[arg-type] # the barrier's return type is of no interest
                now=harness.milliseconds,
            )
            for _ in range(5)
        )
    )

    assert len(harness.keys.generated) == 5
    assert len({wallet.address for wallet in wallets}) == len(harness.keys.kept) == 1
    assert all(wallet.ready for wallet in wallets)


async def test_wallet__when_users_differ__is_another(harness: Harness) -> None:
    wallets = directory(harness)

    assert (await wallets.of("alice")).address != (await wallets.of("bob")).address


async def test_wallet__when_kms_is_away__is_unavailable_and_made_later(
    harness: Harness, client: MemoryClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:

        async def refuse(_: str) -> None:
            raise Unavailable("KMS is away")

        broken.setattr(harness.keys, "generate", refuse)
        response = await client.request("GET", "/v1/wallet", headers=harness.headers())

    assert (response.status, response.headers["retry-after"]) == (503, "1")
    assert (await client.request("GET", "/v1/wallet", headers=harness.headers())).status == 200
