"""A chain with a collection of each standard: blocks, state, a pool, reorgs and finality, as a node has them.

It executes what the services send, bytes and all: signatures are recovered, calls checked and executed.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from mintline.eth import Transaction, keccak256
from mintline.raw_transactions import decode
from mintline_harness.simulation.calls import called, item_call
from mintline_harness.simulation.contract import Collection, Effect, Moment, Revert, Tokens
from mintline_harness.simulation.items import ItemEffect, ItemMoment, Items, SignedItemCall
from mintline_harness.simulation.signed_calls import SignedCall

TRANSFER_GAS = 21_000
NEW_ACCOUNT_GAS = 183_600
"""What a transfer takes on top on Amsterdam, if its recipient does not exist (EIP-8037)."""
OUT_OF_GAS = Revert("OutOfGas()")
NEVER = 1_000_000
"""More blocks than any schedule has."""
POOL_BUMP_PERCENT = 10
"""geth's default: a replacement offers at least this much more on both fields."""


@dataclass(frozen=True, slots=True, eq=False)
class Sent:
    """A signed transaction, read back from its bytes."""

    raw: bytes
    hash: bytes
    sender: str
    body: Transaction

    @property
    def place(self) -> tuple[str, int]:
        """Return sender and nonce, which the chain uses once."""
        return self.sender, self.body.nonce

    @property
    def cost(self) -> int:
        """Return the most that it takes from its sender, in wei."""
        return self.body.gas * self.body.max_fee_per_gas + self.body.value


@lru_cache(maxsize=4096)
def read(raw: bytes) -> Sent:
    """Decode a signed EIP-1559 transaction; raises ValueError for anything else."""
    signed = decode(raw)
    return Sent(raw, signed.tx_hash, signed.sender, signed.transaction)


@dataclass(slots=True)
class State:
    """Accounts and tokens after a block; balances in wei."""

    nonces: dict[str, int] = field(default_factory=dict)
    balances: dict[str, int] = field(default_factory=dict)
    tokens: Tokens = field(default_factory=Tokens)
    items: Items = field(default_factory=Items)

    def copy(self) -> State:
        """Return a state to execute the next block on."""
        return State(dict(self.nonces), dict(self.balances), self.tokens.copy(), self.items.copy())


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a transaction ended in its block; `revert` is the contract's reason, None if it succeeded."""

    sent: Sent
    revert: Revert | None
    effects: tuple[Effect, ...]
    gas_used: int
    item_effects: tuple[ItemEffect, ...] = ()


@dataclass(frozen=True, slots=True)
class Run:
    """What a call of a collection comes to on some state; `revert` is None if it succeeds."""

    gas: int
    revert: Revert | None
    effects: tuple[Effect, ...] = ()
    item_effects: tuple[ItemEffect, ...] = ()
    turn: tuple[str, int] | None = None
    """The holder whose signature it carries, and the counter that it leaves."""


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """A block with all that came of it; `parent` is None for the genesis."""

    number: int
    hash: bytes
    parent: Block | None
    timestamp: int
    base_fee: int
    outcomes: tuple[Outcome, ...]
    state: State
    shown: dict[str, Any] = field(default_factory=dict)
    """JSON forms, made when first asked for."""


