"""What the builder asks of the world, as protocols and the values that cross them.

`mintline_builder.memory` has each of them in memory. The real ones are `mintline_builder.dynamo`,
`.published`, and the shared library's queues and node. Amounts are in wei, times in Unix milliseconds unless
a name says otherwise, addresses checksummed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from mintline.authorizations import Authorization
from mintline.chain.answers import FeeMarket
from mintline.chain.calls import Call, Overrides
from mintline.errors import Conflict, Unavailable
from mintline.fields import Address, Wei
from mintline.messages import Fees, Frozen, Message
from mintline.records import Mint, Problem
from mintline.resources import Queue
from mintline.states import MintStatus

RENEWABLE = (MintStatus.BUILT, MintStatus.SUBMITTED)
"""Where a mint has a nonce that can be spent on it by another transaction."""


class TopUp(Frozen):
    """Gas money on its way to a wallet: the treasury's transaction that carries it."""

    treasury: Address
    nonce: int
    """The treasury's; once the chain has passed it, the top-up is settled."""
    value: Wei
    gas: int
    fees: Fees
    at: int
    wallet_count: int = 0
    """How many of the wallet's own transactions were mined by then."""


class Account(Frozen):
    """A sender as the builder keeps it; `next_nonce` is None until the first reservation."""

    next_nonce: int | None = None
    top_up: TopUp | None = None
    gas_day: int = 0
    """The day of its last top-up, counted in UTC days since 1970."""
    gas_given: Wei = 0
    """What top-ups have brought on that day; the api reads both."""


@dataclass(frozen=True, slots=True)
class MintClaim:
    """A nonce is wanted for a mint, which becomes `built` in the same transaction.

    `spent` is a built or submitted mint's nonce that another transaction used; None for an accepted mint.
    """

    mint_id: str
    deadline: int
    """Unix seconds."""
    gas: int
    fees: Fees
    at: int
    spent: int | None = None

    @property
    def item(self) -> str:
        """Name the item that the claim writes: no transaction may write one item twice."""
        return f"mint {self.mint_id}"

    def fits(self, mint: Mint) -> bool:
        """Tell whether the mint is where the claim wants it."""
        if self.spent is None:
            return mint.status is MintStatus.ACCEPTED
        return mint.status in RENEWABLE and mint.nonce == self.spent

    def update(self, nonce: int) -> dict[str, Any]:
        """Return the fields of the mint's record that change, under the nonce that it got."""
        return {
            "status": MintStatus.BUILT,
            "nonce": nonce,
            "deadline": self.deadline,
            "gas": self.gas,
            "fees": self.fees,
            "built_at": self.at,
            "submitted_at": None,
            "updated_at": self.at,
            "metadata": None,
            "waiting": None,
        }


@dataclass(frozen=True, slots=True)
class VoucherClaim:
    """An accepted self-custody mint becomes `built`: without a nonce, so without a reservation."""

    mint_id: str
    deadline: int
    """Unix seconds."""
    gas: int
    at: int

    def update(self) -> dict[str, Any]:
        """Return the fields of the mint's record that change."""
        return {
            "status": MintStatus.BUILT,
            "deadline": self.deadline,
            "gas": self.gas,
            "built_at": self.at,
            "updated_at": self.at,
            "metadata": None,
            "waiting": None,
        }


@dataclass(frozen=True, slots=True)
class TopUpClaim:
    """A treasury nonce is wanted for a top-up, which goes on the wallet's record in the same transaction.

    `replaces` is the treasury nonce of the settled top-up on the record, or None if there never was one.
    """

    treasury: str
    wallet: str
    replaces: int | None
    value: int
    gas: int
    fees: Fees
    at: int
    wallet_count: int = 0
    gas_day: int = 0
    gas_given: int = 0
    """What the wallet has got on `gas_day` with this top-up."""

    @property
    def item(self) -> str:
        """Name the item that the claim writes: no transaction may write one item twice."""
        return account_item(self.wallet)

    def top_up(self, nonce: int) -> TopUp:
        """Return the record of this top-up under the nonce that it got."""
        return TopUp(
            treasury=self.treasury,
            nonce=nonce,
            value=self.value,
            gas=self.gas,
            fees=self.fees,
            at=self.at,
            wallet_count=self.wallet_count,
        )


