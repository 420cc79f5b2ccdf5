"""The builder's tables, outbox and metadata bucket in memory, with the conditions of the real ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from mintline.authorizations import MISSING, Authorization, Key, lookup
from mintline.canonical_json import digest_of
from mintline.errors import Conflict, Rejected
from mintline.lines import MAX_CHUNK, LinesChunk
from mintline.messages.parts import Clone, Message
from mintline.operation_ids import line_mint_id
from mintline.records.keys import signature_turn_key
from mintline.records.locks import SignatureTurn
from mintline.records.operations import CollectionOperation, Mint, Operation, TokenOperation
from mintline.records.problems import Problem
from mintline.records.transactions import Transaction, TransactionKey, address_of, as_far_as_any, carried_by
from mintline.resource_types import Queue
from mintline.states import MintStatus, TransactionState
from mintline_builder.batch_claims import BatchClaim, LineClaim
from mintline_builder.claims import (
    Advance,
    Claim,
    OperationClaim,
    RelayedClaim,
    TopUpClaim,
    VoucherClaim,
    may_be_renewed,
)
from mintline_builder.ports import Account, LinesOnRecord, MetadataTaken, NotCommitted
from mintline_testkit.constants import CHAIN_ID


@dataclass
class MemoryTables:
    """The tables' contents. What one reservation writes lives together."""

    accounts: dict[str, Account] = field(default_factory=dict)
    turns: dict[str, SignatureTurn] = field(default_factory=dict)
    """Whose turn it is among what wallets sign, by `signature_turn_key`."""
    mints: dict[str, Mint] = field(default_factory=dict)
    """As stored: `standing` is how far they have come."""
    token_operations: dict[str, TokenOperation] = field(default_factory=dict)
    """Transfers and burns, which lie in the same table."""
    collection_operations: dict[str, CollectionOperation] = field(default_factory=dict)
    """Deployments and changes of collections, which lie in the same table."""
    clones: dict[str, Clone] = field(default_factory=dict)
    """What registered collections were made of, by their contracts."""
    transactions: dict[TransactionKey, Transaction] = field(default_factory=dict)
    authorizations: dict[Key, Authorization] = field(default_factory=dict)
    chunks: dict[tuple[str, int], LinesChunk] = field(default_factory=dict)

    def standing(self, mint_id: str) -> Mint | None:
        """Return a mint as it stands."""
        mint = self.mints.get(mint_id)
        return mint if mint is None else as_far_as_any(mint, self.transactions)

    def operation(self, operation_id: str) -> Operation | None:
        """Return an operation of any kind as it stands."""
        operation = self._other(operation_id)
        return (
            self.standing(operation_id) if operation is None else as_far_as_any(operation, self.transactions)
        )

    def stored(self, operation_id: str) -> Operation:
        """Return an operation of any kind as it is stored."""
        return self._other(operation_id) or self.mints[operation_id]

    def _other(self, operation_id: str) -> Operation | None:
        return self.token_operations.get(operation_id) or self.collection_operations.get(operation_id)

    def nonces(self, sender: str) -> set[int]:
        """Return the nonces of a sender, named by its address, that have a transaction on record."""
        return {place.nonce for place in self.transactions if address_of(place.sender_id) == sender}

    def put(self, operation: Operation) -> None:
        """Store an operation as it is given."""
        match operation:
            case Mint():
                self.mints[operation.mint_id] = operation
            case CollectionOperation():
                self.collection_operations[operation.operation_id] = operation
            case TokenOperation():
                self.token_operations[operation.operation_id] = operation

    def carries(self, spent: TransactionKey, operation_id: str) -> bool:
        """Tell whether an operation is left to that transaction, which did nothing on chain so far."""
        stored, carrier = self.stored(operation_id), self.transactions.get(spent)
        still = stored.status is MintStatus.BUILT and carried_by(stored) == spent
        still = still and stored.cancel_requested_at is None
        return still and carrier is not None and may_be_renewed(carrier)

    def free(self, spent: TransactionKey | None, operation_id: str) -> bool:
        """Tell whether an operation is accepted or, if it has a nonce, that one is `spent`."""
        if spent is None:
            return self.stored(operation_id).status is MintStatus.ACCEPTED
        return self.carries(spent, operation_id)

    def leave(self, spent: TransactionKey | None, operation_id: str) -> None:
        """Note on the transaction that carried an operation, if one did, that it does so no more."""
        if spent is not None:
            carrier = self.transactions[spent]
            self.transactions[spent] = carrier.evolve(left=(*(carrier.left or ()), operation_id))


