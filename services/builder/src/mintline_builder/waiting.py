"""What an operation may wait for: somebody has to act, and then it goes on."""

from __future__ import annotations

from mintline.chain.gas import GasAboveBound, GasBound
from mintline.errors import Deferred
from mintline.records.problems import Problem

RETRY_AFTER = 15.0
"""Seconds until work whose message stays on the queue is tried again."""

COLLECTION_PAUSED = Problem(
    code="collection_paused", reason="The collection is paused. Processing continues when it is unpaused."
)
ISSUER_REVOKED = Problem(
    code="issuer_revoked",
    reason="The collection does not accept this service's vouchers now. Processing continues when it does.",
)
TREASURY_EMPTY = Problem(
    code="treasury_empty",
    reason="The service cannot pay for gas now. Processing continues when its treasury is refilled.",
)
GAS_BUDGET_REACHED = Problem(
    code="gas_budget_reached",
    reason="The gas that is paid for your wallet today is used up. Processing continues after midnight UTC.",
)
GAS_ABOVE_BOUND = Problem(
    code="gas_above_bound",
    reason="The chain asks for more gas than the service allows. Processing continues when that is raised.",
)
CHAIN_TIME_SKEWED = Problem(
    code="chain_time_skewed",
    reason="The chain's clock is too far from the service's. Processing continues when they agree again.",
)

NO_RELAYER = Problem(
    code="no_relayer",
    reason="The service has no relayer for sponsored mints. Processing continues when it has one.",
)
RELAYER_EMPTY = Problem(
    code="relayer_empty",
    reason="The service cannot pay for gas now. Processing continues when its relayer is refilled.",
)
RELAYER_NOT_ALLOWED = Problem(
    code="relayer_not_allowed",
    reason="The collection does not let this service mint in batches now. Processing continues when it does.",
)
BATCH_REFUSED = Problem(
    code="batch_refused",
    reason="The collection refuses all sponsored mints now. Processing continues when it accepts them.",
)


class Waiting(Deferred):
    """The operation cannot go on now; `problem` tells its user why. Nothing is reserved for it."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.code, retry_after=RETRY_AFTER)
        self.problem = problem


def gas_limit(bound: GasBound, needed: int, purpose: str) -> int:
    """Return the gas limit for an estimate; raises Waiting if the bound does not allow it."""
    try:
        return bound.limit(needed, purpose)
    except GasAboveBound as above:
        raise Waiting(GAS_ABOVE_BOUND) from above
