"""Fees of a replacement: the same nonce and meaning, at least 12.5 % more on both fields, up to a cap."""

from __future__ import annotations

from dataclasses import dataclass

from mintline.chain.answers import FeeMarket
from mintline.messages.parts import Fees


@dataclass(frozen=True, slots=True)
class FeeCaps:
    """The most that a replacement may offer, in wei per gas."""

    max_fee_per_gas: int
    max_priority_fee_per_gas: int


def raised(value: int) -> int:
    """Return `value` plus an eighth, rounded up, and at least 1 more: nodes want both fields to rise."""
    return value + max(1, -(-value // 8))


def bump(fees: Fees, caps: FeeCaps, market: FeeMarket | None = None) -> Fees | None:
    """Return the fees of the next attempt, or None when the caps leave no room for one.

    Given the market, they also suit it: twice the next base fee outlasts five full blocks.
    """
    priority = raised(fees.max_priority_fee_per_gas)
    total = max(raised(fees.max_fee_per_gas), priority)
    if priority > caps.max_priority_fee_per_gas or total > caps.max_fee_per_gas:
        return None
    if market is not None:
        priority = min(max(priority, market.priority_fee), caps.max_priority_fee_per_gas)
        total = min(max(total, 2 * market.base_fee + priority), caps.max_fee_per_gas)
    return Fees(max_fee_per_gas=total, max_priority_fee_per_gas=min(priority, total))


def market_fees(market: FeeMarket, caps: FeeCaps) -> Fees:
    """Return fees that suit the market while the base fee doubles, within the caps."""
    offer = Fees(
        max_fee_per_gas=2 * market.base_fee + market.priority_fee,
        max_priority_fee_per_gas=market.priority_fee,
    )
    return capped(offer, caps)


def capped(fees: Fees, caps: FeeCaps) -> Fees:
    """Return `fees`, lowered to the caps where they exceed them."""
    total = min(fees.max_fee_per_gas, caps.max_fee_per_gas)
    return Fees(
        max_fee_per_gas=total,
        max_priority_fee_per_gas=min(fees.max_priority_fee_per_gas, caps.max_priority_fee_per_gas, total),
    )