class SimulatedChain:
    """One canonical branch, and every block that ever was on it. `now` is in Unix seconds."""

    def __init__(self, collection: Collection, *, finality: int, now: float, rng: random.Random) -> None:
        self.collection = collection
        self.items: Collection | None = None
        """The ERC-1155 collection, if there is one."""
        self.finality = finality
        self.base_fee = 10**9
        self.minimum_tip = 0
        self.new_account_gas = 0
        self.pool: dict[tuple[str, int], Sent] = {}
        self.mined: Callable[[Block], None] = lambda _: None
        self._others: list[SimulatedChain] = []
        """The chain as it is, to one that split off, and those that did, to it: pools tell each other."""
        self.reorganisations = 0
        self._rng = rng
        genesis = Block(0, bytes(32), None, int(now), self.base_fee, (), State())
        self.blocks = [genesis]
        self.by_hash = {genesis.hash: genesis}
        self.finalized = 0
        self.ever_minted: set[int] = set()
        """The ids minted in any block of any branch, a split one's included."""
        self.ever_used: set[int] = set()
        """The serials of the ERC-1155 collection used in any block of any branch."""
        self.where: dict[bytes, Block] = {}
        """The canonical block of every mined transaction."""

    @property
    def head(self) -> Block:
        """Return the newest block."""
        return self.blocks[-1]

    def fund(self, address: str, wei: int) -> None:
        """Give an account a balance at the genesis."""
        self.blocks[0].state.balances[address] = wei

    # --- the pool ---

    def admit(self, sent: Sent) -> str | None:  # noqa: PLR0911 - one return for each answer
        """Take a transaction into the pool, or return the error of a node that does not want it."""
        state = self.head.state
        present = self.pool.get(sent.place)
        if present is not None and present.hash == sent.hash:
            return "already known"
        if sent.body.nonce < state.nonces.get(sent.sender, 0):
            return f"nonce too low: next nonce {state.nonces.get(sent.sender, 0)}, tx nonce {sent.body.nonce}"
        if sent.body.max_priority_fee_per_gas < self.minimum_tip:
            return "transaction underpriced: gas tip cap too low, minimum needed"
        if sent.body.gas < TRANSFER_GAS:
            return "intrinsic gas too low"
        others = (t for t in self.pool.values() if t.sender == sent.sender and t.place != sent.place)
        if sum(other.cost for other in others) + sent.cost > state.balances.get(sent.sender, 0):
            return "insufficient funds for gas * price + value"
        if present is not None and not _outbids(sent.body, present.body):
            return "replacement transaction underpriced"
        self.pool[sent.place] = sent
        for other in self._others:
            other.admit(sent)
        return None

    def usurp(self, sent: Sent) -> bool:
        """Put a stranger's transaction in place of whatever has its nonce; tell whether it can be mined."""
        state = self.head.state
        if sent.cost > state.balances.get(sent.sender, 0):
            return False
        self.pool[sent.place] = sent
        return True

    def drop_pool(self, share: float) -> int:
        """Forget each pending transaction with that probability, as a node that restarts does."""
        gone = [place for place in self.pool if self._rng.random() < share]
        for place in gone:
            del self.pool[place]
        return len(gone)

    # --- blocks ---

    def mine(self, now: float, *, eagerness: float = 1.0) -> Block:
        """Put a block on top with what the pool has, each executable one with probability `eagerness`."""
        parent = self.head
        state = parent.state.copy()
        timestamp = max(parent.timestamp + 1, int(now))
        outcomes: list[Outcome] = []
        for place in sorted(self.pool, key=lambda place: (place[0], place[1])):
            sent = self.pool[place]
            if sent.body.nonce < state.nonces.get(sent.sender, 0):
                del self.pool[place]
            elif self._executable(sent, state) and self._rng.random() < eagerness:
                del self.pool[place]
                outcomes.append(self._execute(sent, state, timestamp))
        seed = (parent.hash, self.reorganisations.to_bytes(4, "big"), timestamp.to_bytes(8, "big"))
        block_hash = keccak256(b"".join([*seed, *(outcome.sent.hash for outcome in outcomes)]))
        number = parent.number + 1
        block = Block(number, block_hash, parent, timestamp, self.base_fee, tuple(outcomes), state)
        self.blocks.append(block)
        self.by_hash[block_hash] = block
        for outcome in outcomes:
            self.where[outcome.sent.hash] = block
        self.finalized = max(self.finalized, number - self.finality)
        self.mined(block)
        return block

    def reorganise(self, depth: int, now: float, *, kept: float) -> int:
        """Replace the newest blocks by one more of another branch; return how many went.

        Their transactions go back to the pool, each with the probability `kept`.
        """
        depth = min(depth, self.head.number - self.finalized)
        if depth <= 0:
            return 0
        self.reorganisations += 1
        gone = self.blocks[-depth:]
        del self.blocks[-depth:]
        for block in gone:
            for outcome in block.outcomes:
                del self.where[outcome.sent.hash]
                if self._rng.random() < kept:
                    self.pool.setdefault(outcome.sent.place, outcome.sent)
        for _ in range(depth + 1):
            self.mine(now, eagerness=0.5)
        return depth

    def split(self, depth: int, rng: random.Random, *, finality: int = NEVER) -> SimulatedChain:
        """Return the chain of a node that left it so many blocks ago; by default it finalizes no more."""
        depth = min(depth, self.head.number - self.finalized)
        blocks = self.blocks[: len(self.blocks) - depth]
        own = SimulatedChain(self.collection.copy(), finality=finality, now=0, rng=rng)
        own.blocks, own.finalized = blocks, self.finalized
        own.by_hash = {block.hash: block for block in blocks}
        own.where = {name: block for name, block in self.where.items() if block.hash in own.by_hash}
        own.ever_minted, own.ever_used = self.ever_minted, self.ever_used
        own.items = None if self.items is None else self.items.copy()
        own.base_fee, own.minimum_tip = self.base_fee, self.minimum_tip
        own.new_account_gas = self.new_account_gas
        own.reorganisations = rng.getrandbits(32)  # so that no block of its has the hash of one here
        own.pool = dict(self.pool)
        for block in self.blocks[len(blocks) :]:
            for outcome in block.outcomes:
                own.pool.setdefault(outcome.sent.place, outcome.sent)
        own._others.append(self)
        self._others.append(own)
        return own

    def leave(self, split: SimulatedChain) -> None:
        """Tell a chain that split off nothing any more."""
        self._others = [other for other in self._others if other is not split]

    def _executable(self, sent: Sent, state: State) -> bool:
        return (
            sent.body.nonce == state.nonces.get(sent.sender, 0)
            and sent.body.max_fee_per_gas >= self.base_fee
            and state.balances.get(sent.sender, 0) >= sent.cost
        )

    def _execute(self, sent: Sent, state: State, timestamp: int) -> Outcome:
        body = sent.body
        run = self.run(body.to, body.data, sender=sent.sender, state=state, timestamp=timestamp)
        run = run or Run(self.transfer_gas(body.to, body.value, state), None)
        if run.gas > body.gas:
            run = Run(body.gas, OUT_OF_GAS)
        gas_used, revert = run.gas, run.revert
        value = body.value if revert is None else 0
        price = min(body.max_fee_per_gas, self.base_fee + body.max_priority_fee_per_gas)
        balances = state.balances
        balances[sent.sender] -= gas_used * price + value
        if revert is None:
            balances[body.to] = balances.get(body.to, 0) + value
        state.nonces[sent.sender] = body.nonce + 1
        state.tokens.apply(run.effects)
        state.items.apply(run.item_effects)
        if run.turn is not None:
            holder, counter = run.turn
            (state.items if run.item_effects else state.tokens).counters[holder] = counter
        self.ever_minted.update(effect.token_id for effect in run.effects if effect.digest is not None)
        self.ever_used.update(
            item_effect.serial for item_effect in run.item_effects if item_effect.serial is not None
        )
        return Outcome(sent, revert, run.effects, gas_used, run.item_effects)

    def run(
        self, to: str, data: bytes, *, sender: str, state: State, timestamp: int, issued: bool = False
    ) -> Run | None:
        """Return what a call comes to, None if it is none of a collection's; changes nothing.

        `issued` takes signatures to be good, as simulations do.
        """
        if to == self.collection.address and (call := called(data)) is not None:
            moment = Moment(self.collection, state.tokens, sender, timestamp, issued)
            if (revert := call.refusal(moment)) is not None:
                return Run(call.gas, revert)
            turn = (call.holder, call.counter + 1) if isinstance(call, SignedCall) else None
            return Run(call.gas, None, effects=call.effects(moment), turn=turn)
        if (
            self.items is not None
            and to == self.items.address
            and (item_change := item_call(data)) is not None
        ):
            item_moment = ItemMoment(self.items, state.items, sender, timestamp, issued)
            if (revert := item_change.refusal(item_moment)) is not None:
                return Run(item_change.gas, revert)
            signed = (
                (item_change.call.holder, item_change.call.counter + 1)
                if isinstance(item_change, SignedItemCall)
                else None
            )
            return Run(item_change.gas, None, item_effects=item_change.effects(), turn=signed)
        return None

    def transfer_gas(self, to: str, value: int, state: State) -> int:
        """Return the gas that a transfer takes: new accounts may have a price of their own."""
        new = value > 0 and to not in state.balances and to not in state.nonces
        return TRANSFER_GAS + (self.new_account_gas if new else 0)


def _outbids(offer: Transaction, present: Transaction) -> bool:
    pairs = (
        (offer.max_fee_per_gas, present.max_fee_per_gas),
        (offer.max_priority_fee_per_gas, present.max_priority_fee_per_gas),
    )
    return all(new > old and new * 100 >= old * (100 + POOL_BUMP_PERCENT) for new, old in pairs)
