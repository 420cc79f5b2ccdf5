"""Balances of ERC-1155 items: the index's against the contract's own word."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from mintline.records.index import Balance
from mintline_indexer.chain_port import ChainReader, Event, ItemTransferEvent
from mintline_indexer.store_port import BalanceKey

HOLDERS_AT_ONCE = 500
"""Balances that one call asks a contract for: some millions of gas."""


@dataclass(frozen=True, slots=True)
class HeldItems:
    """Balances as the index and as the chain has them after block `block`."""

    block: int
    indexed: Mapping[BalanceKey, Balance | None]
    """None stands for none; one that cannot be read is missing."""
    on_chain: Mapping[BalanceKey, int]


NOTHING_HELD = HeldItems(0, {}, {})


@dataclass(frozen=True, slots=True)
class WrongBalance:
    """A balance that is another on chain."""

    key: BalanceKey
    indexed: int
    on_chain: int


def wrong_balances(held: HeldItems) -> Iterator[WrongBalance]:
    """Yield the balances that differ; one that the index has changed since the block is not compared."""
    for key, on_chain in held.on_chain.items():
        if key not in held.indexed:
            continue
        stored = held.indexed[key]
        if stored is not None and stored.block_number > held.block:
            continue
        indexed = 0 if stored is None else stored.quantity
        if indexed != on_chain:
            yield WrongBalance(key, indexed, on_chain)


def holders_of(events: Iterable[Event]) -> set[BalanceKey]:
    """Return the balances that events change, without the items' supplies."""
    transfers = [event for event in events if isinstance(event, ItemTransferEvent)]
    return {
        BalanceKey(event.contract, event.token_id, holder)
        for event in transfers
        for holder in (event.sender, event.recipient)
        if holder is not None
    }


async def held_on_chain(
    chain: ChainReader, keys: Collection[BalanceKey], *, block: int
) -> dict[BalanceKey, int]:
    """Ask contracts for balances after a block; those of a contract that does not answer are missing."""
    by_contract: dict[str, list[BalanceKey]] = defaultdict(list)
    for key in sorted(keys, key=str):
        by_contract[key.contract].append(key)
    held: dict[BalanceKey, int] = {}
    for contract, wanted in by_contract.items():
        held |= await _ask(chain, contract, wanted, block) or {}
    return held


async def _ask(
    chain: ChainReader, contract: str, keys: Sequence[BalanceKey], block: int
) -> dict[BalanceKey, int] | None:
    """Return all these balances of one contract, or None: sums of some would be no supplies."""
    all_balances: dict[BalanceKey, int] = {}
    for start in range(0, len(keys), HOLDERS_AT_ONCE):
        wanted = [key for key in keys[start : start + HOLDERS_AT_ONCE] if key.holder is not None]
        held = [(key.holder or "", key.token_id) for key in wanted]
        balances = await chain.item_balances(contract, held, block=block)
        if balances is None:
            return None
        all_balances |= dict(zip(wanted, balances, strict=True))
    return all_balances


def with_supplies(on_chain: Mapping[BalanceKey, int]) -> dict[BalanceKey, int]:
    """Add each item's supply to the balances of all its holders: their sum."""
    supplies: dict[BalanceKey, int] = defaultdict(int)
    for key, quantity in on_chain.items():
        supplies[key._replace(holder=None)] += quantity
    return {**on_chain, **supplies}
