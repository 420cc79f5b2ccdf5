"""The builder's ports in memory, with the real ones' conditions: what tests and simulations run over."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from mintline.authorizations import Authorization, Key, lookup
from mintline.chain.answers import FeeMarket
from mintline.chain.calls import Call, CallReverted, Overrides
from mintline.errors import Conflict, Rejected
from mintline.eth import HAS_ROLE_SELECTOR, word
from mintline.messages import Message
from mintline.records import Mint, Problem, digest_of
from mintline.resources import Queue
from mintline.states import MintStatus
from mintline_builder.ports import (
    RENEWABLE,
    Account,
    Advance,
    Claim,
    MetadataTaken,
    MintClaim,
    NotCommitted,
    VoucherClaim,
)


@dataclass
class MemoryTables:
    """The tables' contents. Accounts and mints share transactions, so they live together."""

    accounts: dict[str, Account] = field(default_factory=dict)
    mints: dict[str, Mint] = field(default_factory=dict)
    topping_up: set[str] = field(default_factory=set)
    """Wallets whose top-up is not known to be settled."""
    authorizations: dict[Key, Authorization] = field(default_factory=dict)


@dataclass
class MemoryAccounts:
    """Accounts, and the mints that are reserved with them."""

    tables: MemoryTables
    transactions: list[tuple[Advance, ...]] = field(default_factory=list)
    """What was committed, in order."""

    async def get(self, address: str) -> Account | None:
        """Read one account."""
        return self.tables.accounts.get(address)

    async def commit(self, advances: Sequence[Advance]) -> None:
        """Write all or nothing, under the same conditions as the real tables."""
        moved = {
            advance.sender: stored
            for advance in advances
            if (stored := self._account(advance.sender).next_nonce) != advance.expected
        }
        claims = [claim for advance in advances for claim in advance.claims]
        lost = frozenset(claim.item for claim in claims if not self._holds(claim))
        if moved or lost:
            raise NotCommitted(moved=moved, lost=lost)
        for advance in advances:
            self._set(advance.sender, next_nonce=advance.next_nonce)
            for index, claim in enumerate(advance.claims):
                self._apply(claim, advance.first + index)
        self.transactions.append(tuple(advances))

    async def topping_up(self, *, limit: int) -> list[str]:
        """Return up to `limit` wallets whose top-up is not known to be settled."""
        return sorted(self.tables.topping_up)[:limit]

    async def settle(self, wallet: str, nonce: int) -> None:
        """Note that a wallet's top-up with that treasury nonce is settled."""
        recorded = self._account(wallet).top_up
        if recorded is not None and recorded.nonce == nonce:
            self.tables.topping_up.discard(wallet)

    def _account(self, address: str) -> Account:
        return self.tables.accounts.get(address, Account())

    def _set(self, address: str, **fields: object) -> None:
        self.tables.accounts[address] = self._account(address).evolve(**fields)

    def _holds(self, claim: Claim) -> bool:
        if isinstance(claim, MintClaim):
            return claim.fits(self.tables.mints[claim.mint_id])
        recorded = self._account(claim.wallet).top_up
        return (None if recorded is None else recorded.nonce) == claim.replaces

    def _apply(self, claim: Claim, nonce: int) -> None:
        if isinstance(claim, MintClaim):
            mint = self.tables.mints[claim.mint_id]
            self.tables.mints[claim.mint_id] = mint.evolve(**claim.update(nonce))
        else:
            given = {"gas_day": claim.gas_day, "gas_given": claim.gas_given}
            self._set(claim.wallet, top_up=claim.top_up(nonce), **given)
            self.tables.topping_up.add(claim.wallet)


