"""What a transaction offers, and the gas it is given."""

from __future__ import annotations

import pytest
from coincurve import PublicKey
from hypothesis import given
from hypothesis import strategies as st

from mintline.chain.answers import FeeMarket
from mintline.chain.calls import CallReverted
from mintline.chain.collection import GRANTED, ISSUER_ROLE, Revert, roles_slot
from mintline.chain.gas import GasBound
from mintline.errors import Deferred, Rejected
from mintline.eth import address_of_public_key, voucher_hash
from mintline.messages.parts import Voucher
from mintline_builder.fees import FeePolicy, quote_fees
from mintline_builder.simulation import PROFILE_AGE, Simulator
from mintline_builder.waiting import Waiting
from mintline_testkit.builder.harness import Harness

BOUND = GasBound("MINTLINE_MAX_GAS", 600_000, margin=10)
POLICY = FeePolicy(min_priority_fee=100, max_priority_fee=5_000, max_fee=100_000)


@pytest.mark.parametrize(
    ("base", "suggested", "max_fee", "priority"),
    [
        (10_000, 1_000, 21_000, 1_000),
        (10_000, 0, 20_100, 100),
        (10_000, 9_999, 25_000, 5_000),
        (0, 0, 100, 100),
        (60_000, 1_000, 100_000, 1_000),
    ],
)
def test_offer__when_the_market_is_known__then_it_outlasts_a_doubling_within_the_policy(
    base: int, suggested: int, max_fee: int, priority: int
) -> None:
    fees = quote_fees(FeeMarket(base_fee=base, priority_fee=suggested), POLICY)

    assert (fees.max_fee_per_gas, fees.max_priority_fee_per_gas) == (max_fee, priority)


def test_offer__when_not_even_the_next_block_fits_under_the_cap__then_the_mint_waits() -> None:
    with pytest.raises(Deferred) as deferred:
        quote_fees(FeeMarket(base_fee=90_000, priority_fee=100), POLICY)

    assert deferred.value.retry_after == 15


@given(base=st.integers(0, 10**12), suggested=st.integers(0, 10**12))
def test_offer__when_it_is_made__then_a_node_would_take_it(base: int, suggested: int) -> None:
    try:
        fees = quote_fees(FeeMarket(base_fee=base, priority_fee=suggested), POLICY)
    except Deferred:
        return

    assert base + base // 8 + fees.max_priority_fee_per_gas <= fees.max_fee_per_gas <= POLICY.max_fee
    assert 100 <= fees.max_priority_fee_per_gas <= 5_000


def voucher(harness: Harness, to: str = "bob") -> Voucher:
    return Voucher(token_id=5, to=harness.address(to), metadata_digest=b"\x07" * 32, deadline=2_000_000_000)


@pytest.fixture
def simulator(harness: Harness) -> Simulator:
    return Simulator(
        harness.chain,
        chain_id=31337,
        issuer=harness.address("issuer"),
        clock=harness.monotonic,
        gas=BOUND,
        recipient_gas=200_000,
    )


async def test_gas__when_recipients_have_no_code__then_one_estimate_serves_them_and_each_is_run(
    harness: Harness, simulator: Simulator
) -> None:
    gas_limits = [
        await simulator.gas(harness.contract, harness.address("alice"), voucher(harness)) for _ in range(5)
    ]

    assert gas_limits == [110_000] * 5
    assert len(harness.chain.estimates) == 1
    assert [call.gas for call, _ in harness.chain.calls] == [110_000] * 5


async def test_gas__when_the_recipient_has_code__then_it_is_estimated_on_its_own(
    harness: Harness, simulator: Simulator
) -> None:
    await simulator.usual_gas(harness.contract, harness.address("alice"))
    harness.chain.codes[harness.address("bob")] = b"\xef\x01\x00"
    harness.chain.gas = 250_000

    assert await simulator.gas(harness.contract, harness.address("alice"), voucher(harness)) == 275_000


async def test_gas__when_the_usual_gas_no_longer_suffices__then_it_is_estimated_anew(
    harness: Harness, simulator: Simulator
) -> None:
    await simulator.usual_gas(harness.contract, harness.address("alice"))
    harness.chain.gas = 200_000

    assert await simulator.gas(harness.contract, harness.address("alice"), voucher(harness)) == 220_000


