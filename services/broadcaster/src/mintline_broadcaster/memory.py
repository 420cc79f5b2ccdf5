"""The broadcaster's world in memory: a ledger, and a chain with a pool that behaves as geth's does."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from mintline.authorizations import Authorization, Key, lookup
from mintline.chain.answers import FeeMarket, Receipt
from mintline.chain.calls import Call
from mintline.chain.send_facts import SendAnswer, SendFact
from mintline.eth import keccak256
from mintline.kinds import meaning_of
from mintline.messages import AnyIntent, Fees
from mintline.records import (
    Attempt,
    Mint,
    Operation,
    Problem,
    TokenOperation,
    Transfer,
    created_key,
    open_shard,
)
from mintline.states import UNDECIDED, MintStatus, TransactionState, may, stored_sources, transaction_may
from mintline.transaction_records import (
    Outcome,
    Place,
    Transaction,
    as_far_as_any,
    carried_by,
    open_key,
    place_of,
    sender_shard,
)
from mintline_broadcaster.ports import (
    Final,
    MintMoved,
    OpenMint,
    OpenTransaction,
    Seal,
    SignedTransaction,
    TransactionMoved,
)
from mintline_broadcaster.sweeping import next_sweep

_ENDED = frozenset({MintStatus.FINALIZED, MintStatus.REJECTED})
POOL_BUMP_PERCENT = 10
"""geth's default: a replacement offers at least this much more on both fields."""


