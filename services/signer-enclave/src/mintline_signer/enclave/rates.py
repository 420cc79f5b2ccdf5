"""How often each key may sign, and how much be given away: a queue writer has neither without end."""

from __future__ import annotations

from mintline.messages import AnyRequest, SignMint, SignTopUp
from mintline_signer.enclave.policy import Policy, Role
from mintline_signer.errors import Failed, FailureCode


class RateLimiter:
    """Counts signatures by key, and the wei of top-ups, in windows that follow each other.

    The policy says how many are too many. What is over is not refused for good: it fails, and may come again
    in the next window.
    """

    def __init__(self, policy: Policy) -> None:
        self._rates = policy.rates
        self._issuer = policy.issuer.address
        self._window = -1
        self._counts: dict[str, int] = {}
        self._budget = policy.top_ups
        self._budget_window = -1
        self._given: dict[tuple[int, int], int] = {}
        self._total = 0

    def admit(self, intent: AnyRequest, role: Role, *, now: float) -> None:
        """Count a signature of every key that the intent takes, or raise Failed (`rate_limited`)."""
        window = int(now // self._rates.window)
        if window != self._window:
            self._window, self._counts = window, {}
        keys = [(intent.signer.address, self._limit(role))]
        if isinstance(intent, SignMint):
            keys.append((self._issuer, self._rates.issuer))
        if any(self._counts.get(address, 0) >= limit for address, limit in keys):
            raise Failed(FailureCode.RATE_LIMITED)
        if isinstance(intent, SignTopUp):
            self._give(intent, now)
        for address, _ in keys:
            self._counts[address] = self._counts.get(address, 0) + 1

    def _give(self, intent: SignTopUp, now: float) -> None:
        """Take a top-up out of the budget; signed again under its nonce, it is the same one."""
        if self._budget is None:
            return
        window = int(now // self._budget.window)
        if window != self._budget_window:
            self._budget_window, self._given, self._total = window, {}, 0
        name = (intent.chain_id, intent.nonce)
        more = intent.value - self._given.get(name, 0)
        if self._total + more > self._budget.value:
            raise Failed(FailureCode.RATE_LIMITED)
        self._given[name] = intent.value
        self._total += more

    def _limit(self, role: Role) -> int:
        match role:
            case Role.USER:
                return self._rates.user
            case Role.TREASURY:
                return self._rates.treasury
            case Role.RELAYER:
                return self._rates.relayer
            case Role.ISSUER:
                return self._rates.issuer
