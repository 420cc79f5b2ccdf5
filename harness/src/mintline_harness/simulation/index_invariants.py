"""That the index is a replay of the chain up to the block that it stands on; each breach is one sentence."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from mintline.records.index import Balance, Token
from mintline.records.keys import position, token_ref
from mintline.records.operations import Mint
from mintline_harness.simulation.accounts import CHAIN_ID, CONTRACT, ITEMS
from mintline_harness.simulation.chain import Block, Outcome, SimulatedChain
from mintline_harness.simulation.contract import Effect
from mintline_harness.simulation.items import ItemEffect
from mintline_harness.simulation.tables import Tables
from mintline_indexer.store_port import BalanceKey, TokenKey


def broken_index(tables: Tables, chain: SimulatedChain) -> Iterator[str]:
    """Compare ownership, balances and transfers with a replay of the chain up to the indexed head."""
    store = tables.store
    assert store.progress is not None
    head = chain.by_hash.get(store.progress.head.hash)
    if head is None:
        yield f"the index stands on block {store.progress.head.number} of a node's own branch"
        return
    replay = _Replay(tables)
    for block in chain.blocks[: head.number + 1]:
        replay.add(block)
    if replay.tokens != store.token_table:
        yield "ownership is not a replay of the chain"
    elif replay.balances != store.balance_table:
        yield "balances are not a replay of the chain"
    elif replay.transfers != {key: transfer.quantity for key, transfer in store.transfer_table.items()}:
        yield "the transfers are not a replay of the chain's"
    held = {(key.holder, key.token_id): balance.quantity for key, balance in store.balance_table.items()}
    for (holder, item_id), quantity in head.state.items.balances.items():
        if held.get((holder, item_id), 0) != quantity:
            yield f"{holder} has {quantity} of item {item_id}, and {held.get((holder, item_id))} in the index"


@dataclass(slots=True)
class _Replay:
    """What the index must hold after some blocks."""

    tables: Tables
    tokens: dict[TokenKey, Token] = field(default_factory=dict)
    balances: dict[BalanceKey, Balance] = field(default_factory=dict)
    transfers: dict[tuple[str, str], int | None] = field(default_factory=dict)
    """By token and position; the quantity, None in ERC-721."""
    mints: Mapping[int | None, Mint] = field(init=False)

    def __post_init__(self) -> None:
        mints = (mint for _, mint in self.tables.mints.items())
        self.mints = {mint.token_id: mint for mint in mints if mint.contract == CONTRACT}

    def add(self, block: Block) -> None:
        index = 0
        for outcome in block.outcomes:
            for effect in outcome.effects:
                self._move(block, outcome, effect)
                key = token_ref(CHAIN_ID, CONTRACT, effect.token_id), position(block.number, index)
                self.transfers[key] = None
                index += 1 if effect.digest is None else 2
            for item in outcome.item_effects:
                index += item.serial is not None
                self._count(block, outcome, item)
                key = token_ref(CHAIN_ID, ITEMS, item.item_id), position(block.number, index)
                self.transfers[key] = item.quantity
                index += 1

    def _move(self, block: Block, outcome: Outcome, effect: Effect) -> None:
        key = TokenKey(CONTRACT, effect.token_id)
        moved = {"owner": effect.recipient, "block_number": block.number, "tx_hash": outcome.sent.hash}
        if effect.digest is None:
            self.tokens[key] = self.tokens[key].evolve(**moved)
            return
        self.tokens[key] = Token(
            chain_id=CHAIN_ID,
            contract=CONTRACT,
            token_id=effect.token_id,
            metadata_digest=effect.digest,
            mint_id=self._mint_of(outcome, effect),
            minted_block=block.number,
            **moved,
        )

    def _mint_of(self, outcome: Outcome, effect: Effect) -> str | None:
        """Return the mint that the index is to know for a token, as it was made."""
        mint = self.mints.get(effect.token_id)
        if mint is None or mint.metadata_digest != effect.digest:
            return None
        # What a stranger made may have no mint in the index, and has no other.
        stored = self.tables.store.token_table.get(TokenKey(CONTRACT, effect.token_id))
        known = stored is not None and stored.mint_id is not None
        return mint.mint_id if known or outcome.sent.hash in self.tables.signed else None

    def _count(self, block: Block, outcome: Outcome, effect: ItemEffect) -> None:
        key = TokenKey(ITEMS, effect.item_id)
        of_block = {"block_number": block.number, "tx_hash": outcome.sent.hash}
        if key not in self.tokens:
            self.tokens[key] = Token(
                chain_id=CHAIN_ID,
                contract=ITEMS,
                token_id=effect.item_id,
                owner=None,
                metadata_digest=effect.digest,
                mint_id=None,
                minted_block=block.number,
                standard="erc1155",
                **of_block,
            )
        changes: dict[str | None, int] = {effect.sender: -effect.quantity, effect.recipient: effect.quantity}
        if effect.sender == effect.recipient:
            return
        if None in changes:
            # What is minted raises the supply, what is burned lowers it.
            changes[None] = -changes[None]
        for holder, change in changes.items():
            of = BalanceKey(ITEMS, effect.item_id, holder)
            before = self.balances[of].quantity if of in self.balances else 0
            self.balances[of] = Balance(
                chain_id=CHAIN_ID, **of._asdict(), quantity=before + change, **of_block
            )
