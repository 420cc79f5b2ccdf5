"""Gas limits: a node's estimate plus a margin, within bounds that the deployment configures.

No amount of gas is a constant of ours, since forks change prices: a transfer to an account that does not
exist costs 21,000 gas under Osaka's rules and 204,600 under Amsterdam's (EIP-8037).
"""

from __future__ import annotations

from dataclasses import dataclass

import structlog

from mintline.errors import Deferred

TRANSACTION_GAS_CAP = 2**24
"""The highest gas limit of one transaction since Osaka (EIP-7825): 16,777,216.

Since Amsterdam it caps what a transaction computes; gas for new state may come on top (EIP-8037).
"""
DEFAULT_MARGIN = 20
"""Percent."""
BOUND_RETRY = 60.0
"""Seconds after which work that an operator's bound holds up is tried again."""

log = structlog.get_logger(__name__)


class GasAboveBound(Deferred):
    """The chain asks for more gas than the deployment allows: the work waits until the bound is raised."""


@dataclass(frozen=True, slots=True)
class GasBound:
    """How a gas limit follows from an estimate: `margin` percent more, and never above `most`.

    `setting` names what holds `most`, for messages that ask to raise it.
    """

    setting: str
    most: int
    margin: int = DEFAULT_MARGIN

    @property
    def largest_estimate(self) -> int:
        """Return the highest estimate whose gas limit is within the bound."""
        return self.most * 100 // (100 + self.margin)

    def limit(self, estimate: int, purpose: str) -> int:
        """Return the gas limit for an estimate; raises GasAboveBound, and logs it, if it is too high."""
        limit = estimate + estimate * self.margin // 100
        if limit > self.most:
            log.error("gas_above_bound", purpose=purpose, needed=limit, bound=self.most, setting=self.setting)
            raise GasAboveBound(
                f"{purpose} needs a gas limit of {limit}, but {self.setting} allows {self.most}: raise it",
                retry_after=BOUND_RETRY,
            )
        return limit
