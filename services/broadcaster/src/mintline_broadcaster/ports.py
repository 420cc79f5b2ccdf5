"""What the broadcaster asks of the world, as protocols and the values that cross them.

`mintline_broadcaster.memory` has the ledger and the chain in memory, `mintline_broadcaster.dynamo` the real
ledger, `mintline.chain.node` the real chain. Times are Unix milliseconds, amounts in wei.
"""

from __future__ import annotations

from typing import Literal, Protocol

from mintline.chain.answers import FeeMarket, Receipt
from mintline.chain.send_facts import SendAnswer
from mintline.errors import Conflict
from mintline.fields import Address, Bytes32, HexBytes
from mintline.messages import Frozen
from mintline.records import Attempt, Mint, Problem
from mintline.states import MintStatus


class SignedTransaction(Frozen):
    """A signed transaction as it is written down before it is sent: an item of `attempts`."""

    tx_hash: Bytes32
    kind: Literal["sign_mint", "sign_top_up", "sign_noop"]
    mint_id: str | None = None
    """The mint that it carries out; None for a no-op, which only takes the nonce of one."""
    sender: Address
    nonce: int
    chain_id: int
    raw: HexBytes
    attempt: int
    at: int
    trace: str | None = None
    """The W3C `traceparent` of its message, by which the indexer joins its mint's trace."""


class MintMoved(Conflict):
    """A mint was not where the write expected it; `mint` is the record as it is, None if there is none."""

    def __init__(self, mint: Mint | None) -> None:
        super().__init__("the mint has moved on" if mint is not None else "there is no such mint")
        self.mint = mint


class Ledger(Protocol):
    """The records of what was signed and sent."""

    async def record(self, transaction: SignedTransaction) -> None:
        """Write a transaction down; one that is on record already stays as it is."""

    async def get(self, mint_id: str) -> Mint | None:
        """Read a mint, consistently."""

    async def submit(self, mint_id: str, attempt: Attempt, *, nonce: int) -> None:
        """Move a built mint with that nonce to submitted, with its first attempt; raises MintMoved."""

    async def add_attempt(self, mint: Mint, attempt: Attempt) -> None:
        """Append to the attempts of a submitted mint, if they are still `mint`'s; raises MintMoved."""

    async def reject(self, mint_id: str, problem: Problem, *, source: MintStatus, at: int) -> None:
        """End a mint that is still in `source`; raises MintMoved."""


class Chain(Protocol):
    """The chain, to write to and to look at."""

    async def send_raw(self, raw: bytes) -> SendAnswer:
        """Send a signed transaction, and return what is now known of it."""

    async def receipt(self, tx_hash: bytes) -> Receipt | None:
        """Return a mined transaction's receipt, or None."""

    async def transaction_count(self, address: str, at: Literal["latest", "finalized"] = "latest") -> int:
        """Return an account's next nonce on that block."""

    async def fees(self) -> FeeMarket:
        """Return what the next block asks."""
