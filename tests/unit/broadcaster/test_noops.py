"""No-ops: how much gas they get."""

from __future__ import annotations

import pytest

from mintline.chain.calls import Call, CallReverted
from mintline.chain.gas import GasAboveBound, GasBound
from mintline.errors import Unavailable
from mintline.messages.parts import Fees
from mintline.resources import SIGN
from mintline_broadcaster.noops import ESTIMATE_AGE, Noops
from mintline_testkit.broadcaster.harness import Harness
from mintline_testkit.broadcaster.intents import mint_intent
from mintline_testkit.chain import FakeChain

FEES = Fees(max_fee_per_gas=2, max_priority_fee_per_gas=1)


@pytest.fixture
def chain() -> FakeChain:
    return FakeChain(yields=True)


@pytest.fixture
def noops(harness: Harness, chain: FakeChain) -> Noops:
    bound = GasBound("MINTLINE_MAX_TRANSFER_GAS", 100_000)
    return Noops(chain=chain, outbox=harness.queues, caps=harness.caps, gas=bound)


async def test_noop__when_its_gas_is_estimated__then_for_a_transfer_of_nothing_to_oneself(
    harness: Harness, chain: FakeChain, noops: Noops
) -> None:
    intent = mint_intent(nonce=4)

    await noops.fill(harness.reserved(intent), now=0)

    assert [call for call, _ in chain.estimates] == [
        Call(sender=intent.signer.address, to=intent.signer.address, data=b"")
    ]
    [noop] = await harness.sent_to(SIGN)
    assert noop.gas == 25_200


async def test_noops__when_many_are_wanted_within_a_minute__then_one_estimate_serves_them(
    harness: Harness, chain: FakeChain, noops: Noops
) -> None:
    for nonce in range(5):
        await noops.fill(harness.reserved(mint_intent(nonce)), now=nonce * 1000, fees=FEES)
    chain.transfer_gas = 12_000  # a fork has made it cheaper
    await noops.fill(harness.reserved(mint_intent(5)), now=ESTIMATE_AGE - 1, fees=FEES)
    await noops.fill(harness.reserved(mint_intent(6)), now=ESTIMATE_AGE, fees=FEES)

    assert len(chain.estimates) == 2
    assert [noop.gas for noop in await harness.sent_to(SIGN)] == [25_200] * 6 + [14_400]


async def test_noop__when_it_needs_more_gas_than_allowed__then_it_waits_for_the_bound(
    harness: Harness, chain: FakeChain, noops: Noops
) -> None:
    chain.transfer_gas = 100_000

    with pytest.raises(GasAboveBound, match="MINTLINE_MAX_TRANSFER_GAS allows 100000: raise it"):
        await noops.fill(harness.reserved(mint_intent()), now=0)

    assert await harness.sent_to(SIGN) == []


async def test_noop__when_the_node_refuses_to_estimate_it__then_it_waits(
    harness: Harness, monkeypatch: pytest.MonkeyPatch, chain: FakeChain, noops: Noops
) -> None:
    async def refuse(_: Call) -> int:
        raise CallReverted(None, "no")

    monkeypatch.setattr(chain, "estimate_gas", refuse)

    with pytest.raises(Unavailable, match="cannot be estimated"):
        await noops.fill(harness.reserved(mint_intent()), now=0)