@dataclass
class MemoryAccounts:
    """Accounts, and the mints and transactions that reservations write."""

    tables: MemoryTables
    commits: list[tuple[Advance, ...]] = field(default_factory=list)
    """What was committed, in order."""

    async def get(self, address: str) -> Account | None:
        return self.tables.accounts.get(address)

    async def signature_turn(self, contract: str, wallet: str) -> SignatureTurn | None:
        return self.tables.turns.get(signature_turn_key(CHAIN_ID, contract, wallet))

    async def last_nonce(self, sender: str) -> int | None:
        return max(self.tables.nonces(sender), default=None)

    async def next_nonce(self, sender: str, mined: int) -> int:
        """Return the nonce after those on record, by the same reads as the real tables."""
        known = self.tables.nonces(sender)
        if not known or (mined not in known and mined - 1 in {-1, *known}):
            return mined
        return max(known) + 1

    async def transaction(self, place: TransactionKey) -> Transaction | None:
        return self.tables.transactions.get(place)

    async def commit(self, advances: Sequence[Advance]) -> None:
        """Write all or nothing, under the same conditions as the real tables."""
        claims = [claim for advance in advances for claim in advance.claims]
        lost = frozenset(claim.item for claim in claims if not self._holds(claim))
        made_of = [(advance, advance.transactions()) for advance in advances]
        taken = frozenset(
            advance.sender
            for advance, transactions in made_of
            if any(transaction.key in self.tables.transactions for transaction in transactions)
        )
        if lost or taken:
            raise NotCommitted(lost=lost, taken=taken)
        for advance, transactions in made_of:
            for claim, transaction in zip(advance.claims, transactions, strict=True):
                self._apply(claim, transaction)
        self.commits.append(tuple(advances))

    def _account(self, address: str) -> Account:
        return self.tables.accounts.get(address, Account())

    def _set(self, address: str, **fields: object) -> None:
        self.tables.accounts[address] = self._account(address).evolve(**fields)

    def _holds(self, claim: Claim) -> bool:
        match claim:
            case TopUpClaim():
                return self._account(claim.wallet).top_up_nonce == claim.replaces
            case RelayedClaim():
                turn = self.tables.turns.get(claim.turn_key)
                over = (None if turn is None else turn.operation_id) == claim.replaces
                return over and self.tables.free(claim.spent, claim.operation.operation_id)
            case OperationClaim():
                return self.tables.free(claim.spent, claim.operation.operation_id)
            case BatchClaim():
                return True

    def _apply(self, claim: Claim, transaction: Transaction) -> None:
        match claim:
            case TopUpClaim():
                self._set(claim.wallet, **claim.update(transaction.nonce))
            case OperationClaim():
                stored = self.tables.stored(claim.operation.operation_id)
                self.tables.leave(claim.spent, claim.operation.operation_id)
                self.tables.put(stored.evolve(**claim.update(transaction.nonce)))
                if isinstance(claim, RelayedClaim):
                    self.tables.turns[claim.turn_key] = claim.turn()
            case BatchClaim():
                pass
        self.tables.transactions[transaction.key] = transaction

    async def claim(self, batch: Transaction, claims: Sequence[LineClaim]) -> frozenset[str]:
        self._claiming(batch)
        won = set()
        for claim in claims:
            mint_id = claim.mint.mint_id
            stored = self.tables.mints[mint_id]
            if self.tables.free(claim.spent, mint_id):
                self.tables.leave(claim.spent, mint_id)
                self.tables.mints[mint_id] = stored.evolve(**claim.update(batch))
            elif stored.status is not MintStatus.BUILT or carried_by(stored) != batch.key:
                continue
            won.add(mint_id)
        return frozenset(won)

    async def seal(self, batch: Transaction) -> None:
        kept = self._claiming(batch)
        self.tables.transactions[batch.key] = kept.evolve(
            operations=batch.operations,
            meaning=batch.meaning,
            filling_at=batch.filling_at,
            updated_at=batch.updated_at,
            claiming=None,
        )

    def _claiming(self, batch: Transaction) -> Transaction:
        stored = self.tables.transactions.get(batch.key)
        if stored is None or stored.claiming is None or stored.state is not TransactionState.RESERVED:
            raise Conflict(f"batch {batch.key.name} is not to be claimed for")
        return stored