@dataclass
class MemoryLedger:
    """A Ledger of dictionaries; every call gives way to other tasks first, as a real one would."""

    mints: dict[str, Mint] = field(default_factory=dict)
    """As they are stored: see `as_far_as`."""
    token_operations: dict[str, TokenOperation] = field(default_factory=dict)
    """Transfers and burns, which lie in the same table."""
    transactions: dict[Place, Transaction] = field(default_factory=dict)
    signed: dict[bytes, SignedTransaction] = field(default_factory=dict)
    mintings: dict[tuple[str, int | None], Transfer] = field(default_factory=dict)
    """The transfers in the index that made a token, by contract and id."""
    digests: dict[tuple[str, int | None], bytes] = field(default_factory=dict)
    """The metadata digests of the tokens in the index, by contract and id."""
    indexed: Final = field(default_factory=Final)
    """The newest block that is final and indexed."""
    authorizations: dict[Key, Authorization] = field(default_factory=dict)

    async def record(self, signed: SignedTransaction) -> None:
        """Write signed bytes down, once."""
        await asyncio.sleep(0)
        self.signed.setdefault(signed.tx_hash, signed)

    async def read_signed(self, tx_hashes: Iterable[bytes]) -> dict[bytes, SignedTransaction]:
        """Read the signed transactions that are on record."""
        await asyncio.sleep(0)
        wanted = list(tx_hashes)
        return {one: self.signed[one] for one in wanted if one in self.signed}

    async def transaction(self, place: Place) -> Transaction | None:
        """Read a transaction."""
        await asyncio.sleep(0)
        return self.transactions.get(place)

    async def transactions_from(self, first: Place) -> list[Transaction]:
        """Return a sender's open transactions from that nonce on, in the order of nonces."""
        await asyncio.sleep(0)
        own = (one for place, one in self.transactions.items() if place.sender_id == first.sender_id)
        found = (one for one in own if one.nonce >= first.nonce and one.state is not TransactionState.FINAL)
        return sorted(found, key=lambda one: one.nonce)

    async def open_transactions(
        self, shard: str, *, after: OpenTransaction | None, limit: int
    ) -> list[OpenTransaction]:
        """Return up to `limit` open transactions of a shard, oldest first."""
        await asyncio.sleep(0)
        found = sorted(
            (open_key(one.place, one.reserved_at), OpenTransaction(one.place, one.reserved_at))
            for one in self.transactions.values()
            if one.state is not TransactionState.FINAL and sender_shard(one.sender_id) == shard
        )
        start = "" if after is None else open_key(after.place, after.reserved_at)
        return [key for position, key in found if position > start][:limit]

    async def enter(self, intent: AnyIntent, attempt: Attempt) -> None:
        """Take the intent's own transaction from reserved to submitted."""
        await asyncio.sleep(0)
        transaction = self.transactions.get(place_of(intent.signer, intent.nonce))
        if (
            transaction is None
            or transaction.state is not TransactionState.RESERVED
            or transaction.filling_at is not None
            or transaction.claiming
            or (transaction.meaning, transaction.gas) != (meaning_of(intent), intent.gas)
            or transaction.signer != intent.signer
        ):
            raise TransactionMoved(transaction)
        self._move(
            transaction,
            state=TransactionState.SUBMITTED,
            attempts=(attempt,),
            submitted_at=attempt.at,
            updated_at=attempt.at,
        )

    async def add_attempt(self, transaction: Transaction, attempt: Attempt) -> None:
        """Append to a transaction's attempts, if they are still these."""
        current = await self._unchanged(transaction)
        kept_back = current.filling_at is not None or current.claiming
        if current.state not in UNDECIDED or (kept_back and not attempt.fills):
            raise TransactionMoved(current)
        changes: dict[str, object] = {}
        if current.submitted_at is None and not attempt.fills:
            changes["submitted_at"] = attempt.at
        if current.filling_at is None and attempt.fills:
            changes["filling_at"] = attempt.at
        if current.claiming and attempt.fills:
            changes["claiming"] = None
        self._move(
            current,
            state=TransactionState.SUBMITTED,
            attempts=(*current.attempts, attempt),
            updated_at=attempt.at,
            **changes,
        )

    async def open_gap(self, transaction: Transaction) -> Transaction | None:
        """Create the record of a nonce that nobody reserved, or open one that was closed as filled."""
        await asyncio.sleep(0)
        current = self.transactions.get(transaction.place)
        if current is None:
            self.transactions[transaction.place] = transaction
        elif current.state is TransactionState.FINAL and current.outcome in ("filled", "used"):
            self._move(
                current,
                state=TransactionState.SUBMITTED,
                filling_at=transaction.reserved_at,
                updated_at=transaction.reserved_at,
                outcome=None,
                finalized_at=None,
            )
        else:
            return None
        return self.transactions[transaction.place]

    async def mark(self, transaction: Transaction, *, at: int) -> None:
        """Note that a transaction is sent on, if nobody did since it was read."""
        await asyncio.sleep(0)
        current = self.transactions.get(transaction.place)
        if current is None or _position(current) != _position(transaction):
            raise TransactionMoved(current)
        self._move(current, swept_at=at, sweeps=next_sweep(transaction))

    async def fill(self, transaction: Transaction, *, at: int) -> None:
        """Note that an open transaction's nonce is for a no-op from now on."""
        await asyncio.sleep(0)
        self._fill(transaction, at)

    def _fill(self, transaction: Transaction, at: int) -> None:
        current = self.transactions.get(transaction.place)
        if current is None or current.state is not transaction.state:
            raise TransactionMoved(current)
        self._move(current, filling_at=transaction.filling_at or at, updated_at=at)

    async def reseal(self, batch: Transaction, seal: Seal, *, at: int) -> None:
        """Leave operations out of a batch that is still to be signed, as it was read."""
        await asyncio.sleep(0)
        self._reseal(batch, seal, at)

    def _reseal(self, batch: Transaction, seal: Seal, at: int) -> None:
        current = self.transactions.get(batch.place)
        if (
            current is None
            or current.state is not TransactionState.RESERVED
            or current.filling_at is not None
            or current.claiming
            or current.meaning != batch.meaning
        ):
            raise TransactionMoved(current)
        self._move(current, operations=seal.operations, meaning=seal.meaning, updated_at=at)

    async def close(self, transaction: Transaction, outcome: Outcome, *, at: int) -> None:
        """Note that the nonce is used for good, if the record is as it was read."""
        current = await self._unchanged(transaction)
        self._move(current, state=TransactionState.FINAL, outcome=outcome, finalized_at=at, updated_at=at)

    async def _unchanged(self, transaction: Transaction) -> Transaction:
        await asyncio.sleep(0)
        current = self.transactions.get(transaction.place)
        if (
            current is None
            or current.state is not transaction.state
            or current.attempts != transaction.attempts
        ):
            raise TransactionMoved(current)
        return current

    def _move(self, transaction: Transaction, **fields: object) -> None:
        target = fields.get("state", transaction.state)
        assert isinstance(target, TransactionState)
        assert target is transaction.state or transaction_may(transaction.state, target)
        self.transactions[transaction.place] = transaction.evolve(**fields)

    async def get(self, operation_id: str) -> Operation | None:
        """Read an operation."""
        await asyncio.sleep(0)
        return self.operation(operation_id)

    async def envelope(self, operation: Operation) -> bytes:
        """Return an operation's authorization envelope."""
        await asyncio.sleep(0)
        return lookup(operation, self.authorizations).envelope

    def standing(self, mint_id: str) -> Mint | None:
        """Return a mint as it stands."""
        mint = self.mints.get(mint_id)
        return mint if mint is None else as_far_as_any(mint, self.transactions)

    def operation(self, operation_id: str) -> Operation | None:
        """Return an operation of any kind as it stands."""
        found = self.token_operations.get(operation_id)
        return self.standing(operation_id) if found is None else as_far_as_any(found, self.transactions)

    async def operations(self, ids: Iterable[str]) -> dict[str, Operation]:
        """Read the operations that exist."""
        await asyncio.sleep(0)
        found = ((one, self.operation(one)) for one in ids)
        return {name: operation for name, operation in found if operation is not None}

    async def reject(
        self,
        operation: Operation,
        problem: Problem,
        *,
        at: int,
        carried: Transaction | None = None,
        seal: Seal | None = None,
    ) -> None:
        """End an operation that is still where it was read."""
        await asyncio.sleep(0)
        if not may(operation.status, MintStatus.REJECTED):
            raise MintMoved(operation)
        current = self._stored(operation, MintStatus.REJECTED)
        try:
            if carried is not None and seal is not None:
                self._reseal(carried, seal, at)
            elif carried is not None:
                self._fill(carried, at)
        except TransactionMoved:
            raise MintMoved(self.operation(operation.operation_id)) from None
        self._change(current, status=MintStatus.REJECTED, problem=problem, updated_at=at)

    def _record(self, operation_id: str) -> Operation | None:
        """Return an operation as it is stored."""
        return self.mints.get(operation_id) or self.token_operations.get(operation_id)

    def _stored(self, operation: Operation, target: MintStatus) -> Operation:
        """Return an operation's record, if it is as it was read and may move to `target`."""
        current = self._record(operation.operation_id)
        carried = carried_by(operation) is not None and operation.status is not MintStatus.ACCEPTED
        stored = MintStatus.BUILT if carried else operation.status
        if (
            current is None
            or current.status is not stored
            or current.nonce != operation.nonce
            or stored not in stored_sources(target)
        ):
            raise MintMoved(self.operation(operation.operation_id))
        return current

    async def final(self) -> Final:
        """Return the newest block that is final and indexed."""
        await asyncio.sleep(0)
        return self.indexed

    async def minting(self, mint: Mint) -> Transfer | None:
        """Return the transfer that made a mint's token."""
        await asyncio.sleep(0)
        return self.mintings.get((mint.contract, mint.token_id))

    async def minted_digest(self, mint: Mint) -> bytes | None:
        """Return the metadata digest that a mint's token was made with."""
        await asyncio.sleep(0)
        return self.digests.get((mint.contract, mint.token_id))

    async def mine(self, mint: Mint, minting: Transfer, *, at: int) -> None:
        """Move a mint that is still where it was read to mined."""
        await asyncio.sleep(0)
        self._change(
            self._stored(mint, MintStatus.MINED),
            status=MintStatus.MINED,
            tx_hash=minting.tx_hash,
            block_number=minting.block_number,
            block_hash=minting.block_hash,
            problem=None,
            waiting=None,
            mined_at=at,
            updated_at=at,
        )

    async def finalize(self, mint_id: str, minting: Transfer, *, at: int) -> None:
        """Move a mint that this transfer's transaction mined to finalized."""
        await asyncio.sleep(0)
        mint = self.mints.get(mint_id)
        if mint is None or mint.status is not MintStatus.MINED or mint.tx_hash != minting.tx_hash:
            raise MintMoved(self.standing(mint_id))
        self._change(mint, status=MintStatus.FINALIZED, finalized_at=at, updated_at=at)

    async def open_mints(self, shard: str, *, after: OpenMint | None, limit: int) -> list[OpenMint]:
        """Return up to `limit` open operations of a shard, oldest first."""
        await asyncio.sleep(0)
        found = sorted(
            (created_key(one.created_at, one.operation_id), OpenMint(one.operation_id, one.created_at))
            for one in (*self.mints.values(), *self.token_operations.values())
            if one.status not in _ENDED and one.nonce is None and open_shard(one.operation_id) == shard
        )
        start = "" if after is None else created_key(after.created_at, after.mint_id)
        return [key for position, key in found if position > start][:limit]

    async def mark_swept(self, operation: Operation, *, at: int) -> None:
        """Note that an operation is sent on, if nobody did since it was read."""
        await asyncio.sleep(0)
        current = self._record(operation.operation_id)
        if current is None or _operation_position(current) != _operation_position(operation):
            raise MintMoved(self.operation(operation.operation_id))
        self._change(current, swept_at=at, sweeps=next_sweep(operation))

    def _change(self, operation: Operation, **fields: object) -> None:
        match operation:
            case Mint():
                if fields.get("status") in _ENDED:
                    fields["authorization"] = None
                self.mints[operation.mint_id] = operation.evolve(**fields)
            case TokenOperation():
                self.token_operations[operation.operation_id] = operation.evolve(**fields)


