"""Random chains, reorgs, faults and rivals against a replay of the canonical chain."""

from __future__ import annotations

import asyncio
import hashlib
import os
import random
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from mintline.clock import Monotonic, UnixMs
from mintline.errors import Unavailable
from mintline.messages.parts import Fees, KeyRef
from mintline.records.index import Balance, Token, Transfer
from mintline.records.keys import position, token_ref
from mintline.records.operations import Attempt, Mint
from mintline.records.transactions import as_far_as, transaction_key_of
from mintline.states import MintStatus, TransactionState
from mintline_indexer.chain_port import ItemMintedEvent, ItemTransferEvent, TransferEvent
from mintline_indexer.indexer import Indexer
from mintline_indexer.metrics import Metrics
from mintline_indexer.store_port import Attempted, BalanceKey, TokenKey
from mintline_testkit.chain import FakeChain, Mined, Move, Sent
from mintline_testkit.constants import CHAIN_ID
from mintline_testkit.indexer.store import MemoryCollectionRegistry, MemoryStore
from mintline_testkit.records import make_mint, make_transaction

FINALITY = 4
CONTRACTS = tuple("0x" + f"{n}" * 40 for n in (1, 2))
OWNERS = tuple("0x" + f"{n}" * 40 for n in (3, 4, 5))
ELSEWHERE = "0x" + "6" * 40
SENDER = KeyRef(address=OWNERS[0], subject="user", chain_id=CHAIN_ID, secret_id="secret")
ITEMS = (10**6, 10**6 + 1)
"""Token ids of items of ERC-1155, apart from those of tokens."""
SEEDS = int(os.environ.get("INDEXER_SEEDS", "40"))


class Crash(BaseException):
    """The process dies here."""


class Faulty:
    """A port that fails before or after the deed, at random, and yields to rivals in between."""

    def __init__(self, port: Any, rng: random.Random, rate: Callable[[], float]) -> None:
        self._port, self._rng, self._rate = port, rng, rate

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._port, name)

        async def call(*args: Any, **kwargs: Any) -> Any:
            await asyncio.sleep(0)
            self._strike()
            result = await method(*args, **kwargs)
            self._strike()
            await asyncio.sleep(0)
            return result

        return call

    def _strike(self) -> None:
        if self._rng.random() < self._rate():
            raise self._rng.choice([Crash(), Unavailable("the port is out of order")])


