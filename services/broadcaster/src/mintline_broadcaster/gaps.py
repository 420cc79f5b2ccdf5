"""Nonces that no transaction was reserved for, below others that were."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from mintline.kinds import meaning_of
from mintline.messages.intents import SignNoop
from mintline.messages.parts import Fees, KeyRef
from mintline.records.transactions import Transaction, transaction_key_of

MAX_GAPS = 16
"""Missing nonces of one sender that one check fills."""


def missing_nonces(taken: Collection[int], waiting: Sequence[int], used: int) -> list[int]:
    """Return the first nonces from `used` on that nobody has, below the last of those that wait behind."""
    if not waiting:
        return []
    return [nonce for nonce in range(used, max(waiting)) if nonce not in taken][:MAX_GAPS]


def gap(signer: KeyRef, nonce: int, fees: Fees, *, now: int) -> Transaction:
    """Return the record of a nonce that is for a no-op from the start; `now` is in Unix milliseconds."""
    unlimited = SignNoop(signer=signer, chain_id=signer.chain_id, nonce=nonce, gas=1, fees=fees)
    return Transaction(
        sender_id=transaction_key_of(signer, nonce).sender_id,
        nonce=nonce,
        signer=signer,
        kind="noop",
        gas=1,
        fees=fees,
        meaning=meaning_of(unlimited),
        filling_at=now,
        reserved_at=now,
        updated_at=now,
    )