@pytest.mark.parametrize(("needed", "limit"), [(281_818, 309_999), (281_819, None)])
async def test_gas__when_the_recipients_code_uses_much__then_a_sponsored_mint_is_rejected_above_its_bound(
    harness: Harness, simulator: Simulator, needed: int, limit: int | None
) -> None:
    # 110,000 is the gas limit of a mint to an address without code, and 200,000 more are allowed.
    await simulator.usual_gas(harness.contract, harness.address("alice"))
    harness.chain.codes[harness.address("bob")] = b"\x5b"
    harness.chain.gas = needed

    if limit is None:
        with pytest.raises(Rejected, match=r"recipient_gas_too_high: .* at most 281818 is allowed"):
            await simulator.gas(harness.contract, harness.address("alice"), voucher(harness))
    else:
        assert await simulator.gas(harness.contract, harness.address("alice"), voucher(harness)) == limit


@pytest.mark.parametrize(("needed", "limit"), [(545_454, 599_999), (545_455, None)])
async def test_gas__when_the_recipients_user_pays__then_only_the_bound_of_every_mint_holds(
    harness: Harness, simulator: Simulator, needed: int, limit: int | None
) -> None:
    await simulator.usual_gas(harness.contract, harness.address("alice"))
    harness.chain.codes[harness.address("bob")] = b"\x5b"
    harness.chain.gas = needed
    draft = voucher(harness)

    if limit is None:
        with pytest.raises(Rejected, match="recipient_gas_too_high"):
            await simulator.gas(harness.contract, draft.to, draft, sponsored=False)
    else:
        assert await simulator.gas(harness.contract, draft.to, draft, sponsored=False) == limit


async def test_gas__when_the_usual_gas_is_near_the_bound_of_a_mint__then_the_recipients_share_ends_there(
    harness: Harness, simulator: Simulator
) -> None:
    harness.chain.gas = 500_000
    await simulator.usual_gas(harness.contract, harness.address("alice"))
    harness.chain.codes[harness.address("bob")] = b"\x5b"
    harness.chain.gas = 545_455

    with pytest.raises(Rejected, match="recipient_gas_too_high"):
        await simulator.gas(harness.contract, harness.address("alice"), voucher(harness))


async def test_gas__when_the_chain_itself_asks_for_more_than_allowed__then_the_mint_waits_for_the_bound(
    harness: Harness, simulator: Simulator
) -> None:
    await simulator.usual_gas(harness.contract, harness.address("alice"))
    harness.chain.gas = 600_000

    with pytest.raises(Waiting, match="gas_above_bound"):
        await simulator.gas(harness.contract, harness.address("alice"), voucher(harness))
    with pytest.raises(Waiting, match="gas_above_bound"):
        await simulator.usual_gas(harness.contract, harness.address("alice"))


async def test_usual_gas__when_a_mint_needed_more__then_the_next_worst_case_is_not_the_old_one(
    harness: Harness, simulator: Simulator
) -> None:
    await simulator.usual_gas(harness.contract, harness.address("alice"))
    harness.chain.gas = 200_000
    await simulator.gas(harness.contract, harness.address("alice"), voucher(harness))

    assert await simulator.usual_gas(harness.contract, harness.address("alice")) == 220_000


async def test_usual_gas__when_it_is_old__then_it_is_estimated_again(
    harness: Harness, simulator: Simulator
) -> None:
    await simulator.usual_gas(harness.contract, harness.address("alice"))
    harness.now += PROFILE_AGE + 1
    harness.chain.gas = 200_000

    assert await simulator.usual_gas(harness.contract, harness.address("alice")) == 220_000


async def test_usual_gas__when_the_contract_refuses__then_the_refusal_is_not_remembered(
    harness: Harness, simulator: Simulator
) -> None:
    harness.chain.reverts[harness.contract] = CallReverted(Revert("EnforcedPause", {}), "")
    with pytest.raises(Waiting, match="collection_paused"):
        await simulator.usual_gas(harness.contract, harness.address("alice"))
    harness.chain.reverts.clear()

    assert await simulator.usual_gas(harness.contract, harness.address("alice")) == 110_000


async def test_gas__when_it_simulates__then_the_throwaway_issuer_signed_that_very_voucher(
    harness: Harness, simulator: Simulator
) -> None:
    draft = voucher(harness)
    await simulator.gas(harness.contract, harness.address("alice"), draft)

    [(call, overrides)] = harness.chain.calls
    signature = call.data[-96:-31]
    digest = voucher_hash(
        chain_id=31337,
        contract=harness.contract,
        token_id=5,
        to=draft.to,
        metadata_digest=draft.metadata_digest,
        deadline=draft.deadline,
    )
    signer = PublicKey.from_signature_and_message(
        signature[:64] + bytes([signature[64] - 27]), digest, hasher=None
    )
    issuer = address_of_public_key(signer.format(compressed=False))
    assert overrides[harness.contract].storage == {roles_slot(ISSUER_ROLE, issuer): GRANTED}
    assert (overrides[harness.address("alice")].balance or 0) > 10**30