class Harness:
    """A chain that anyone uses, the store, and two instances of the indexer."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.chain = FakeChain(finality=FINALITY, widest=self.rng.choice([1, 3, 100]))
        self.attempts: dict[bytes, Attempted] = {}
        self.store = MemoryStore(attempt_table=self.attempts)
        self.collections = MemoryCollectionRegistry()
        self.metrics = Metrics(CollectorRegistry())
        self.whole = self.rng.choice([0, 1_000])
        self.fault_rate = 0.0
        self.time = 0.0
        self.starts = 0
        self.sent: dict[bytes, Sent] = {}
        self.dropped: list[Sent] = []
        self.next_token = 1
        self.checked: Any = None
        self.indexers = [self.start(), self.start()]

    def start(self) -> Indexer:
        self.starts += 1
        return Indexer(
            chain=Faulty(self.chain, self.rng, lambda: self.fault_rate),
            store=Faulty(self.store, self.rng, lambda: self.fault_rate),
            collections=self.collections,
            chain_id=CHAIN_ID,
            writer=f"writer-{self.starts}",
            takeover_after=10.0,
            widest=7,
            whole=self.whole,
            metrics=self.metrics,
            clock=lambda: Monotonic(self.time),
            now=lambda: UnixMs(int(self.time * 1000)),
            rng=self.rng,
            rows_at_once=4,
        )

    # --- what happens on chain ---

    def owners(self) -> dict[TokenKey, str | None]:
        """Who owns what at the tip, burned tokens being owned by None."""
        owners: dict[TokenKey, str | None] = {}
        for mined in self.chain.mined:
            for event in mined.events:
                if isinstance(event, TransferEvent):
                    owners[TokenKey(event.contract, event.token_id)] = event.recipient
        return owners

    def transaction(self, contract: str, moves: tuple[Move, ...], *, ours: bool, direct: bool = True) -> Sent:
        tx_hash = hashlib.sha256(f"tx {len(self.sent)}".encode()).digest()
        sent = Sent(tx_hash, contract if direct else ELSEWHERE, moves, succeeded=bool(moves))
        self.sent[tx_hash] = sent
        if ours:
            self.record(tx_hash, contract, moves)
        return sent

    def record(self, tx_hash: bytes, contract: str, moves: Sequence[Move]) -> None:
        """Record a transaction of ours that carries a mint for each token; one that fails carries one too."""
        place = transaction_key_of(SENDER, len(self.store.transaction_table))
        sent_moves: Sequence[Move | None] = moves or [None]
        mints = [
            built_mint(f"mint_{place.nonce}_{n}", contract, place.nonce, m) for n, m in enumerate(sent_moves)
        ]
        self.store.mint_table |= {mint.mint_id: mint for mint in mints}
        self.store.transaction_table[place] = make_transaction(
            SENDER,
            place.nonce,
            operations=tuple(mint.mint_id for mint in mints),
            fees=Fees(max_fee_per_gas=2, max_priority_fee_per_gas=1),
            state=TransactionState.SUBMITTED,
            attempts=(Attempt(tx_hash=tx_hash, max_fee_per_gas=2, max_priority_fee_per_gas=1, at=0),),
            at=0,
        )
        self.attempts[tx_hash] = Attempted(place)

    def carried(self, tx_hash: bytes) -> list[Mint]:
        """Return the mints that a transaction of ours carries, as they stand."""
        attempt = self.attempts.get(tx_hash)
        if attempt is None or attempt.key is None:
            return []
        transaction = self.store.transaction_table[attempt.key]
        return [
            as_far_as(self.store.mint_table[operation], transaction) for operation in transaction.operations
        ]

    def mint(self, contract: str, *, ours: bool, count: int = 1, direct: bool = True) -> Sent:
        moves = []
        for _ in range(count):
            digest = hashlib.sha256(f"digest {self.next_token}".encode()).digest()
            moves.append(Move(contract, self.next_token, None, self.rng.choice(OWNERS), digest))
            self.next_token += 1
        return self.transaction(contract, tuple(moves), ours=ours, direct=direct)

    def moving(self) -> Sent | None:
        owned = [(key, owner) for key, owner in self.owners().items() if owner is not None]
        if not owned:
            return None
        key, owner = self.rng.choice(owned)
        recipient = self.rng.choice([None, *OWNERS])
        move = Move(key.contract, key.token_id, owner, recipient)
        return self.transaction(key.contract, (move,), ours=False, direct=self.rng.random() < 0.5)

    def moving_items(self, contract: str) -> Sent:
        """Return the transfers of one transaction, each of no more than its sender has by then."""
        held = {
            key: balance.quantity
            for key, balance in replay_balances(self.chain.mined, [contract]).items()
            if key.holder is not None
        }
        moves = []
        for _ in range(self.rng.randint(1, 5)):
            token_id, recipient = self.rng.choice(ITEMS), self.rng.choice([None, *OWNERS])
            had = [key for key, quantity in held.items() if quantity and key.token_id == token_id]
            sender = self.rng.choice([None, *(key.holder for key in had)])
            if sender is None:
                recipient = recipient or OWNERS[0]
            most = 2**200 if sender is None else held[BalanceKey(contract, token_id, sender)]
            quantity = self.rng.choice([1, most])
            moves.append(Move(contract, token_id, sender, recipient, quantity=quantity))
            for holder, change in ((sender, -quantity), (recipient, quantity)):
                key = BalanceKey(contract, token_id, holder)
                held[key] = held.get(key, 0) + change
        return self.transaction(contract, tuple(moves), ours=False, direct=self.rng.random() < 0.5)

    def deployed(self) -> list[str]:
        return [c for c, number in self.collections.deployed.items() if number < len(self.chain.mined)]

    def mine(self) -> None:
        sent: list[Sent] = []
        for contract in self.deployed():
            for _ in range(self.rng.choice([0, 0, 1, 3])):
                ours, direct = self.rng.random() < 0.7, self.rng.random() < 0.9
                sent.append(
                    self.mint(contract, ours=ours, direct=direct, count=self.rng.choice([1, 1, 1, 4]))
                )
            if self.rng.random() < 0.1:
                sent.append(self.transaction(contract, (), ours=True))  # it reverts
            if self.rng.random() < 0.05:
                sent.append(self.mint(contract, ours=False, count=70))
        # Mints of an undone block may be mined again, moves of what they made may not be valid any more.
        again = [tx for tx in self.dropped if self.rng.random() < 0.5]
        self.dropped = [tx for tx in self.dropped if tx not in again]
        self.chain.mine([*sent, *again])
        if (move := self.moving()) is not None:
            self.chain.mine([move])
        for contract in self.deployed():
            if self.rng.random() < 0.5:
                self.chain.mine([self.moving_items(contract)])

    def reorganize(self) -> None:
        deepest = len(self.chain.mined) - 1 - self.chain.finalized
        depth = self.rng.randint(0, deepest)
        gone = self.chain.mined[len(self.chain.mined) - depth :]
        first = [number for number in self.collections.deployed.values() if number > 0]
        if not depth or any(mined.block.number in first for mined in gone):
            return
        for mined in gone:
            for transaction in mined.block.transactions or ():
                sent = self.sent[transaction.hash]
                if all(move.sender is None for move in sent.moves):
                    self.dropped.append(sent)
        self.chain.drop(depth)
        for _ in range(self.rng.randint(max(1, depth - 1), depth + 2)):
            self.mine()

    def deploy(self) -> None:
        """List a contract: freshly deployed, or long after its first tokens were minted."""
        missing = [c for c in CONTRACTS if c not in self.collections.deployed]
        if missing:
            self.collections.deployed[missing[0]] = len(self.chain.mined)
            self.chain.mine()

    # --- what the indexers do about it ---

    async def poll(self, index: int) -> bool:
        self.time += self.rng.choice([0.1, 0.5, 2.0])
        try:
            return await self.indexers[index].poll()
        except Unavailable:
            return True
        except Crash:
            self.indexers[index] = self.start()
            return True

    def standing(self) -> Any:
        progress = self.store.progress
        return progress and (progress.head, progress.finalized, progress.mixed, progress.collections)

    async def settle(self) -> None:
        self.fault_rate = 0.0
        quiet = 0
        while quiet < 3 or not any(indexer.writing for indexer in self.indexers):
            self.time += 2
            before = self.standing()
            busy = any(await asyncio.gather(self.poll(0), self.poll(1)))
            quiet = 0 if busy or self.standing() != before else quiet + 1
        assert [indexer.writing for indexer in self.indexers].count(True) == 1


def built_mint(mint_id: str, contract: str, nonce: int, move: Move | None = None) -> Mint:
    """Return the mint whose token this is, or one whose transaction fails."""
    return make_mint(
        mint_id,
        status=MintStatus.BUILT,
        contract=contract,
        to=OWNERS[0] if move is None or move.recipient is None else move.recipient,
        token_id=None if move is None else move.token_id,
        sender=SENDER,
        nonce=nonce,
        metadata_digest=bytes(32) if move is None or move.digest is None else move.digest,
        at=0,
    )


# --- the oracle: what the tables must hold, recomputed from the blocks ---


def replay(
    world: Harness, blocks: Sequence[Mined], contracts: Sequence[str]
) -> tuple[dict[TokenKey, Token], dict[tuple[str, str], Transfer]]:
    tokens: dict[TokenKey, Token] = {}
    transfers = {}
    for mined in blocks:
        for event in mined.events:
            key = TokenKey(event.contract, event.token_id)
            if event.contract not in contracts:
                continue
            if isinstance(event, ItemMintedEvent):
                continue
            if isinstance(event, ItemTransferEvent):
                tokens.setdefault(key, item_of(event))
            elif not isinstance(event, TransferEvent):
                tokens[key] = tokens[key].model_copy(update={"metadata_digest": event.metadata_digest})
                continue
            at = (token_ref(CHAIN_ID, *key), position(event.block_number, event.log_index))
            transfers[at] = Transfer(
                chain_id=CHAIN_ID,
                contract=event.contract,
                token_id=event.token_id,
                sender=event.sender,
                recipient=event.recipient,
                block_number=event.block_number,
                block_hash=event.block_hash,
                log_index=event.log_index,
                tx_hash=event.tx_hash,
                timestamp=mined.block.timestamp,
                quantity=event.quantity if isinstance(event, ItemTransferEvent) else None,
            )
            if isinstance(event, ItemTransferEvent):
                continue
            latest = {"owner": event.recipient, "block_number": event.block_number, "tx_hash": event.tx_hash}
            if event.sender is not None:
                tokens[key] = tokens[key].model_copy(update=latest)
                continue
            tokens[key] = Token(
                chain_id=CHAIN_ID,
                contract=event.contract,
                token_id=event.token_id,
                metadata_digest=None,
                mint_id=next((m.mint_id for m in world.carried(event.tx_hash) if m.token_id == key[1]), None),
                minted_block=event.block_number,
                **latest,
            )
    return tokens, transfers


def item_of(event: ItemTransferEvent) -> Token:
    return Token(
        chain_id=CHAIN_ID,
        contract=event.contract,
        token_id=event.token_id,
        owner=None,
        metadata_digest=None,
        mint_id=None,
        minted_block=event.block_number,
        block_number=event.block_number,
        tx_hash=event.tx_hash,
        standard="erc1155",
    )


def replay_balances(blocks: Sequence[Mined], contracts: Sequence[str]) -> dict[BalanceKey, Balance]:
    """Return who holds how much of each item, and its supply, by all transfers of the blocks."""
    balances: dict[BalanceKey, Balance] = {}
    for event in (event for mined in blocks for event in mined.events):
        if not isinstance(event, ItemTransferEvent) or event.contract not in contracts:
            continue
        if event.sender == event.recipient:
            continue
        parties = {event.sender: -event.quantity, event.recipient: event.quantity}
        # The zero address holds what is not in circulation: the supply is what it lacks.
        for party, change in parties.items():
            key = BalanceKey(event.contract, event.token_id, party)
            before = balances[key].quantity if key in balances else 0
            balances[key] = Balance(
                chain_id=CHAIN_ID,
                contract=event.contract,
                token_id=event.token_id,
                holder=party,
                quantity=before + (change if party is not None else -change),
                block_number=event.block_number,
                tx_hash=event.tx_hash,
            )
    return balances


def check_what_is_indexed(world: Harness) -> None:
    """Hold the tables against the branch that the checkpoint names, wherever the tip is by now."""
    progress = world.store.progress
    if progress is None or progress.mixed is not None or world.standing() == world.checked:
        return
    world.checked = world.standing()
    branch = [world.chain.at(progress.head.hash)]
    while branch[0].block.number:
        branch.insert(0, world.chain.at(branch[0].block.parent_hash))
    followed = progress.collections
    tokens, transfers = replay(world, branch, followed)
    assert {k: v for k, v in world.store.token_table.items() if k.contract in followed} == tokens
    stored = {k: v for k, v in world.store.transfer_table.items() if v.contract in followed}
    assert stored == transfers
    balances = {k: v for k, v in world.store.balance_table.items() if k.contract in followed}
    assert balances == replay_balances(branch, followed)


def check_mints(world: Harness) -> None:
    progress = world.store.progress
    assert progress is not None
    mined = {tx.hash: m for m in world.chain.mined for tx in m.block.transactions or ()}
    assert {mint.status for mint in world.store.mint_table.values()} <= {MintStatus.BUILT}, "written again"
    mints = [(tx_hash, mint) for tx_hash in world.attempts for mint in world.carried(tx_hash)]
    for tx_hash, mint in mints:
        block = mined.get(tx_hash)
        if block is None:
            assert (mint.status, mint.tx_hash, mint.block_hash) == (MintStatus.SUBMITTED, None, None)
            continue
        final = block.block.number <= world.chain.finalized
        if not world.sent[tx_hash].succeeded:
            # Ranges of events do not show it.
            unseen = final and world.whole == 0 and mint.status is MintStatus.SUBMITTED
            expected = MintStatus.SUBMITTED if unseen else MintStatus.REVERTED
        else:
            expected = MintStatus.FINALIZED if final else MintStatus.MINED
        assert mint.status == expected
        if expected is not MintStatus.SUBMITTED:
            assert (mint.tx_hash, mint.block_hash) == (tx_hash, block.block.hash)
    for transaction in world.store.transaction_table.values():
        done = transaction.block_number is not None and transaction.block_number <= progress.finalized.number
        assert (transaction.state is TransactionState.FINAL) == done


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(SEEDS))
async def test_index__when_the_chain_reorganises_and_processes_die__then_equals_a_replay(seed: int) -> None:
    world = Harness(seed)
    for _ in range(world.rng.randint(0, 8)):
        world.chain.mine()
    world.deploy()
    for _ in range(120):
        world.fault_rate = world.rng.choice([0.0, 0.0, 0.05, 0.2])
        match world.rng.randint(0, 9):
            case 0 | 1 | 2:
                world.mine()
            case 3:
                world.reorganize()
            case 4 if world.rng.random() < 0.3:
                world.deploy()
            case 5:
                await asyncio.gather(world.poll(0), world.poll(1))
            case _:
                await world.poll(world.rng.randint(0, 1))
        check_what_is_indexed(world)
    await world.settle()
    check_what_is_indexed(world)
    check_mints(world)
    progress = world.store.progress
    assert progress is not None
    assert progress.head == world.chain.mined[-1].block.ref()
    assert progress.finalized.number == world.chain.finalized
    assert progress.collections == tuple(sorted(world.collections.deployed))
    assert len(world.store.block_rows) < 60
