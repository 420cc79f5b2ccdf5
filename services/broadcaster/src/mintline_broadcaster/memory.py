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
from mintline.messages import Fees, SignMint
from mintline.records import Attempt, Mint, Problem, Transfer, created_key, open_shard
from mintline.states import MintStatus, may
from mintline_broadcaster.on_record import OutcomeRefused, check_intent
from mintline_broadcaster.ports import Final, MintMoved, OpenMint, OpenTransaction, SignedTransaction
from mintline_broadcaster.sweeping import next_sweep

_ENDED = frozenset({MintStatus.FINALIZED, MintStatus.REJECTED})
POOL_BUMP_PERCENT = 10
"""geth's default: a replacement offers at least this much more on both fields."""


@dataclass
class MemoryLedger:
    """A Ledger of dictionaries; every call gives way to other tasks first, as a real one would."""

    mints: dict[str, Mint] = field(default_factory=dict)
    transactions: dict[bytes, SignedTransaction] = field(default_factory=dict)
    closed: set[bytes] = field(default_factory=set)
    """Top-ups and no-ops whose nonce is final."""
    unfilled: set[str] = field(default_factory=set)
    """Rejected mints whose nonce is not used for good."""
    mintings: dict[tuple[str, int | None], Transfer] = field(default_factory=dict)
    """The transfers in the index that made a token, by contract and id."""
    digests: dict[tuple[str, int | None], bytes] = field(default_factory=dict)
    """The metadata digests of the tokens in the index, by contract and id."""
    indexed: Final = field(default_factory=Final)
    """The newest block that is final and indexed."""
    authorizations: dict[Key, Authorization] = field(default_factory=dict)

    async def record(self, transaction: SignedTransaction) -> None:
        """Write a transaction down, once; open it again."""
        await asyncio.sleep(0)
        self.transactions.setdefault(transaction.tx_hash, transaction)
        self.closed.discard(transaction.tx_hash)

    async def get(self, mint_id: str) -> Mint | None:
        """Read a mint."""
        await asyncio.sleep(0)
        return self.mints.get(mint_id)

    async def envelope(self, mint: Mint) -> bytes:
        """Return a mint's authorization envelope."""
        await asyncio.sleep(0)
        return lookup(mint, self.authorizations).envelope

    async def submit(self, intent: SignMint, attempt: Attempt, *, earlier: tuple[Attempt, ...] = ()) -> None:
        """Move the intent's mint, built with its nonce, to submitted."""
        await asyncio.sleep(0)
        mint = self.mints.get(intent.mint_id)
        if mint is None or mint.status is not MintStatus.BUILT or not _is_own(intent, mint):
            raise MintMoved(mint)
        self._change(
            mint,
            status=MintStatus.SUBMITTED,
            attempts=(*earlier, attempt),
            submitted_at=attempt.at,
            updated_at=attempt.at,
        )

    async def add_attempt(self, mint: Mint, attempt: Attempt) -> None:
        """Append to the attempts of a submitted mint, if they are still `mint`'s."""
        await asyncio.sleep(0)
        current = self.mints.get(mint.mint_id)
        if current is None or current.status is not MintStatus.SUBMITTED or current.attempts != mint.attempts:
            raise MintMoved(current)
        self._change(current, attempts=(*current.attempts, attempt), updated_at=attempt.at)

    async def reject(
        self, mint_id: str, problem: Problem, *, source: MintStatus, at: int, unfilled: bool = False
    ) -> None:
        """End a mint that is still in `source`."""
        await asyncio.sleep(0)
        mint = self.mints.get(mint_id)
        if mint is None or mint.status is not source or not may(source, MintStatus.REJECTED):
            raise MintMoved(mint)
        self._change(mint, status=MintStatus.REJECTED, problem=problem, updated_at=at)
        if unfilled:
            self.unfilled.add(mint_id)

    async def close_mint(self, mint_id: str) -> None:
        """Note that a rejected mint's nonce is used for good."""
        await asyncio.sleep(0)
        self.unfilled.discard(mint_id)

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
        """Move a mint that is still in `mint`'s state to mined."""
        await asyncio.sleep(0)
        current = self.mints.get(mint.mint_id)
        if current is None or current.status is not mint.status or not may(mint.status, MintStatus.MINED):
            raise MintMoved(current)
        self._change(
            current,
            status=MintStatus.MINED,
            tx_hash=minting.tx_hash,
            block_number=minting.block_number,
            block_hash=minting.block_hash,
            problem=None,
            mined_at=at,
            updated_at=at,
        )

    async def finalize(self, mint_id: str, minting: Transfer, *, at: int) -> None:
        """Move a mint that this transfer's transaction mined to finalized."""
        await asyncio.sleep(0)
        mint = self.mints.get(mint_id)
        if mint is None or mint.status is not MintStatus.MINED or mint.tx_hash != minting.tx_hash:
            raise MintMoved(mint)
        self._change(mint, status=MintStatus.FINALIZED, finalized_at=at, updated_at=at)

    async def open_mints(self, shard: str, *, after: OpenMint | None, limit: int) -> list[OpenMint]:
        """Return up to `limit` open mints of a shard, oldest first."""
        await asyncio.sleep(0)
        found = sorted(
            (created_key(mint.created_at, mint.mint_id), OpenMint(mint.mint_id, mint.created_at))
            for mint in self.mints.values()
            if (mint.status not in _ENDED or mint.mint_id in self.unfilled)
            and open_shard(mint.mint_id) == shard
        )
        start = "" if after is None else created_key(after.created_at, after.mint_id)
        return [key for position, key in found if position > start][:limit]

    async def read_mints(self, mint_ids: Iterable[str]) -> dict[str, Mint]:
        """Read the mints that exist."""
        await asyncio.sleep(0)
        wanted = list(mint_ids)
        return {one: self.mints[one] for one in wanted if one in self.mints}

    async def mark_swept(self, mint: Mint, *, at: int) -> None:
        """Note that a mint is sent on, if nobody did since `mint` was read."""
        await asyncio.sleep(0)
        current = self.mints.get(mint.mint_id)
        if current is None or _position(current) != _position(mint):
            raise MintMoved(current)
        self._change(current, swept_at=at, sweeps=next_sweep(mint))

    async def read_transactions(self, tx_hashes: Iterable[bytes]) -> dict[bytes, SignedTransaction]:
        """Read the transactions that are on record."""
        await asyncio.sleep(0)
        wanted = list(tx_hashes)
        return {one: self.transactions[one] for one in wanted if one in self.transactions}

    async def open_transactions(self, *, after: OpenTransaction | None, limit: int) -> list[OpenTransaction]:
        """Return up to `limit` top-ups and no-ops whose nonce is not final, oldest first."""
        await asyncio.sleep(0)
        found = sorted(
            (one.at, one.tx_hash)
            for one in self.transactions.values()
            if one.intent is not None and one.tx_hash not in self.closed
        )
        start = (-1, b"") if after is None else (after.at, after.tx_hash)
        return [OpenTransaction(tx_hash, at) for at, tx_hash in found if (at, tx_hash) > start][:limit]

    async def close(self, tx_hash: bytes) -> None:
        """Note that the nonce of a top-up or no-op is final."""
        await asyncio.sleep(0)
        self.closed.add(tx_hash)

    def _change(self, mint: Mint, **fields: object) -> None:
        if fields.get("status") in _ENDED:
            fields["authorization"] = None
        self.mints[mint.mint_id] = mint.evolve(**fields)


def _position(mint: Mint) -> tuple[MintStatus, int, int | None]:
    return mint.status, mint.updated_at, mint.swept_at


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


def _is_own(intent: SignMint, mint: Mint) -> bool:
    try:
        check_intent(intent, mint)
    except OutcomeRefused:
        return False
    return True


def _outbids(offer: Fees, present: Fees) -> bool:
    pairs = (
        (offer.max_fee_per_gas, present.max_fee_per_gas),
        (offer.max_priority_fee_per_gas, present.max_priority_fee_per_gas),
    )
    return all(new > old and new * 100 >= old * (100 + POOL_BUMP_PERCENT) for new, old in pairs)
