"""How often each key may sign, and how much be given away: a queue writer has neither without end."""

from __future__ import annotations

from mintline.clock import UnixSeconds
from mintline.messages.intents import AnyRequest
from mintline_signer.enclave.kinds import kind_of
from mintline_signer.enclave.kinds.base import Gift, Limit
from mintline_signer.enclave.policy import Role, SigningPolicy
from mintline_signer.errors import EnclaveFailure, EnclaveRefusal, FailureCode, RefusalCode

MAX_TOP_UPS = 100_000
"""Top-ups in one window of their budget: bounds what is remembered of them, however high the rates are."""


class RateLimiter:
    """Counts signatures by key, and the wei of top-ups, in windows that follow each other.

    The policy says how many are too many. What is over is not refused for good: it fails, and may come again
    in the next window. Only what was signed is counted, so what is refused uses up nobody's rate.
    """

    def __init__(self, policy: SigningPolicy) -> None:
        self._policy = policy
        self._window = -1
        self._counts: dict[str, int] = {}
        self._bounds = policy.top_up_bounds()
        self._budget_window = -1
        self._given: dict[str, Gift] = {}
        self._total = 0
        self._by_recipient: dict[str, int] = {}

    def check(self, request: AnyRequest, role: Role, *, now: UnixSeconds) -> None:
        """Raise unless the keys may sign, and the treasury may give, as much in this window.

        EnclaveFailure (`rate_limited`) for what may come again in the next one. EnclaveRefusal
        (`top_up_budget`) for a top-up of an address that has got its share: a failure would keep later ones
        waiting.
        """
        self._turn(now)
        if any(self._counts.get(name, 0) >= most for name, most in self._limits(request, role)):
            raise EnclaveFailure(FailureCode.RATE_LIMITED)
        if (given := _given_by(request)) is not None:
            self._check_gift(*given)

    def _check_gift(self, nonce: str, gift: Gift) -> None:
        more, more_for_recipient = self._more(nonce, gift)
        given = self._by_recipient.get(gift.recipient, 0)
        relayer = self._policy.is_relayer(gift.recipient)
        if given + more_for_recipient > (self._bounds.relayer if relayer else self._bounds.recipient):
            raise EnclaveRefusal(RefusalCode.TOP_UP_BUDGET)
        full = len(self._given) >= MAX_TOP_UPS and nonce not in self._given
        if full or self._total + more > self._bounds.value:
            raise EnclaveFailure(FailureCode.RATE_LIMITED)

    def count(self, request: AnyRequest, role: Role, *, now: UnixSeconds) -> None:
        """Count what was signed. A top-up that is signed again under its nonce is the same one."""
        self._turn(now)
        for name, _ in self._limits(request, role):
            self._counts[name] = self._counts.get(name, 0) + 1
        if (given := _given_by(request)) is not None:
            nonce, gift = given
            more, more_for_recipient = self._more(nonce, gift)
            self._total += more
            before = self._by_recipient.get(gift.recipient, 0)
            self._by_recipient[gift.recipient] = before + more_for_recipient
            self._given[nonce] = gift

    def _more(self, nonce: str, gift: Gift) -> tuple[int, int]:
        """Return what a top-up adds to the wei given to all, and to its recipient."""
        before = self._given.get(nonce, Gift("", 0))
        to_same = before.value if before.recipient == gift.recipient else 0
        return gift.value - before.value, gift.value - to_same

    def _turn(self, now: UnixSeconds) -> None:
        """Begin the windows that `now` is in, if they are others than before."""
        window = int(now // self._policy.rates.window)
        if window != self._window:
            self._window, self._counts = window, {}
        budget_window = int(now // self._bounds.window)
        if budget_window != self._budget_window:
            self._budget_window, self._given, self._total, self._by_recipient = budget_window, {}, 0, {}

    def _limits(self, request: AnyRequest, role: Role) -> list[Limit]:
        return kind_of(request).limits(request, role, self._policy)


def _given_by(request: AnyRequest) -> tuple[str, Gift] | None:
    """Return the nonce of what a request gives away, and that; None if it gives nothing away."""
    kind = kind_of(request)
    gift, nonce = kind.gift(request), kind.nonce(request)
    return None if gift is None or nonce is None else (nonce, gift)
