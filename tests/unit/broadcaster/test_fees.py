from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mintline.chain.answers import FeeMarket
from mintline.messages.parts import Fees
from mintline_broadcaster.fees import FeeCaps, bump, capped, raised

UNCAPPED = FeeCaps(10**30, 10**30)
wei = st.integers(min_value=0, max_value=10**15)


@st.composite
def offers(draw: st.DrawFn) -> Fees:
    total = draw(wei)
    return Fees(max_fee_per_gas=total, max_priority_fee_per_gas=draw(st.integers(0, total)))


@given(wei)
def test_raised__when_any_fee__then_an_eighth_more_rounded_up_and_never_the_same(value: int) -> None:
    assert raised(value) > value
    assert 8 * raised(value) >= 9 * value
    assert 8 * (raised(value) - 1) <= 9 * value


@given(offers(), st.none() | st.builds(FeeMarket, base_fee=wei, priority_fee=wei))
def test_bump__when_uncapped__then_both_fields_rise_enough_and_stay_in_order(
    fees: Fees, market: FeeMarket | None
) -> None:
    following = bump(fees, UNCAPPED, market)
    assert following is not None
    assert 8 * following.max_fee_per_gas >= 9 * fees.max_fee_per_gas
    assert 8 * following.max_priority_fee_per_gas >= 9 * fees.max_priority_fee_per_gas
    assert following.max_priority_fee_per_gas <= following.max_fee_per_gas


@given(offers(), wei, wei, st.none() | st.builds(FeeMarket, base_fee=wei, priority_fee=wei))
def test_bump__when_capped__then_within_the_caps_and_a_real_raise_or_none(
    fees: Fees, cap: int, priority_cap: int, market: FeeMarket | None
) -> None:
    following = bump(fees, FeeCaps(cap, priority_cap), market)
    if following is not None:
        assert following.max_fee_per_gas <= cap
        assert following.max_priority_fee_per_gas <= priority_cap
        assert 8 * following.max_fee_per_gas >= 9 * fees.max_fee_per_gas
        assert 8 * following.max_priority_fee_per_gas >= 9 * fees.max_priority_fee_per_gas


def test_bump__when_the_market_is_far_above__then_it_follows_at_once() -> None:
    fees = Fees(max_fee_per_gas=10, max_priority_fee_per_gas=1)
    assert bump(fees, UNCAPPED, FeeMarket(base_fee=100, priority_fee=7)) == Fees(
        max_fee_per_gas=207, max_priority_fee_per_gas=7
    )


@pytest.mark.parametrize("caps", [FeeCaps(112, 100), FeeCaps(1000, 1)])
def test_bump__when_either_cap_leaves_no_room__then_none(caps: FeeCaps) -> None:
    assert bump(Fees(max_fee_per_gas=100, max_priority_fee_per_gas=1), caps) is None


@given(offers(), wei, wei)
def test_capped__when_any_fees__then_within_the_caps_and_in_order(
    fees: Fees, cap: int, priority: int
) -> None:
    lowered = capped(fees, FeeCaps(cap, priority))
    assert lowered.max_priority_fee_per_gas <= lowered.max_fee_per_gas <= cap
    assert lowered.max_priority_fee_per_gas <= priority