Claim: TypeAlias = MintClaim | TopUpClaim


def account_item(address: str) -> str:
    """Name the item that holds a sender's nonce and top-up."""
    return f"account {address}"


@dataclass(frozen=True, slots=True)
class Advance:
    """One sender's part of a transaction: claim `i` gets the nonce `first + i`.

    The condition is that the stored next nonce is `expected`; None stands for none stored yet.
    """

    sender: str
    expected: int | None
    first: int
    claims: tuple[Claim, ...]

    @property
    def next_nonce(self) -> int:
        """The next nonce once this is committed."""
        return self.first + len(self.claims)


class NotCommitted(Conflict):
    """A transaction was refused as a whole, and wrote nothing.

    `moved` maps each sender whose next nonce is another to that nonce, or to None where the answer did not
    tell; `lost` names the items of claims whose own condition failed; `busy` tells that another transaction
    held one of the items.
    """

    def __init__(
        self, *, moved: Mapping[str, int | None], lost: frozenset[str] = frozenset(), busy: bool = False
    ) -> None:
        super().__init__("the reservation was refused")
        self.moved = moved
        self.lost = lost
        self.busy = busy


class Accounts(Protocol):
    """Senders: nonces and top-ups."""

    async def get(self, address: str) -> Account | None:
        """Read one account, consistently."""

    async def commit(self, advances: Sequence[Advance]) -> None:
        """Write all or nothing; raises NotCommitted, or Retryable if whether it was written is unknown."""

    async def topping_up(self, *, limit: int) -> list[str]:
        """Return up to `limit` wallets whose top-up is not known to be settled; may lag by moments."""

    async def settle(self, wallet: str, nonce: int) -> None:
        """Note that a wallet's top-up with that treasury nonce is settled; one that followed it stays."""


class Mints(Protocol):
    """Mint records."""

    async def get(self, mint_id: str) -> Mint | None:
        """Read one mint, consistently."""

    async def authorization(self, mint: Mint) -> Authorization:
        """Return what a mint's user authorized: empty if that is not on record, or not any more."""

    async def reject(self, mint_id: str, problem: Problem, *, at: int, spent: int | None = None) -> None:
        """End an accepted mint, or one whose nonce is `spent`; raises Conflict if it moved on."""

    async def wait(self, mint_id: str, problem: Problem) -> None:
        """Note what an accepted mint waits for; raises Conflict if it is no longer accepted."""

    async def offer(self, mint: Mint, claim: VoucherClaim) -> None:
        """Take an accepted self-custody mint to `built`; raises Conflict if it is no longer accepted."""


class MetadataTaken(Unavailable):
    """Other bytes are stored as a token's metadata, by an intruder or an operator."""


class Metadata(Protocol):
    """Where token metadata is published, each object once."""

    async def put(self, contract: str, token_id: int, text: str, digest: bytes) -> None:
        """Store the text's exact bytes unless they are there; `digest` is their SHA-256.

        Raises MetadataTaken if other bytes are there.
        """


class Outbox(Protocol):
    """Queues to send to."""

    async def send(self, queue: Queue, message: Message, *, group: str, dedup: str) -> None:
        """Send one message, durably."""


class Chain(Protocol):
    """The chain, read only, at its latest block; `mintline.chain.node.Node` is one."""

    async def balance(self, address: str) -> int:
        """Return a balance in wei."""

    async def transaction_count(self, address: str) -> int:
        """Return an account's next nonce: how many of its transactions are mined."""

    async def code(self, address: str) -> bytes:
        """Return an account's code, empty unless it is a contract or delegates to one (EIP-7702)."""

    async def time(self) -> int:
        """Return the latest block's timestamp, in Unix seconds."""

    async def fees(self) -> FeeMarket:
        """Return what the next block asks."""

    async def call(self, call: Call, *, overrides: Overrides | None = None) -> bytes:
        """Return what a call returns; raises CallReverted, or Rejected when it needs more gas than it has."""

    async def estimate_gas(
        self, call: Call, overrides: Overrides | None = None, *, most: int | None = None
    ) -> int:
        """Return the gas that a call needs; raises as `call` does.

        With several nodes, a refusal and more than `most` take a majority: without one raises Unavailable.
        """
