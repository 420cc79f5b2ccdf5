"""Transactions whose nonces the chain has not used, and when one needs a replacement."""

from __future__ import annotations

from dataclasses import dataclass

from mintline.chain.answers import FeeMarket
from mintline.records.operations import Attempt
from mintline.records.transactions import Transaction


@dataclass(frozen=True, slots=True)
class Pending:
    """A transaction whose nonce the chain has not used, and the newest attempt at it."""

    transaction: Transaction
    attempt: Attempt | None
    """A no-op if there is one: nothing else will be signed for its nonce. None if nothing was signed yet."""

    @property
    def nonce(self) -> int:
        """Return its nonce."""
        return self.transaction.nonce

    @property
    def since(self) -> int:
        """Since when it waits to be mined, in Unix milliseconds."""
        return self.transaction.reserved_at if self.attempt is None else self.attempt.at

    def to_be_filled(self, *, chain_time: int) -> bool:
        """Tell whether a no-op is wanted and was not signed yet: what it carries is not sent any more.

        Past its deadline the contract would refuse it: a no-op then gives what it carries another nonce.
        """
        if self.attempt is not None and self.attempt.fills:
            return False
        late = self.transaction.deadline is not None and self.transaction.deadline <= chain_time
        return late or self.transaction.filling_at is not None


@dataclass(frozen=True, slots=True)
class ChainView:
    """The chain as one check of a sender sees it."""

    used: int
    horizon: int
    """Unix milliseconds: the first missing transaction is too old if it was sent before that."""
    chain_time: int
    """Unix seconds."""


def newest(transaction: Transaction) -> Attempt | None:
    """Return the newest no-op, as nothing else will be signed any more once there is one, or the newest."""
    noops = [attempt for attempt in transaction.attempts if attempt.fills]
    return next(reversed(noops or transaction.attempts), None)


def stuck(transaction: Transaction, attempt: Attempt, view: ChainView, market: FeeMarket) -> str | None:
    """Return why a transaction in the pool needs a replacement: the market, or its age; or None."""
    if attempt.max_fee_per_gas < market.base_fee:
        return "market"
    too_old = transaction.nonce == view.used and attempt.at < view.horizon
    return "age" if too_old else None
