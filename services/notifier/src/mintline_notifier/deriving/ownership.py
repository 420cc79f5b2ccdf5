"""What happened to a token: its Transfer events on chain, mints apart."""

from __future__ import annotations

from mintline.aws.items import Item
from mintline.records.index import Transfer
from mintline.records.keys import token_ref
from mintline.views.base import rfc3339
from mintline.views.tokens import TokenTransferView
from mintline_notifier.deriving.base import Fact


def is_mint(item: Item) -> bool:
    """Tell by the item of a Transfer event that it says nothing, which spares its record."""
    return item.get("sender") is None


def fact_of(transfer: Transfer) -> Fact | None:
    """Return what a Transfer event says; None for a mint."""
    if transfer.sender is None:
        return None
    kind = "token.burned" if transfer.recipient is None else "token.transferred"
    ref = token_ref(transfer.chain_id, transfer.contract, transfer.token_id)
    return Fact(kind, transfer.timestamp * 1000, (ref, transfer.block_hash.hex(), transfer.log_index))


def token_transfer_view(transfer: Transfer) -> TokenTransferView:
    """Return the public form of a Transfer event with its token."""
    return TokenTransferView(
        chain_id=transfer.chain_id,
        contract=transfer.contract,
        token_id=transfer.token_id,
        from_=transfer.sender,
        to=transfer.recipient,
        quantity=transfer.quantity,
        block_number=transfer.block_number,
        block_hash=transfer.block_hash,
        log_index=transfer.log_index,
        tx_hash=transfer.tx_hash,
        timestamp=rfc3339(transfer.timestamp * 1000),
    )
