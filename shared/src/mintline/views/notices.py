"""The public forms of notices, as events have them."""

from __future__ import annotations

from typing import Literal

from mintline.fields import Address, Wei
from mintline.notices import BudgetReached, Notice, RelayerLow
from mintline.views.base import Time, View, rfc3339


class RelayerFunds(View):
    """A relayer's ether, in wei, and for how many batches of the latest one's cost it is enough."""

    chain_id: int
    address: Address
    balance: Wei
    batches_left: int


class TreasuryFunds(View):
    """The treasury's ether, in wei, and for how many top-ups of the usual size it is enough."""

    chain_id: int
    address: Address
    balance: Wei
    top_ups_left: int


class ReachedBudget(View):
    """A machine client's budget that refuses requests until it resets; `limit` is in mints or wei."""

    client_id: str
    budget: Literal["mints_per_hour", "wei_per_day"]
    limit: Wei
    resets_at: Time


def notice_view(notice: Notice) -> View:
    """Return the public form of a notice."""
    if isinstance(notice, BudgetReached):
        return ReachedBudget(
            client_id=notice.client_id,
            budget=notice.budget,
            limit=notice.limit,
            resets_at=rfc3339(notice.resets_at),
        )
    if isinstance(notice, RelayerLow):
        return RelayerFunds(
            chain_id=notice.chain_id,
            address=notice.address,
            balance=notice.balance,
            batches_left=notice.batches_left,
        )
    return TreasuryFunds(
        chain_id=notice.chain_id,
        address=notice.address,
        balance=notice.balance,
        top_ups_left=notice.top_ups_left,
    )
