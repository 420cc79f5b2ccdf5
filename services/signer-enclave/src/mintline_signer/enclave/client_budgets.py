"""How much machine clients may have minted: mints an hour, wei a day, and in which collections.

A mint counts in the hour and the day of the api's acceptance, which is signed: a redelivery, or the next
attempt at its transaction, counts once, whenever it comes. Counters are per enclave, and end with it.

::

    counters   (client, hour) → mints · (client, day) → wei        kept for as long as a token can count
    known      client ‖ digest → nonce, wei                        a fixed table: what drops out counts again
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from mintline.clock import DAY_MS, HOUR_MS, UnixSeconds, to_ms
from mintline.messages.intents import AnyRequest
from mintline_signer.enclave.fixed_table import FixedTable
from mintline_signer.enclave.kinds import kind_of
from mintline_signer.enclave.kinds.base import ClientTerms
from mintline_signer.enclave.policy import Budget, SigningPolicy
from mintline_signer.errors import EnclaveFailure, EnclaveRefusal, FailureCode, RefusalCode

MAX_COUNTERS = 100_000
"""Hours and days of clients that are counted: bounds memory, however many clients the user pool has."""
_REMEMBERED = 200_000
_NONCE_BYTES = 16
_MAX_WEI = 2 ** (8 * 16) - 1


class ClientMint(NamedTuple):
    """A mint that a machine client asked for, as its token and the api's acceptance prove."""

    client_id: str
    operation_id: str
    digest: bytes
    """Of the mint: two that differ in anything are two."""
    accepted_at: int
    """Unix milliseconds."""
    terms: ClientTerms

    @property
    def name(self) -> bytes:
        """Return what the mint is remembered by."""
        return self.client_id.encode() + b"\0" + self.digest

    @property
    def hour(self) -> tuple[str, int]:
        """Return the client and the hour in which it counts."""
        return self.client_id, self.accepted_at // HOUR_MS

    @property
    def day(self) -> tuple[str, int]:
        """Return the client and the day on which it counts."""
        return self.client_id, self.accepted_at // DAY_MS


class _Known(NamedTuple):
    nonce: bytes
    wei: int


class ClientBudgets:
    """Counts what is signed for machine clients; `kept` is in seconds, at least as long as a token counts.

    What has been signed for a nonce may be signed for it again at higher fees, even beyond the wei of a day:
    refusing would keep the relayer's nonce, and all that comes after it, waiting. It counts all the same, and
    the policy bounds what each mint of a batch may cost.
    """

    def __init__(
        self,
        policy: SigningPolicy,
        *,
        secret: bytes,
        kept: float | None = None,
        remembered: int = _REMEMBERED,
    ) -> None:
        self._policy = policy
        self._kept = int(1000 * (policy.authorization.grace if kept is None else kept)) + 2 * DAY_MS
        self._known = FixedTable(size=remembered, secret=secret)
        self._mints: Counter[tuple[str, int]] = Counter()
        self._wei: Counter[tuple[str, int]] = Counter()
        self._pruned_at = 0

    def __len__(self) -> int:
        return len(self._mints) + len(self._wei)

    def check(self, request: AnyRequest, mints: Sequence[ClientMint], *, now: UnixSeconds) -> None:
        """Raise EnclaveRefusal for the first mint that its client may not have, by the operation's id.

        `mints` are those of the request that clients asked for. EnclaveFailure (`rate_limited`) if there are
        too many clients to count for.
        """
        if not mints:
            return
        self._prune(to_ms(now))
        nonce = _nonce_of(request)
        more_mints: Counter[tuple[str, int]] = Counter()
        more_wei: Counter[tuple[str, int]] = Counter()
        for mint in mints:
            budget = self._budget(mint, now)
            known = self._find(mint)
            if known is None:
                more_mints[mint.hour] += 1
                if self._mints[mint.hour] + more_mints[mint.hour] > budget.mints_per_hour:
                    raise EnclaveRefusal(RefusalCode.CLIENT_BUDGET, mint.operation_id)
            if known is None or known.nonce != nonce:
                more_wei[mint.day] += mint.terms.cost
                if self._wei[mint.day] + more_wei[mint.day] > budget.wei_per_day:
                    raise EnclaveRefusal(RefusalCode.CLIENT_BUDGET, mint.operation_id)
        opened = len(more_mints.keys() - self._mints.keys()) + len(more_wei.keys() - self._wei.keys())
        if len(self) + opened > MAX_COUNTERS:
            raise EnclaveFailure(FailureCode.RATE_LIMITED)

    def count(self, request: AnyRequest, mints: Sequence[ClientMint]) -> None:
        """Count what was signed."""
        if not mints:
            return
        nonce = _nonce_of(request)
        for mint in mints:
            known = self._find(mint)
            if known is None:
                self._mints[mint.hour] += 1
            cost = mint.terms.cost
            before = known.wei if known is not None and known.nonce == nonce else 0
            self._wei[mint.day] += max(cost - before, 0)
            value = nonce + min(max(cost, before), _MAX_WEI).to_bytes(16, "big")
            self._known.put(mint.name, value)

    def _budget(self, mint: ClientMint, now: UnixSeconds) -> Budget:
        budget = None if self._policy.clients is None else self._policy.clients.of(mint.client_id)
        if budget is None:
            raise EnclaveRefusal(RefusalCode.CLIENT_UNKNOWN, mint.operation_id)
        if not _may_use(mint, budget):
            raise EnclaveRefusal(RefusalCode.CLIENT_COLLECTION, mint.operation_id)
        if mint.accepted_at < to_ms(now) - self._kept:
            raise EnclaveRefusal(RefusalCode.CLIENT_BUDGET, mint.operation_id)
        return budget

    def _find(self, mint: ClientMint) -> _Known | None:
        value = self._known.get(mint.name)
        if value is None:
            return None
        return _Known(value[:_NONCE_BYTES], int.from_bytes(value[_NONCE_BYTES:], "big"))

    def _prune(self, now: int) -> None:
        """Forget windows of which nothing is accepted any more."""
        if now - self._pruned_at < HOUR_MS:
            return
        self._pruned_at = now
        oldest = now - self._kept
        for counters, length in ((self._mints, HOUR_MS), (self._wei, DAY_MS)):
            for window in [window for window in counters if (window[1] + 1) * length <= oldest]:
                del counters[window]


def _may_use(mint: ClientMint, budget: Budget) -> bool:
    """Tell whether a client may mint in a collection: one of its own, or one that the budget allows.

    Another's clone is none of the policy's contracts, so a budget has to name it.
    """
    if mint.terms.owner == mint.client_id:
        return True
    if budget.collections is None:
        return mint.terms.owner is None
    return mint.terms.contract in budget.collections


def _nonce_of(request: AnyRequest) -> bytes:
    """Return the name of a request's nonce, in 16 bytes."""
    name = kind_of(request).nonce(request) or ""
    return hashlib.blake2b(name.encode(), digest_size=_NONCE_BYTES).digest()
