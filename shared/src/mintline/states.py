"""The state machines of a mint and of a transaction, as data: the only place that knows what is legal.

A custodial mint that was built is as far as the transaction which carries it
(`mintline.records.transactions`): from `built` on, its status is read off that, and not written again.

::

    custodial   accepted ──▶ built ◀─▶ submitted ──▶ mined ──▶ finalized
                   │           │        │  ▲   │      │
                   ▼           ▼        │  └───┼──────┤ (reorg)
                rejected ◀─────┴────────┘      ▼      │
                                            reverted ─┘

    self        accepted ──▶ built ──▶ issued ◀──▶ submitted      any of these four ──▶ rejected
                                         └──┬────────┘ ▲
                                            ▼          │ (reorg: back to where it was)
                                          mined ───────┘
                                            ▼
                                        finalized

`submitted` means that the signed bytes and their hash are on record and may have reached a node.
It leads back to `built`, with another nonce and the same token, when a transaction that is not the mint's has
used its nonce for good; so does `built` itself, when a no-op took its nonce before the mint was signed.
`issued` means that the voucher is signed and waits for the user's own wallet, which may take it to the chain
through the api or behind its back: so `issued` leads to `mined` too. `accepted` leads there if the record is
older than its token, as after the restore of a backup: the broadcaster ends such a mint by its final token. A
transaction of the user's that fails on chain leaves the voucher as good as it was: `submitted` leads back to
`issued`, never to `reverted`.

A transaction is one nonce of one sender::

    reserved ──▶ submitted ◀──▶ mined ──▶ final        `mined` leads back when a reorg drops its block
        └────────────┴─────────────────────▶           a no-op, or a stranger's transaction, has the nonce

`final` leads back to `submitted` in one case: it was closed as filled by an index that lone nodes misled, its
nonce turns out to be unused, and a no-op is to fill it.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from functools import cache
from types import MappingProxyType


class MintStatus(StrEnum):
    """The status of a mint."""

    ACCEPTED = "accepted"
    BUILT = "built"
    ISSUED = "issued"
    SUBMITTED = "submitted"
    MINED = "mined"
    FINALIZED = "finalized"
    REJECTED = "rejected"
    REVERTED = "reverted"


TRANSITIONS: Mapping[MintStatus, frozenset[MintStatus]] = MappingProxyType(
    {
        MintStatus.ACCEPTED: frozenset({MintStatus.BUILT, MintStatus.MINED, MintStatus.REJECTED}),
        MintStatus.BUILT: frozenset(
            {MintStatus.BUILT, MintStatus.ISSUED, MintStatus.SUBMITTED, MintStatus.REJECTED}
        ),
        MintStatus.ISSUED: frozenset({MintStatus.SUBMITTED, MintStatus.MINED, MintStatus.REJECTED}),
        MintStatus.SUBMITTED: frozenset(
            {
                MintStatus.BUILT,
                MintStatus.ISSUED,
                MintStatus.MINED,
                MintStatus.REVERTED,
                MintStatus.REJECTED,
            }
        ),
        MintStatus.MINED: frozenset({MintStatus.FINALIZED, MintStatus.ISSUED, MintStatus.SUBMITTED}),
        MintStatus.REVERTED: frozenset({MintStatus.SUBMITTED}),
        MintStatus.FINALIZED: frozenset(),
        MintStatus.REJECTED: frozenset(),
    }
)

TERMINAL: frozenset[MintStatus] = frozenset({MintStatus.FINALIZED, MintStatus.REJECTED, MintStatus.REVERTED})
"""Where a user's wait ends. `reverted` can still be undone by a reorg until its block is final."""


@cache
def sources(target: MintStatus) -> tuple[MintStatus, ...]:
    """Return the states that may move to `target`, in declaration order: the condition of the write."""
    return tuple(source for source, targets in TRANSITIONS.items() if target in targets)


def may(source: MintStatus, target: MintStatus) -> bool:
    """Tell whether a mint in `source` may move to `target`."""
    return target in TRANSITIONS[source]


@cache
def stored_sources(target: MintStatus) -> tuple[MintStatus, ...]:
    """Return the states in which a mint's record may be stored that moves to `target`.

    The record of a custodial mint stays `built` while its transaction carries it, whatever that has reached.
    """
    statuses = sources(target)
    carried = MintStatus.SUBMITTED in statuses and MintStatus.BUILT not in statuses
    return (MintStatus.BUILT, *statuses) if carried else statuses


class TransactionState(StrEnum):
    """The state of a transaction: one nonce of one sender."""

    RESERVED = "reserved"
    """The nonce is taken for it; nothing was sent."""
    SUBMITTED = "submitted"
    """Signed bytes and their hash are on record, and may have reached a node."""
    MINED = "mined"
    """One of its attempts is in a block of the canonical chain."""
    FINAL = "final"
    """Its nonce is used for good, by whatever used it."""


UNDECIDED = (TransactionState.RESERVED, TransactionState.SUBMITTED)
"""Where a transaction may get one more attempt: nothing has used its nonce yet, as far as we know."""

TRANSACTION_TRANSITIONS: Mapping[TransactionState, frozenset[TransactionState]] = MappingProxyType(
    {
        TransactionState.RESERVED: frozenset({TransactionState.SUBMITTED, TransactionState.FINAL}),
        TransactionState.SUBMITTED: frozenset({TransactionState.MINED, TransactionState.FINAL}),
        TransactionState.MINED: frozenset({TransactionState.SUBMITTED, TransactionState.FINAL}),
        TransactionState.FINAL: frozenset({TransactionState.SUBMITTED}),
    }
)


def transaction_sources(target: TransactionState) -> tuple[TransactionState, ...]:
    """Return the states that may move to `target`, in declaration order: the condition of the write."""
    return tuple(source for source, targets in TRANSACTION_TRANSITIONS.items() if target in targets)


def transaction_may(source: TransactionState, target: TransactionState) -> bool:
    """Tell whether a transaction in `source` may move to `target`."""
    return target in TRANSACTION_TRANSITIONS[source]
