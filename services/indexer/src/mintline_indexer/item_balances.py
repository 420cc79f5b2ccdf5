"""How much of each item of ERC-1155 its holders have, and how much is in circulation, after some effects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import structlog

from mintline.eth import UINT256_MAX
from mintline.records.index import Balance
from mintline_indexer.chain_port import ItemTransferEvent
from mintline_indexer.store_port import BalanceKey, BalanceWrite, PriorBalance

log = structlog.get_logger()


def balances_of(effect: ItemTransferEvent) -> dict[BalanceKey, int]:
    """Return the balances that a transfer changes, each with the change: none if it is to its own sender.

    A mint and a burn change the item's supply as well.
    """
    if effect.sender == effect.recipient:
        return {}
    changes: dict[str | None, int] = {}
    if effect.sender is not None:
        changes[effect.sender] = -effect.quantity
    if effect.recipient is not None:
        changes[effect.recipient] = effect.quantity
    if None in (effect.sender, effect.recipient):
        changes[None] = effect.quantity if effect.sender is None else -effect.quantity
    return {
        BalanceKey(effect.contract, effect.token_id, holder): change for holder, change in changes.items()
    }


def touched_balances(effects: Sequence[object]) -> list[BalanceKey]:
    """Return the balances that effects change, which are to be read before they can be counted."""
    transfers = (effect for effect in effects if isinstance(effect, ItemTransferEvent))
    return list(dict.fromkeys(key for transfer in transfers for key in balances_of(transfer)))


@dataclass(slots=True)
class BalanceCount:
    """Balances so far, from those that are `stored`.

    A stored balance has all events of the blocks up to its own in it, so an effect of these does not change
    it: a backfilled range that is read again after a crash leads to the same balances.
    """

    chain_id: int
    stored: Mapping[BalanceKey, Balance | None]
    counted: dict[BalanceKey, Balance] = field(default_factory=dict)

    def add(self, effect: ItemTransferEvent, key: BalanceKey, change: int) -> None:
        """Count what a transfer changes of one balance."""
        stored = self.stored.get(key)
        if stored is not None and effect.block_number <= stored.block_number:
            return
        before = self.counted.get(key) or stored
        sum_ = (0 if before is None else before.quantity) + change
        quantity = min(max(sum_, 0), UINT256_MAX)
        if quantity != sum_:
            # No contract that follows the standard says so; its others go on.
            log.warning("balance_out_of_range", balance=key.name, tx_hash="0x" + effect.tx_hash.hex())
        self.counted[key] = Balance(
            chain_id=self.chain_id,
            contract=key.contract,
            token_id=key.token_id,
            holder=key.holder,
            quantity=quantity,
            block_number=effect.block_number,
            tx_hash=effect.tx_hash,
        )

    def writes(self) -> tuple[BalanceWrite, ...]:
        """Return the balances that changed."""
        return tuple(
            BalanceWrite(key, after, is_new=self.stored.get(key) is None)
            for key, after in self.counted.items()
        )

    def before(self) -> tuple[PriorBalance, ...]:
        """Return these as they are stored."""
        return tuple(PriorBalance(**key._asdict(), balance=self.stored.get(key)) for key in self.counted)
