"""What a drop costs so far, and what a dry run expects a line to take."""

from __future__ import annotations

import asyncio

import pytest

from mintline.chain.answers import Receipt
from mintline.errors import Unavailable
from mintline.eth import GWEI
from mintline.messages.parts import Fees, KeyRef
from mintline.records.operations import Mint
from mintline.records.transactions import Transaction
from mintline.states import MintStatus, TransactionState
from mintline_api.features.drops.runner import DropRunner
from mintline_testkit.api.client import MemoryClient
from mintline_testkit.api.harness import Harness
from mintline_testkit.chain import FakeChain
from mintline_testkit.constants import CHAIN_ID
from mintline_testkit.records import make_transaction
from tests.unit.api.test_drops import Shop, is_, line, ndjson, prepared_drop, runner_of, until

RELAYER = KeyRef(address="0x" + "11" * 20, subject="platform:relayer", chain_id=CHAIN_ID, secret_id="relayer")


@pytest.fixture
async def shop(harness: Harness, client: MemoryClient) -> Shop:
    harness.clients.add("shop")
    shop = Shop(harness, client)
    await shop.make()
    return shop


def chain_of(harness: Harness) -> FakeChain:
    assert harness.chain is not None
    return harness.chain


def mine(
    harness: Harness, mints: list[Mint], nonce: int, *, gas_used: int, status: MintStatus
) -> Transaction:
    """Put mints into a transaction that is mined at 2 Gwei per gas."""
    tx_hash, block_hash = bytes([nonce]) * 32, b"\x0b" * 32
    transaction = make_transaction(
        RELAYER,
        nonce,
        kind="batch",
        operations=tuple(mint.mint_id for mint in mints),
        gas=gas_used,
        fees=Fees(max_fee_per_gas=1, max_priority_fee_per_gas=1),
        state=TransactionState.MINED,
        outcome="succeeded",
        tx_hash=tx_hash,
        block_hash=block_hash,
    )
    harness.lines.carriers[transaction.key] = transaction
    for mint in mints:
        harness.mints.items[mint.mint_id] = mint.evolve(
            status=status, sender=RELAYER, nonce=nonce, tx_hash=tx_hash, block_number=1, block_hash=block_hash
        )
    chain_of(harness).receipts[tx_hash] = Receipt(tx_hash, True, 1, block_hash, gas_used, 2 * GWEI)  # noqa: FBT003
    return transaction


async def running(shop: Shop, count: int) -> tuple[DropRunner, list[Mint]]:
    """Run a drop until all of its lines are handed on; return what runs it, and their mints."""
    runner = runner_of(shop.harness)
    await prepared_drop(shop, runner, count)
    await shop.call("POST", "/start")
    await until(shop, runner, lambda seen: seen["minting"]["handed_on"] == count)
    return runner, list(shop.harness.mints.items.values())


async def test_cost__when_lines_are_mined__then_it_is_their_share_of_their_transactions(shop: Shop) -> None:
    harness = shop.harness
    runner, mints = await running(shop, 300)
    assert (await shop.show())["cost"] == {"lines": 0, "gas": 0, "wei": "0"}

    stranger = mints[0].evolve(mint_id="mint_of_another_request")
    mine(harness, mints[:250], 1, gas_used=250 * 50_000, status=MintStatus.MINED)
    mine(harness, [*mints[250:270], stranger], 2, gas_used=21 * 60_000, status=MintStatus.FINALIZED)
    del harness.mints.items[stranger.mint_id]
    seen = await until(shop, runner, lambda seen: seen["cost"]["lines"] == 270)
    gas = 250 * 50_000 + 20 * 60_000
    assert seen["cost"] == {"lines": 270, "gas": gas, "wei": str(gas * 2 * GWEI)}

    mine(harness, mints[:250], 1, gas_used=250 * 50_000, status=MintStatus.FINALIZED)
    mine(harness, mints[270:], 3, gas_used=30 * 50_000, status=MintStatus.FINALIZED)
    completed = await until(shop, runner, is_("completed"))
    gas += 30 * 50_000
    assert completed["cost"] == {"lines": 300, "gas": gas, "wei": str(gas * 2 * GWEI)}


