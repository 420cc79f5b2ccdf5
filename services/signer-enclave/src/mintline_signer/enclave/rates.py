"""How often each key may sign, and how much be given away: a queue writer has neither without end."""

from __future__ import annotations

from mintline.messages import AnyRequest, SignMint, SignTopUp
from mintline_signer.enclave.policy import Policy, Role
from mintline_signer.errors import Failed, FailureCode


class RateLimiter:
    """Counts signatures by key, and the wei of top-ups, in windows that follow each other.

    The policy says how many are too many. What is over is not refused for good: it fails, and may come again
    in the next window. Only what was signed is counted, so what is refused uses up nobody's rate.
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

    def check(self, intent: AnyRequest, role: Role, *, now: float) -> None:
        """Raise Failed (`rate_limited`) if a key has signed, or the treasury has given, all it may by now."""
        self._turn(now)
        if any(self._counts.get(address, 0) >= limit for address, limit in self._keys(intent, role)):
            raise Failed(FailureCode.RATE_LIMITED)
        if isinstance(intent, SignTopUp) and self._budget is not None:
            more = intent.value - self._given.get((intent.chain_id, intent.nonce), 0)
            if self._total + more > self._budget.value:
                raise Failed(FailureCode.RATE_LIMITED)

    def count(self, intent: AnyRequest, role: Role, *, now: float) -> None:
        """Count what was signed. A top-up that is signed again under its nonce is the same one."""
        self._turn(now)
        for address, _ in self._keys(intent, role):
            self._counts[address] = self._counts.get(address, 0) + 1
        if isinstance(intent, SignTopUp):
            name = (intent.chain_id, intent.nonce)
            self._total += intent.value - self._given.get(name, 0)
            self._given[name] = intent.value

    def _turn(self, now: float) -> None:
        """Begin the windows that `now` is in, if they are others than before."""
        window = int(now // self._rates.window)
        if window != self._window:
            self._window, self._counts = window, {}
        budget_window = 0 if self._budget is None else int(now // self._budget.window)
        if budget_window != self._budget_window:
            self._budget_window, self._given, self._total = budget_window, {}, 0

    def _keys(self, intent: AnyRequest, role: Role) -> list[tuple[str, int]]:
        """Return each key that the intent takes, and how often that may sign in a window."""
        keys = [(intent.signer.address, self._limit(role))]
        if isinstance(intent, SignMint):
            keys.append((self._issuer, self._rates.issuer))
        return keys

    def _limit(self, role: Role) -> int:
        match role:
            case Role.USER:
                return self._rates.user
            case Role.TREASURY:
                return self._rates.treasury
            case Role.ISSUER:
                return self._rates.issuer
