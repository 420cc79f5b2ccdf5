"""Each fact that anvil can be brought to, and what follows from it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from mintline.aws.dynamo import Item, Put, Update
from mintline.aws.operations import primary_key
from mintline.errors import Deferred
from mintline.eth import GWEI
from mintline.messages.codec import decode
from mintline.messages.intents import SignMint, SignNoop, SignTopUp
from mintline.messages.parts import Fees
from mintline.messages.work import FundWallet, RenewNonce
from mintline.records.transactions import transaction_key_of
from mintline.resource_types import Queue
from mintline.resources import BUILD, CHECKPOINTS, SIGN, TRANSACTIONS
from mintline.states import MintStatus

if TYPE_CHECKING:
    from tests.integration.broadcaster.conftest import Harness

pytestmark = pytest.mark.integration


async def sent_to(harness: Harness, queue: Queue) -> list[Any]:
    return [decode(received.body) for received in await harness.queues.receive(queue, wait=1)]


async def test_fact__when_accepted_then_known_then_mined__then_submitted_with_one_attempt(
    harness: Harness,
) -> None:
    intent = harness.mint_intent(await harness.wallet())
    await harness.built(intent)
    message = harness.sign(intent)
    await harness.broadcast(message)
    await harness.broadcast(message, now=1_700_000_000_001)
    await harness.settle()
    await harness.broadcast(message)
    mint = await harness.mint(intent)
    assert mint.status is MintStatus.SUBMITTED
    assert [attempt.tx_hash for attempt in mint.attempts] == [message.tx_hash]
    receipt = await harness.node.receipt(message.tx_hash)
    assert receipt is not None
    assert receipt.status


async def test_fact__when_a_pooled_attempt_is_not_outbid__then_the_next_has_higher_fees_and_takes_its_place(
    harness: Harness,
) -> None:
    await harness.rpc.call("evm_setIntervalMining", [0])
    try:
        wallet = await harness.wallet()
        first = harness.mint_intent(wallet)
        await harness.built(first)
        await harness.broadcast(harness.sign(first))
        # Another transaction at the same fees: what the record says of it has to be another gas limit.
        place = transaction_key_of(first.signer, first.nonce)
        await harness.dynamo.write(Update(TRANSACTIONS, primary_key(place), set={"gas": 61_000}))
        same = first.evolve(attempt=1, gas=61_000)
        await harness.broadcast(harness.sign(same))
        [higher] = await sent_to(harness, SIGN)
        assert isinstance(higher, SignMint)
        assert higher.attempt == 2
        assert higher.fees == Fees(max_fee_per_gas=22_500_000_000, max_priority_fee_per_gas=1_125_000_000)
        message = harness.sign(higher)
        await harness.broadcast(message)
        await harness.settle()
    finally:
        await harness.rpc.call("evm_setIntervalMining", [1])
    assert await harness.node.receipt(message.tx_hash) is not None
    assert len((await harness.mint(first)).attempts) == 3


async def test_fact__when_below_the_base_fee__then_the_next_attempt_follows_the_market(
    harness: Harness,
) -> None:
    wallet = await harness.wallet()
    intent = harness.mint_intent(wallet, fees=Fees(max_fee_per_gas=1, max_priority_fee_per_gas=1))
    await harness.built(intent)
    await harness.broadcast(harness.sign(intent))
    [higher] = await sent_to(harness, SIGN)
    market = await harness.node.fees()
    assert higher.fees.max_fee_per_gas >= market.base_fee
    await harness.broadcast(harness.sign(higher))
    await harness.settle()
    assert await harness.node.transaction_count(wallet.address) == 1


async def test_fact__when_funds_are_missing__then_they_are_asked_for_and_it_goes_out_when_they_come(
    harness: Harness,
) -> None:
    wallet = await harness.wallet(wei=1)
    intent = harness.mint_intent(wallet)
    await harness.built(intent)
    message = harness.sign(intent)
    for _ in range(2):
        with pytest.raises(Deferred):
            await harness.broadcast(message)
    [fund] = await sent_to(harness, BUILD)
    assert fund == FundWallet(wallet=wallet.address, required=60_000 * 20 * GWEI, balance=1)
    await harness.rpc.call("anvil_setBalance", [wallet.address, hex(fund.required)])
    await harness.broadcast(message)
    await harness.settle()
    assert await harness.node.receipt(message.tx_hash) is not None


async def test_fact__when_the_treasury_is_empty__then_its_top_up_waits(harness: Harness) -> None:
    treasury = await harness.wallet(wei=1)
    intent = SignTopUp(
        signer=treasury,
        chain_id=31337,
        nonce=0,
        gas=21_000,
        fees=Fees(max_fee_per_gas=20 * GWEI, max_priority_fee_per_gas=GWEI),
        recipient=(await harness.wallet()).address,
        value=10**15,
    )
    await harness.reserved(intent)
    with pytest.raises(Deferred):
        await harness.broadcast(harness.sign(intent))
    await harness.rpc.call("anvil_setBalance", [treasury.address, hex(10**18)])
    await harness.broadcast(harness.sign(intent))
    await harness.settle()
    assert await harness.node.transaction_count(treasury.address) == 1


@pytest.mark.parametrize(("gas", "code"), [(20_000, "intrinsic_gas"), (70_000_000, "exceeds_block_gas")])
async def test_fact__when_its_gas_can_never_do__then_rejected_and_a_noop_fills_the_nonce(
    harness: Harness, gas: int, code: str
) -> None:
    wallet = await harness.wallet(wei=10**20)
    intent = harness.mint_intent(wallet, gas=gas)
    await harness.built(intent)
    message = harness.sign(intent)
    await harness.broadcast(message)
    mint = await harness.mint(intent)
    assert mint.status is MintStatus.REJECTED
    assert mint.problem is not None
    assert mint.problem.code == code
    [noop] = await sent_to(harness, SIGN)
    assert isinstance(noop, SignNoop)
    await harness.broadcast(harness.sign(noop))
    await harness.settle()
    assert await harness.node.transaction_count(wallet.address) == 1
    assert await harness.node.receipt(message.tx_hash) is None


async def test_fact__when_a_stranger_uses_the_nonce__then_another_is_asked_for_once_that_is_final_and_indexed(
    harness: Harness,
) -> None:
    # The contract is asked whether the mint's token is there: this one answers no to everything.
    await harness.rpc.call(
        "anvil_setCode", [harness.mint_intent(await harness.wallet()).contract, "0x60205ff3"]
    )
    wallet = await harness.wallet()
    intent = harness.mint_intent(wallet)
    await harness.built(intent)
    stranger = harness.sign(
        SignNoop(
            signer=wallet, chain_id=31337, nonce=0, gas=21_000, fees=intent.fees, mint_id="mint_elsewhere"
        )
    )
    await harness.rpc.call("evm_setIntervalMining", [0])
    try:
        await harness.node.send_raw(stranger.raw)
        await harness.rpc.call("anvil_mine", ["0x1"])
        message = harness.sign(intent)
        await harness.broadcast(message)
        assert await sent_to(harness, BUILD) == []
        await harness.rpc.call("anvil_mine", ["0x5"])
        await harness.broadcast(message)
        assert await sent_to(harness, BUILD) == []
        final = await harness.node.block("finalized")
        assert final is not None
        checkpoint: Item = {
            "chain": "31337",
            "finalized_number": final.number,
            "finalized_hash": "0x" + final.hash.hex(),
            "finalized_timestamp": final.timestamp,
        }
        await harness.dynamo.write(Put(CHECKPOINTS, checkpoint))
        await harness.broadcast(message)
    finally:
        await harness.rpc.call("evm_setIntervalMining", [1])
    assert (await harness.mint(intent)).status is MintStatus.SUBMITTED
    assert await sent_to(harness, BUILD) == [RenewNonce(mint_id=intent.mint_id, nonce=0)]
