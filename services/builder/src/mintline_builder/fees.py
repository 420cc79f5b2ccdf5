"""Which fees a transaction offers (EIP-1559)."""

from __future__ import annotations

from dataclasses import dataclass

from mintline.chain.answers import FeeMarket
from mintline.errors import Deferred
from mintline.messages.parts import Fees


@dataclass(frozen=True, slots=True)
class FeePolicy:
    """Bounds of what is offered, in wei per gas."""

    min_priority_fee: int
    max_priority_fee: int
    max_fee: int


def quote_fees(market: FeeMarket, policy: FeePolicy) -> Fees:
    """Return fees that stay valid while the base fee doubles (six full blocks), within the policy.

    The cap may cut that headroom, down to one block's rise of an eighth. Raises Deferred when not even that
    fits: fees fall again, so waiting is the answer.
    """
    priority = min(max(market.priority_fee, policy.min_priority_fee), policy.max_priority_fee)
    if market.base_fee + market.base_fee // 8 + priority > policy.max_fee:
        raise Deferred("the base fee is over the cap", retry_after=15)
    most = min(2 * market.base_fee + priority, policy.max_fee)
    return Fees(max_fee_per_gas=most, max_priority_fee_per_gas=priority)
