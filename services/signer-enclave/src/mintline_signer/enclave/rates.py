"""How often each key may sign: a queue writer cannot have a key sign without end."""

from __future__ import annotations

from mintline.messages import AnyRequest, SignMint
from mintline_signer.enclave.policy import Policy, Role
from mintline_signer.errors import Failed, FailureCode


class RateLimiter:
    """Counts signatures by key in windows that follow each other; the policy says how many are too many.

    What is over the rate is not refused for good: it fails, and may come again in the next window.
    """

    def __init__(self, policy: Policy) -> None:
        self._rates = policy.rates
        self._issuer = policy.issuer.address
        self._window = -1
        self._counts: dict[str, int] = {}

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
        for address, _ in keys:
            self._counts[address] = self._counts.get(address, 0) + 1

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
