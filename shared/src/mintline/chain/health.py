"""The health of each endpoint, and the order in which endpoints are asked.

::

    closed ──a failure──▶ open ──its backoff ends──▶ half-open ──an answer──▶ closed
                           ▲                             │
                           └──────────a failure──────────┘

Half-open, an endpoint gets one exchange at a time: the watch's probe, or, if nobody watches, a call of ours.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from mintline.chain.transport import host

FIRST_BACKOFF = 0.25
LONGEST_BACKOFF = 30.0
QUARANTINE_SECONDS = 300.0
"""How long an endpoint that others outvoted is not asked while another is left."""
WEIGHT = 0.2
"""Of the newest exchange in the moving averages."""
UNRELIABLE = 0.3
"""The moving average of failures from which on an endpoint is asked after the others."""
SLOW = 1.0
SLOWER = 3.0
"""An endpoint is slow when its probes take more than `SLOW` seconds and `SLOWER` times the fastest one's."""
LAG_BLOCKS = 2
LAG_SECONDS = 6
"""An endpoint lags when its head is behind another's by more of both; half a slot of the beacon chain."""


class Health:
    """One endpoint's circuit, averages and head. Times are in seconds of the caller's clock."""

    def __init__(self, url: str, preference: int, jitter: Callable[[], float]) -> None:
        self.url = url
        self.host = host(url)
        self.preference = preference
        self.chain_id: int | None = None
        """The chain that it last reported; None before it was asked."""
        self.verified = False
        """Whether its chain id was checked since its circuit closed."""
        self.head: int | None = None
        """The height that it last reported."""
        self.failures = 0.0
        self.seconds: float | None = None
        self.lagging = False
        self._jitter = jitter
        self._down_until: float | None = None
        self._quarantined_until = float("-inf")
        self._in_a_row = 0
        self._probing = False

    def is_up(self, now: float, *, half_open: bool = True) -> bool:
        """Tell whether it may be called: its circuit is closed, or half-open with no call in progress."""
        if now < self._quarantined_until:
            return False
        if self._down_until is None:
            return True
        return half_open and now >= self._down_until and not self._probing

    def begins(self) -> None:
        """Note that an exchange starts."""
        self._probing = self._down_until is not None

    def ends(self) -> None:
        """Note that it is over, however it went."""
        self._probing = False

    def succeeded(self) -> None:
        """Note an exchange that was answered: the circuit closes."""
        self.failures *= 1 - WEIGHT
        self._in_a_row = 0
        self._down_until = None

    def failed(self, now: float, *, retry_after: float | None = None) -> None:
        """Note an exchange that failed: the circuit opens, for longer each time, and as long as it asked for.

        Another node may answer at its URL afterwards, so its chain is verified again.
        """
        self.failures = self.failures * (1 - WEIGHT) + WEIGHT
        pause = min(LONGEST_BACKOFF, FIRST_BACKOFF * 2 ** min(self._in_a_row, 10))
        self._in_a_row += 1
        asked_for = min(LONGEST_BACKOFF, retry_after or 0.0)
        self._down_until = now + max(pause * self._jitter(), asked_for)
        self.verified = False

    def quarantine(self, now: float) -> None:
        """Note that the others outvoted it: only time ends that, as an answer may be wrong again."""
        self._quarantined_until = now + QUARANTINE_SECONDS

    def took(self, seconds: float) -> None:
        """Note how long a probe took."""
        self.seconds = seconds if self.seconds is None else self.seconds + WEIGHT * (seconds - self.seconds)

    def is_slow(self, fastest: float) -> bool:
        """Tell whether its probes take far longer than those of the fastest one."""
        return self.seconds is not None and self.seconds > max(SLOW, SLOWER * fastest)

    def recovers_at(self, now: float) -> float:
        """Return when it may be asked like any other again, `now` if it may."""
        return max(now, self._down_until or now, self._quarantined_until)


def in_order(endpoints: Sequence[Health], now: float, *, watched: bool) -> list[Health]:
    """Return all endpoints, the one to ask first first.

    Those that are down come last, the soonest to recover first. Under a watch only its probes close a
    circuit, and before those that are down come those that lag, fail often or are slow: the watch goes on
    asking them, so they come back. The rest stand in the order of preference.
    """
    fastest = min((endpoint.seconds for endpoint in endpoints if endpoint.seconds is not None), default=0.0)

    def rank(endpoint: Health) -> tuple[bool, float, bool, bool, bool, int]:
        up = endpoint.is_up(now, half_open=not watched)
        return (
            not up,
            now if up else endpoint.recovers_at(now),
            watched and endpoint.lagging,
            watched and endpoint.failures > UNRELIABLE,
            watched and endpoint.is_slow(fastest),
            endpoint.preference,
        )

    return sorted(endpoints, key=rank)


def note_lag(heads: Sequence[tuple[Health, int, int]]) -> None:
    """Compare heads that were reported at the same time: endpoint, block number and Unix seconds."""
    if not heads:
        return
    number, timestamp = max((number, timestamp) for _, number, timestamp in heads)
    for endpoint, own_number, own_timestamp in heads:
        behind, late = number - own_number, timestamp - own_timestamp
        endpoint.lagging = behind > LAG_BLOCKS and late > LAG_SECONDS


def upper_half(rng: random.Random) -> Callable[[], float]:
    """Return a jitter that shortens a backoff by up to a half, so that processes do not probe in step."""
    return lambda: rng.uniform(0.5, 1)