async def test_cost__when_no_node_has_the_receipts__then_the_drop_ends_and_says_what_it_covers(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    harness = shop.harness
    runner, mints = await running(shop, 20)
    transaction = mine(harness, mints[:10], 1, gas_used=500_000, status=MintStatus.FINALIZED)
    mine(harness, mints[10:], 2, gas_used=500_000, status=MintStatus.FINALIZED)
    receipt = chain_of(harness).receipt

    async def forgetful(tx_hash: bytes) -> Receipt | None:
        if tx_hash == transaction.tx_hash:
            raise Unavailable("no node")
        return await receipt(tx_hash)

    monkeypatch.setattr(harness.chain, "receipt", forgetful)
    completed = await until(shop, runner, is_("completed"))
    assert completed["minting"]["by_status"] == {"finalized": 20}
    assert completed["cost"] == {"lines": 10, "gas": 500_000, "wei": str(500_000 * 2 * GWEI)}


async def test_cost__when_a_node_hangs__then_the_drop_waits_once_for_all_of_its_chunks(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    harness = shop.harness
    runner, mints = await running(shop, 750)
    await runner.aclose()
    for chunk in range(3):
        of_chunk = mints[chunk * 250 : chunk * 250 + 250]
        mine(harness, of_chunk, chunk, gas_used=1, status=MintStatus.FINALIZED)
    requested: list[bytes] = []
    all_asked = asyncio.Event()

    async def hanging(tx_hash: bytes) -> Receipt | None:
        requested.append(tx_hash)
        if len(requested) == 3:
            all_asked.set()
        await all_asked.wait()
        raise Unavailable("no node")

    monkeypatch.setattr(harness.chain, "receipt", hanging)
    completed = await asyncio.wait_for(until(shop, runner_of(harness), is_("completed")), 4)
    assert (len(requested), completed["cost"]["lines"]) == (3, 0)


async def test_cost__when_a_process_takes_over__then_what_was_counted_is_not_counted_again(
    shop: Shop,
) -> None:
    harness = shop.harness
    runner, mints = await running(shop, 260)
    mine(harness, mints[:250], 1, gas_used=250 * 50_000, status=MintStatus.FINALIZED)
    await until(shop, runner, lambda seen: seen["cost"]["lines"] == 250)
    await runner.aclose()
    chain_of(harness).receipts.clear()

    mine(harness, mints[250:], 2, gas_used=10 * 50_000, status=MintStatus.FINALIZED)
    completed = await until(shop, runner_of(harness, "two"), is_("completed"))
    assert (completed["cost"]["lines"], completed["cost"]["gas"]) == (260, 260 * 50_000)


async def test_dry_run__when_mints_of_the_client_are_mined__then_a_line_takes_what_the_largest_batch_did(
    shop: Shop,
) -> None:
    harness = shop.harness
    _, mints = await running(shop, 12)
    mine(harness, mints[:2], 1, gas_used=2 * 90_000, status=MintStatus.FINALIZED)
    mine(harness, mints[2:], 2, gas_used=10 * 226_533, status=MintStatus.FINALIZED)
    other = Shop(harness, shop.client)
    response = await other.call("POST", "", {"name": "Summer"})
    other.drop_id = response.json()["drop_id"]
    await other.upload(ndjson([line(number) for number in range(4)]))

    tried = (await other.call("POST", "/dry-run")).json()
    assert (tried["gas_per_line"], tried["gas_from"], tried["gas"]) == (226_533, "collection", 4 * 226_533)
    low = tried["costs"][0]
    assert int(low["wei"]) == int(low["wei_per_gas"]) * 4 * 226_533

    for mint_id, mint in harness.mints.items.items():
        harness.mints.items[mint_id] = mint.evolve(contract="0x" + "22" * 20)
    tried = (await other.call("POST", "/dry-run")).json()
    assert (tried["gas_per_line"], tried["gas_from"]) == (226_533, "chain")

    chain_of(harness).receipts.clear()
    tried = (await other.call("POST", "/dry-run")).json()
    assert (tried["gas_per_line"], tried["gas_from"]) == (52_000, "setting")
