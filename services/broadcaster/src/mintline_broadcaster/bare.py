"""The top-ups and no-ops whose nonce is not final: every sweep knows all of them, and holds little of each.

A record that is open may be closed and opened again, but never changes: what was read of it once is kept for
as long as it stays open. So a pass reads the index, whose entries are names alone, and whatever is new in it.
"""

from __future__ import annotations

from dataclasses import dataclass

from mintline.messages import SignNoop
from mintline_broadcaster.ports import Ledger, OpenTransaction, SignedTransaction

PAGE = 500
MAX_PAGES = 80
"""Pages in one pass: 40,000 top-ups and no-ops, a third of a kilobyte each. The next one reads on."""


@dataclass(frozen=True, slots=True)
class Bare:
    """A transaction that mints nothing, but for its bytes and its intent; `at` is in Unix milliseconds."""

    tx_hash: bytes
    sender: str
    nonce: int
    attempt: int
    at: int
    fills: bool
    """Whether it does nothing but use its nonce."""


class BareTransactions:
    """All that is open of one chain."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._start: OpenTransaction | None = None
        self._known: dict[bytes, Bare] = {}

    async def read(self) -> tuple[list[Bare], bool]:
        """Return what is open, oldest first, and whether that is all of it."""
        start = after = self._start
        self._start = None
        found: dict[bytes, Bare] = {}
        for _ in range(MAX_PAGES):
            page = await self._ledger.open_transactions(after=after, limit=PAGE)
            found |= await self._facts([key.tx_hash for key in page])
            if len(page) < PAGE:
                break
            after = page[-1]
        else:
            self._start = after
        self._known = found
        return list(found.values()), start is None and self._start is None

    async def _facts(self, tx_hashes: list[bytes]) -> dict[bytes, Bare]:
        facts = {tx_hash: self._known[tx_hash] for tx_hash in tx_hashes if tx_hash in self._known}
        fresh = await self._ledger.read_transactions(one for one in tx_hashes if one not in facts)
        facts |= {tx_hash: _fact(read) for tx_hash, read in fresh.items()}
        return {tx_hash: facts[tx_hash] for tx_hash in tx_hashes if tx_hash in facts}


def _fact(read: SignedTransaction) -> Bare:
    fills = isinstance(read.intent, SignNoop)
    return Bare(read.tx_hash, read.sender, read.nonce, read.attempt, read.at, fills)
