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
from mintline.transaction_records import Place, Transaction, as_far_as, carried_by
from mintline_builder.ports import (
    Account,
    Advance,
    Claim,
    MetadataTaken,
    MintClaim,
    NotCommitted,
    TopUpClaim,
    VoucherClaim,
    unmined,
)


@dataclass
class MemoryTables:
    """The tables' contents. What one reservation writes lives together."""

    accounts: dict[str, Account] = field(default_factory=dict)
    mints: dict[str, Mint] = field(default_factory=dict)
    """As stored: `standing` is how far they have come."""
    transactions: dict[Place, Transaction] = field(default_factory=dict)
    authorizations: dict[Key, Authorization] = field(default_factory=dict)

    def standing(self, mint_id: str) -> Mint | None:
        """Return a mint as it stands."""
        mint = self.mints.get(mint_id)
        place = None if mint is None else carried_by(mint)
        return mint if mint is None or place is None else as_far_as(mint, self.transactions.get(place))

    def carries(self, spent: Place, mint_id: str) -> bool:
        """Tell whether a mint's record is left to that transaction, which did nothing on chain so far."""
        stored, carrier = self.mints[mint_id], self.transactions.get(spent)
        still = stored.status is MintStatus.BUILT and carried_by(stored) == spent
        still = still and stored.cancel_requested_at is None
        return still and carrier is not None and unmined(carrier)


@dataclass
class MemoryAccounts:
    """Accounts, and the mints and transactions that are written with them."""

    tables: MemoryTables
    commits: list[tuple[Advance, ...]] = field(default_factory=list)
    """What was committed, in order."""

    async def get(self, address: str) -> Account | None:
        """Read one account."""
        return self.tables.accounts.get(address)

    async def transaction(self, place: Place) -> Transaction | None:
        """Read one transaction."""
        return self.tables.transactions.get(place)

    async def commit(self, advances: Sequence[Advance]) -> None:
        """Write all or nothing, under the same conditions as the real tables."""
        moved = {
            advance.sender: stored
            for advance in advances
            if (stored := self._account(advance.sender).next_nonce) != advance.expected
        }
        claims = [claim for advance in advances for claim in advance.claims]
        lost = frozenset(claim.item for claim in claims if not self._holds(claim))
        made = [advance.transactions() for advance in advances]
        taken: dict[str, Place] = {}
        for advance, transactions in zip(advances, made, strict=True):
            known = [one.place for one in transactions if one.place in self.tables.transactions]
            if known and advance.sender not in moved:
                taken[advance.sender] = known[-1]
        if moved or lost or taken:
            raise NotCommitted(moved=moved, lost=lost, taken=taken)
        for advance, transactions in zip(advances, made, strict=True):
            self._set(advance.sender, next_nonce=advance.next_nonce)
            for claim, transaction in zip(advance.claims, transactions, strict=True):
                self._apply(claim, transaction)
        self.commits.append(tuple(advances))

    def _account(self, address: str) -> Account:
        return self.tables.accounts.get(address, Account())

    def _set(self, address: str, **fields: object) -> None:
        self.tables.accounts[address] = self._account(address).evolve(**fields)

    def _holds(self, claim: Claim) -> bool:
        if isinstance(claim, TopUpClaim):
            return self._account(claim.wallet).top_up_nonce == claim.replaces
        mint_id = claim.mint.mint_id
        if claim.spent is None:
            return self.tables.mints[mint_id].status is MintStatus.ACCEPTED
        return self.tables.carries(claim.spent, mint_id)

    def _apply(self, claim: Claim, transaction: Transaction) -> None:
        if isinstance(claim, MintClaim):
            mint = self.tables.mints[claim.mint.mint_id]
            self.tables.mints[mint.mint_id] = mint.evolve(**claim.update(transaction.nonce))
        else:
            self._set(claim.wallet, **claim.update(transaction.nonce))
        self.tables.transactions[transaction.place] = transaction


@dataclass
class MemoryMints:
    """Mint records."""

    tables: MemoryTables

    async def get(self, mint_id: str) -> Mint | None:
        """Read one mint as it stands."""
        return self.tables.standing(mint_id)

    async def authorization(self, mint: Mint) -> Authorization:
        """Return what a mint's user authorized."""
        return lookup(mint, self.tables.authorizations)

    async def reject(self, mint_id: str, problem: Problem, *, at: int, spent: Place | None = None) -> None:
        """End an accepted mint, or one whose nonce is spent."""
        mint = self._accepted(mint_id) if spent is None else self.tables.mints[mint_id]
        if spent is not None:
            if not self.tables.carries(spent, mint_id):
                raise Conflict(f"{mint_id} is {mint.status.value}")
            carrier = self.tables.transactions[spent]
            filling_at = carrier.filling_at or at
            self.tables.transactions[spent] = carrier.evolve(filling_at=filling_at, updated_at=at)
        fields = {"status": MintStatus.REJECTED, "problem": problem, "updated_at": at}
        self.tables.mints[mint_id] = mint.evolve(**fields)

    async def wait(self, mint_id: str, problem: Problem) -> None:
        """Note what an accepted mint waits for."""
        self.tables.mints[mint_id] = self._accepted(mint_id).evolve(waiting=problem)

    async def offer(self, mint: Mint, claim: VoucherClaim) -> None:
        """Take an accepted self-custody mint to `built`."""
        self.tables.mints[mint.mint_id] = self._accepted(mint.mint_id).evolve(**claim.update())

    def _accepted(self, mint_id: str) -> Mint:
        mint = self.tables.mints[mint_id]
        if mint.status is not MintStatus.ACCEPTED:
            raise Conflict(f"{mint_id} is {mint.status.value}")
        return mint


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
