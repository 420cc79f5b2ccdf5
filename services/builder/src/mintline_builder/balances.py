"""What the relayer holds, for those who keep it funded."""

from __future__ import annotations

from collections.abc import Callable

import structlog

from mintline_builder.metrics import Metrics

LOGGED_EVERY = 60.0
"""Seconds between two lines of the log."""

log = structlog.get_logger(__name__)


class RelayerBalance:
    """Exports the relayer's balance, and logs it at most once a minute: an alarm reads the log."""

    def __init__(self, metrics: Metrics, clock: Callable[[], float]) -> None:
        self._metrics = metrics
        self._clock = clock
        self._logged_at = -LOGGED_EVERY

    def record(self, balance: int, *, cost: int) -> None:
        """Record a balance that was read before a batch that costs at most `cost`; both in wei."""
        self._metrics.relayer_balance.set(balance)
        now = self._clock()
        if now - self._logged_at >= LOGGED_EVERY:
            self._logged_at = now
            log.info("relayer_balance", balance=str(balance), batches_left=balance // cost)
