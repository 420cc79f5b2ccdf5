"""What is wanted for a batch: a relayer's nonce, and then its mints, as many writes as that takes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from mintline.kinds import first_intent, meaning_of
from mintline.messages.parts import Clone, Fees, KeyRef
from mintline.records.operations import Mint
from mintline.records.transactions import (
    Transaction,
    TransactionKey,
    as_far_as,
    carried_by,
    transaction_key_of,
)
from mintline.states import MintStatus

MAX_CLAIM_WRITES = 100
"""Items of the transaction that claims lines of a batch: the lines, the batch that is checked, and each
transaction whose nonce is spent."""
MAX_LINE_CLAIMS = MAX_CLAIM_WRITES - 1
"""How many accepted mints are claimed in one write."""


@dataclass(frozen=True, slots=True)
class BatchClaim:
    """A relayer's nonce is wanted for a batch; its mints are claimed afterwards, by `LineClaim`s."""

    relayer: KeyRef
    mints: tuple[Mint, ...]
    """As they stand, all of one collection."""
    gas: int
    fees: Fees
    at: int
    clone: Clone | None = None
    """What the collection was made of, if a factory made it."""
    _made: dict[int, tuple[Transaction, tuple[Mint, ...]]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )
    """By nonce, what is made of it: for its record, and then for its lines."""

    writes: ClassVar[int] = 1
    """How many items of the transaction it takes: the transaction's own record."""

    @property
    def item(self) -> str:
        """Name the claim: no transaction may have one twice."""
        return f"batch of {self.mints[0].mint_id}"

    def line_claims(self) -> list[LineClaim]:
        """Return what is wanted for each of its mints."""
        return [LineClaim(mint, self.at) for mint in self.mints]

    def transaction(self, nonce: int) -> Transaction:
        """Return the transaction under the nonce that it got, with all mints that it may carry."""
        return self._made_with(nonce)[0]

    def lines(self, nonce: int) -> tuple[Mint, ...]:
        """Return its mints as they stand once they are claimed under that nonce."""
        return self._made_with(nonce)[1]

    def _made_with(self, nonce: int) -> tuple[Transaction, tuple[Mint, ...]]:
        if (claimed := self._made.get(nonce)) is None:
            claimed = self._made[nonce] = self._make(nonce)
        return claimed

    def _make(self, nonce: int) -> tuple[Transaction, tuple[Mint, ...]]:
        reserved = Transaction(
            sender_id=transaction_key_of(self.relayer, nonce).sender_id,
            nonce=nonce,
            signer=self.relayer,
            kind="batch",
            operations=tuple(mint.mint_id for mint in self.mints),
            claiming=True,
            clone=self.clone,
            gas=self.gas,
            fees=self.fees,
            meaning=bytes(32),
            trace=self.mints[0].trace,
            reserved_at=self.at,
            updated_at=self.at,
        )
        lines = tuple(claim.built(reserved) for claim in self.line_claims())
        return reserved.evolve(meaning=meaning_of(first_intent(reserved, lines))), lines


@dataclass(frozen=True, slots=True)
class LineClaim:
    """A batch is to carry a mint, which becomes `built` under the batch's nonce.

    `mint` is the mint as it stands: accepted, or in a batch whose nonce another transaction used, or that
    failed on chain.
    """

    mint: Mint
    at: int

    @property
    def spent(self) -> TransactionKey | None:
        """The batch that it was in; None for an accepted mint."""
        return carried_by(self.mint)

    def update(self, batch: Transaction) -> dict[str, Any]:
        """Return the fields of the mint's record that change."""
        return {
            "status": MintStatus.BUILT,
            "sender": batch.signer,
            "nonce": batch.nonce,
            "attempts": self.mint.attempts,
            "built_at": self.at,
            "updated_at": self.at,
            "metadata": None,
            "waiting": None,
        }

    def built(self, batch: Transaction) -> Mint:
        """Return the mint as it stands once it is claimed."""
        if not batch.attempts and batch.outcome is None:
            # The same as below, validated once: of a batch that nothing was sent of, which is nearly always.
            known = {"gas": batch.gas, "fees": batch.fees, "submitted_at": None}
            moved = {"updated_at": max(self.at, batch.updated_at)}
            return self.mint.evolve(**self.update(batch) | known | moved)
        return as_far_as(self.mint.evolve(**self.update(batch)), batch)


def in_transactions(claims: Iterable[LineClaim]) -> Iterator[list[LineClaim]]:
    """Yield claims in parts that one transaction takes each, in order."""
    part: list[LineClaim] = []
    spent: set[TransactionKey] = set()
    for claim in claims:
        named = spent if claim.spent is None else spent | {claim.spent}
        if len(part) + 1 + len(named) > MAX_LINE_CLAIMS:
            yield part
            part, named = [], set() if claim.spent is None else {claim.spent}
        part.append(claim)
        spent = named
    if part:
        yield part


def sealed(batch: Transaction, mints: Sequence[Mint], *, at: int) -> Transaction:
    """Return a batch whose claims are made: it carries `mints`, as they were claimed, in its own order.

    Its nonce is for a no-op if none is left.
    """
    kept = batch.evolve(operations=tuple(mint.mint_id for mint in mints), claiming=None, updated_at=at)
    if not mints:
        return kept.evolve(filling_at=at)
    if kept.operations == batch.operations:
        return kept  # and means the same
    return kept.evolve(meaning=meaning_of(first_intent(kept, mints)))
