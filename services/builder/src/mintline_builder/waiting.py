"""What a mint may wait for: somebody has to act, and then it goes on."""

from __future__ import annotations

from mintline.errors import Deferred
from mintline.records import Problem

RETRY_AFTER = 15.0
"""Seconds until work whose message stays on the queue is tried again."""

COLLECTION_PAUSED = Problem(
    code="collection_paused", reason="The collection is paused. The mint continues when it is unpaused."
)
ISSUER_REVOKED = Problem(
    code="issuer_revoked",
    reason="The collection does not accept this service's vouchers now. The mint continues when it does.",
)
TREASURY_EMPTY = Problem(
    code="treasury_empty",
    reason="The service cannot pay for gas now. The mint continues when its treasury is refilled.",
)
CHAIN_TIME_SKEWED = Problem(
    code="chain_time_skewed",
    reason="The chain's clock is too far from the service's. The mint continues when they agree again.",
)


class Waiting(Deferred):
    """The mint cannot go on now; `problem` tells its user why. Nothing is reserved for it."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.code, retry_after=RETRY_AFTER)
        self.problem = problem