def _position(transaction: Transaction) -> tuple[TransactionState, int, int | None]:
    return transaction.state, transaction.updated_at, transaction.swept_at


def _operation_position(operation: Operation) -> tuple[MintStatus, int, int | None]:
    return operation.status, operation.updated_at, operation.swept_at


@dataclass(frozen=True, slots=True)
class Decoded:
    """What a chain reads in a raw transaction; amounts in wei."""

    sender: str
    nonce: int
    gas: int
    fees: Fees
    value: int = 0

    @property
    def cost(self) -> int:
        """The most that it takes from its sender."""
        return self.gas * self.fees.max_fee_per_gas + self.value


@dataclass
class MemoryChain:
    """A Chain of one node: `decode` reads raw transactions, `mine` and `finalize` move it on."""

    decode: Callable[[bytes], Decoded]
    base_fee: int = 1_000_000_000
    minimum_tip: int = 0
    block_gas: int = 60_000_000
    transfer_gas: int = 21_000
    """What a transfer needs, and any transaction at least."""
    pool_size: int = 10_000
    default_balance: int = 10**18
    balances: dict[str, int] = field(default_factory=dict)
    number: int = 0
    receipts: dict[bytes, Receipt] = field(default_factory=dict)
    sends: list[bytes] = field(default_factory=list)
    """Every raw transaction that was sent, in order, refused ones included."""
    pool: dict[tuple[str, int], tuple[bytes, Decoded]] = field(default_factory=dict)
    nonces: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))
    final_nonces: dict[bytes, dict[str, int]] = field(default_factory=dict)
    """Next nonces by address, on each final block by its hash."""
    minted: dict[tuple[str, int], bytes] = field(default_factory=dict)
    """The metadata digests of tokens on chain, by contract and id, in whatever block is asked for."""
    stateless: bool = False
    """Whether the node keeps no state of the blocks that it is asked for."""
    clock: Callable[[], float] = lambda: 0.0
    """Unix seconds, by which blocks are stamped."""
    stamps: list[int] = field(default_factory=list)
    """Unix seconds of each block, oldest first."""

    async def send_raw(self, raw: bytes) -> SendAnswer:
        """Take a transaction into the pool, or say why not."""
        await asyncio.sleep(0)
        self.sends.append(raw)
        fact = self._admit(keccak256(raw), self.decode(raw))
        return SendAnswer(fact, "" if fact is SendFact.ACCEPTED else fact.value)

    def _admit(self, tx_hash: bytes, sent: Decoded) -> SendFact:  # noqa: PLR0911 - one return for each fact
        place = (sent.sender, sent.nonce)
        present = self.pool.get(place)
        if present is not None and present[0] == tx_hash:
            return SendFact.ALREADY_KNOWN
        if sent.gas < self.transfer_gas:
            return SendFact.INTRINSIC_GAS
        if sent.gas > self.block_gas:
            return SendFact.EXCEEDS_BLOCK_GAS
        if sent.nonce < self.nonces[sent.sender]:
            return SendFact.NONCE_TOO_LOW
        if sent.fees.max_priority_fee_per_gas < self.minimum_tip:
            return SendFact.UNDERPRICED
        pending = sum(
            other.cost for at, (_, other) in self.pool.items() if at[0] == sent.sender and at[1] != sent.nonce
        )
        if pending + sent.cost > self._balance(sent.sender):
            return SendFact.INSUFFICIENT_FUNDS
        if present is not None and not _outbids(sent.fees, present[1].fees):
            return SendFact.REPLACEMENT_UNDERPRICED
        if present is None and len(self.pool) >= self.pool_size and not self._executable(place):
            return SendFact.POOL_FULL
        self.pool[place] = (tx_hash, sent)
        return SendFact.ACCEPTED

    def _balance(self, address: str) -> int:
        return self.balances.get(address, self.default_balance)

    def _executable(self, place: tuple[str, int]) -> bool:
        """Tell whether no nonce before this one is missing: a full pool turns only the others away."""
        sender, nonce = place
        return all((sender, earlier) in self.pool for earlier in range(self.nonces[sender], nonce))

    async def receipt(self, tx_hash: bytes) -> Receipt | None:
        """Return a mined transaction's receipt, or None."""
        await asyncio.sleep(0)
        return self.receipts.get(tx_hash)

    async def transaction_count(self, address: str) -> int:
        """Return an account's next nonce."""
        await asyncio.sleep(0)
        return self.nonces[address]

    async def transaction_count_at(self, address: str, block_hash: bytes) -> int | None:
        """Return an account's next nonce on a block that was the newest when it became final."""
        await asyncio.sleep(0)
        nonces = self.final_nonces.get(block_hash)
        return None if nonces is None else nonces.get(address, 0)

    async def is_minted(self, contract: str, token_id: int, block_hash: bytes) -> bool | None:
        """Tell whether a token is among those in `minted`; None while the state is gone."""
        await asyncio.sleep(0)
        del block_hash
        return None if self.stateless else (contract, token_id) in self.minted

    async def minted_digest(self, contract: str, token_id: int, block_hash: bytes) -> bytes | None:
        """Return the digest of a token in `minted`; None while the state is gone."""
        await asyncio.sleep(0)
        del block_hash
        return None if self.stateless else self.minted.get((contract, token_id))

    async def balance(self, address: str) -> int:
        """Return what an account holds, in wei."""
        await asyncio.sleep(0)
        return self._balance(address)

    async def fees(self) -> FeeMarket:
        """Return what the next block asks."""
        await asyncio.sleep(0)
        return FeeMarket(base_fee=self.base_fee, priority_fee=self.minimum_tip)

    async def estimate_gas(self, call: Call) -> int:
        """Return the gas that a transfer needs."""
        await asyncio.sleep(0)
        assert not call.data
        return self.transfer_gas

    async def timestamp(self, blocks_ago: int) -> int:
        """Return the Unix seconds of the block so many before the latest; 0 if the chain is shorter."""
        await asyncio.sleep(0)
        return self.stamps[-1 - blocks_ago] if blocks_ago < len(self.stamps) else 0

    async def time(self) -> int:
        """Return the latest block's timestamp, in Unix seconds."""
        await asyncio.sleep(0)
        return self.stamps[-1] if self.stamps else int(self.clock())

    def mine(self) -> None:
        """Mine what the pool holds without a gap in its sender's nonces and above the base fee."""
        self.number += 1
        self.stamps.append(int(self.clock()))
        for place in sorted(self.pool):
            tx_hash, sent = self.pool[place]
            if sent.nonce == self.nonces[sent.sender] and sent.fees.max_fee_per_gas >= self.base_fee:
                del self.pool[place]
                self.use_nonce(sent.sender)
                self.receipts[tx_hash] = Receipt(tx_hash, True, self.number, bytes(32), sent.gas)  # noqa: FBT003

    def use_nonce(self, address: str) -> None:
        """Move an account on, as a transaction from elsewhere would."""
        self.nonces[address] += 1

    def finalize(self) -> Final:
        """Make everything mined so far final, and return the block that an index may know of then."""
        block_hash = keccak256(b"block %d" % self.number)
        self.final_nonces[block_hash] = dict(self.nonces)
        return Final(self.number, self.stamps[-1] if self.stamps else 0, block_hash)


def _outbids(offer: Fees, present: Fees) -> bool:
    pairs = (
        (offer.max_fee_per_gas, present.max_fee_per_gas),
        (offer.max_priority_fee_per_gas, present.max_priority_fee_per_gas),
    )
    return all(new > old and new * 100 >= old * (100 + POOL_BUMP_PERCENT) for new, old in pairs)