@dataclass
class MemoryMints:
    """Mint records."""

    tables: MemoryTables

    async def get(self, mint_id: str) -> Mint | None:
        """Read one mint."""
        return self.tables.mints.get(mint_id)

    async def authorization(self, mint: Mint) -> Authorization:
        """Return what a mint's user authorized."""
        return lookup(mint, self.tables.authorizations)

    async def reject(self, mint_id: str, problem: Problem, *, at: int, spent: int | None = None) -> None:
        """End an accepted mint, or one whose nonce is spent."""
        mint = self.tables.mints[mint_id]
        expected = (MintStatus.ACCEPTED,) if spent is None else RENEWABLE
        if mint.status not in expected or (spent is not None and mint.nonce != spent):
            raise Conflict(f"{mint_id} is {mint.status.value}")
        fields = {"status": MintStatus.REJECTED, "problem": problem, "updated_at": at}
        self.tables.mints[mint_id] = mint.evolve(**fields)

    async def wait(self, mint_id: str, problem: Problem) -> None:
        """Note what an accepted mint waits for."""
        mint = self.tables.mints[mint_id]
        if mint.status is not MintStatus.ACCEPTED:
            raise Conflict(f"{mint_id} is {mint.status.value}")
        self.tables.mints[mint_id] = mint.evolve(waiting=problem)

    async def offer(self, mint: Mint, claim: VoucherClaim) -> None:
        """Take an accepted self-custody mint to `built`."""
        current = self.tables.mints[mint.mint_id]
        if current.status is not MintStatus.ACCEPTED:
            raise Conflict(f"{mint.mint_id} is {current.status.value}")
        self.tables.mints[mint.mint_id] = current.evolve(**claim.update())


@dataclass
class MemoryMetadata:
    """Published metadata by contract and token id."""

    objects: dict[tuple[str, int], str] = field(default_factory=dict)

    async def put(self, contract: str, token_id: int, text: str, digest: bytes) -> None:
        """Store a text, if the digest is its own."""
        if digest_of(text) != digest:
            raise Rejected("digest_mismatch", "The metadata is not what its digest says.")
        if self.objects.setdefault((contract, token_id), text) != text:
            raise MetadataTaken("other metadata is stored")


@dataclass
class MemoryOutbox:
    """Sent messages; like SQS, it drops one whose deduplication id it has seen."""

    sent: list[tuple[Queue, Message, str]] = field(default_factory=list)
    """Queue, message and group."""
    seen: set[str] = field(default_factory=set)

    async def send(self, queue: Queue, message: Message, *, group: str, dedup: str) -> None:
        """Send one message."""
        if dedup not in self.seen:
            self.seen.add(dedup)
            self.sent.append((queue, message, group))


@dataclass
class MemoryChain:
    """A chain that holds balances and counts, and simulates by rule."""

    balances: dict[str, int] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    codes: dict[str, bytes] = field(default_factory=dict)
    market: FeeMarket = field(default_factory=lambda: FeeMarket(base_fee=10**9, priority_fee=10**9))
    gas: int = 100_000
    """What any call with data needs."""
    transfer_gas: int = 21_000
    """What a transfer needs."""
    new_account_gas: int = 0
    """What a transfer needs on top if its recipient does not exist: 183,600 on Amsterdam (EIP-8037)."""
    reverts: dict[str, CallReverted] = field(default_factory=dict)
    """How calls of a contract revert."""
    issues: bool = True
    """Whether the issuer has its role, at any contract."""
    clock: Callable[[], float] = time.time
    """The latest block's timestamp, in Unix seconds."""
    calls: list[tuple[Call, Overrides]] = field(default_factory=list)
    estimates: list[tuple[Call, Overrides]] = field(default_factory=list)

    async def balance(self, address: str) -> int:
        """Return a balance in wei."""
        return self.balances.get(address, 0)

    async def transaction_count(self, address: str) -> int:
        """Return how many of an account's transactions are mined."""
        return self.counts.get(address, 0)

    async def code(self, address: str) -> bytes:
        """Return an account's code."""
        return self.codes.get(address, b"")

    async def time(self) -> int:
        """Return the latest block's timestamp."""
        return int(self.clock())

    async def fees(self) -> FeeMarket:
        """Return what the next block asks."""
        return self.market

    async def call(self, call: Call, *, overrides: Overrides | None = None) -> bytes:
        """Run a call by rule."""
        if call.data.startswith(HAS_ROLE_SELECTOR):
            return word(int(self.issues))
        self.calls.append((call, overrides or {}))
        self._check(call)
        return b""

    async def estimate_gas(
        self, call: Call, overrides: Overrides | None = None, *, most: int | None = None
    ) -> int:
        """Return the gas that a call needs: the word of one node, however much that is."""
        del most
        self.estimates.append((call, overrides or {}))
        self._check(call)
        if call.data or call.to is None:
            return self.gas
        exists = self.balances.get(call.to) or self.counts.get(call.to) or self.codes.get(call.to)
        return self.transfer_gas + (0 if exists else self.new_account_gas)

    def _check(self, call: Call) -> None:
        if call.to in self.reverts:
            raise self.reverts[call.to]
        if call.gas is not None and call.gas < self.gas:
            raise CallReverted(None, "out of gas")