@dataclass
class MemoryOperations:
    """Records of what was asked for."""

    tables: MemoryTables

    async def get(self, operation_id: str) -> Operation | None:
        return self.tables.operation(operation_id)

    async def lines(self, request_id: str, chunk: int) -> LinesOnRecord:
        """Return the mints of a chunk, of which those that are missing are created first."""
        kept = self.tables.chunks.get((request_id, chunk))
        for mint in () if kept is None else kept.mints():
            self.tables.mints.setdefault(mint.mint_id, mint)
        ids = [line_mint_id(request_id, chunk, number) for number in range(MAX_CHUNK)]
        mints = (self.tables.standing(mint_id) for mint_id in ids)
        authorization = MISSING if kept is None else Authorization(envelope=kept.envelope)
        return LinesOnRecord(tuple(mint for mint in mints if mint is not None), authorization)

    async def authorization(self, operation: Operation) -> Authorization:
        """Return what an operation's user authorized."""
        return lookup(operation, self.tables.authorizations)

    async def with_authorization(
        self, operation_id: str, digest: bytes | None
    ) -> tuple[Operation, Authorization] | None:
        del digest
        operation = await self.get(operation_id)
        return None if operation is None else (operation, await self.authorization(operation))

    async def reject(
        self, operation_id: str, problem: Problem, *, at: int, spent: TransactionKey | None = None
    ) -> None:
        """End an accepted operation, or one whose nonce is spent."""
        stored = self.tables.stored(operation_id)
        if not self.tables.free(spent, operation_id):
            raise Conflict(f"{operation_id} is {stored.status.value}")
        carrier = None if spent is None else self.tables.transactions[spent]
        if carrier is not None and carrier.kind != "batch":
            filled = carrier.evolve(filling_at=carrier.filling_at or at, updated_at=at)
            self.tables.transactions[carrier.key] = filled
        elif carrier is not None:
            self.tables.leave(spent, operation_id)
        fields = {"status": MintStatus.REJECTED, "problem": problem, "updated_at": at}
        self.tables.put(stored.evolve(**fields))

    async def wait(self, operation_id: str, problem: Problem) -> None:
        self.tables.put(self._accepted(operation_id).evolve(waiting=problem))

    async def build_voucher(self, mint: Mint, claim: VoucherClaim) -> None:
        self.tables.put(self._accepted(mint.mint_id).evolve(**claim.update()))

    def _accepted(self, operation_id: str) -> Operation:
        stored = self.tables.stored(operation_id)
        if stored.status is not MintStatus.ACCEPTED:
            raise Conflict(f"{operation_id} is {stored.status.value}")
        return stored


@dataclass
class MemoryCollections:
    """The registered collections."""

    tables: MemoryTables

    async def clone(self, contract: str) -> Clone | None:
        """Return what a factory made a collection of."""
        return self.tables.clones.get(contract)


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
