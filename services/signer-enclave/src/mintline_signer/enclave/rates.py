"""How often each key may sign, and how much be given away: a queue writer has neither without end."""

from __future__ import annotations

from mintline.messages import AnyRequest, IssueVoucher, SignMint, SignTopUp
from mintline_signer.enclave.policy import Policy, Role
from mintline_signer.errors import Failed, FailureCode, RefusalCode, Refused

MAX_TOP_UPS = 100_000
"""Top-ups in one window of their budget: bounds what is remembered of them, however high the rates are."""


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
        self._bounds = policy.top_up_bounds()
        self._budget_window = -1
        self._given: dict[tuple[int, int], tuple[str, int]] = {}
        self._total = 0
        self._by_recipient: dict[str, int] = {}

    def check(self, intent: AnyRequest, role: Role, *, now: float) -> None:
        """Raise unless the keys may sign, and the treasury may give, as much in this window.

        Failed (`rate_limited`) for what may come again in the next one. A top-up of an address that has got
        its share is Refused instead (`top_up_budget`): what fails keeps the treasury's later top-ups waiting.
        """
        self._turn(now)
        if any(self._counts.get(address, 0) >= limit for address, limit in self._keys(intent, role)):
            raise Failed(FailureCode.RATE_LIMITED)
        if isinstance(intent, SignTopUp):
            self._check_top_up(intent)

    def _check_top_up(self, intent: SignTopUp) -> None:
        more, more_for_recipient = self._more(intent)
        given = self._by_recipient.get(intent.recipient, 0)
        if given + more_for_recipient > self._bounds.recipient:
            raise Refused(RefusalCode.TOP_UP_BUDGET)
        full = len(self._given) >= MAX_TOP_UPS and (intent.chain_id, intent.nonce) not in self._given
        if full or self._total + more > self._bounds.value:
            raise Failed(FailureCode.RATE_LIMITED)

    def count(self, intent: AnyRequest, role: Role, *, now: float) -> None:
        """Count what was signed. A top-up that is signed again under its nonce is the same one."""
        self._turn(now)
        for address, _ in self._keys(intent, role):
            self._counts[address] = self._counts.get(address, 0) + 1
        if isinstance(intent, SignTopUp):
            more, more_for_recipient = self._more(intent)
            self._total += more
            given = self._by_recipient.get(intent.recipient, 0)
            self._by_recipient[intent.recipient] = given + more_for_recipient
            self._given[intent.chain_id, intent.nonce] = intent.recipient, intent.value

    def _more(self, intent: SignTopUp) -> tuple[int, int]:
        """Return what a top-up adds to the wei given to all, and to its recipient."""
        recipient, value = self._given.get((intent.chain_id, intent.nonce), ("", 0))
        return intent.value - value, intent.value - (value if recipient == intent.recipient else 0)

    def _turn(self, now: float) -> None:
        """Begin the windows that `now` is in, if they are others than before."""
        window = int(now // self._rates.window)
        if window != self._window:
            self._window, self._counts = window, {}
        budget_window = int(now // self._bounds.window)
        if budget_window != self._budget_window:
            self._budget_window, self._given, self._total, self._by_recipient = budget_window, {}, 0, {}

    def _keys(self, intent: AnyRequest, role: Role) -> list[tuple[str, int]]:
        """Return each key that the intent takes, and how often that may sign in a window.

        The issuer's key signs vouchers for everyone, so what one user asks of it alone counts as that user's.
        """
        keys = [(intent.signer.address, self._limit(role))]
        if isinstance(intent, SignMint):
            keys.append((self._issuer, self._rates.issuer))
        elif isinstance(intent, IssueVoucher):
            keys.append((f"sub {intent.subject}", self._rates.user))
        return keys

    def _limit(self, role: Role) -> int:
        match role:
            case Role.USER:
                return self._rates.user
            case Role.TREASURY:
                return self._rates.treasury
            case Role.ISSUER:
                return self._rates.issuer
