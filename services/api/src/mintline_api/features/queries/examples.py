"""Examples for the OpenAPI document."""

from __future__ import annotations

from mintline_api.features.examples import BLOCK_HASH, CONTRACT, CURSOR, TX_HASH, WALLET
from mintline_api.features.queries.models import (
    HolderList,
    HolderView,
    ItemHolderList,
    ItemHolderView,
    ListedTransfer,
    ListedTransferList,
)
from mintline_api.features.tokens.examples import INDEX

HOLDERS = HolderList(
    chain_id=31337,
    contract=CONTRACT,
    items=[HolderView(owner=WALLET, balance=12, more=False)],
    next_cursor=CURSOR,
    index=INDEX,
)
ITEM_HOLDERS = ItemHolderList(
    chain_id=31337,
    contract=CONTRACT,
    token_id=7,
    items=[ItemHolderView(owner=WALLET, quantity=3)],
    next_cursor=CURSOR,
    index=INDEX,
)
TRANSFERS = ListedTransferList(
    items=[
        ListedTransfer(
            from_=None,
            to=WALLET,
            quantity=None,
            block_number=42,
            block_hash=BLOCK_HASH,
            log_index=0,
            tx_hash=TX_HASH,
            timestamp="2026-11-23T01:50:55.000Z",
            finality="pending",
            chain_id=31337,
            contract=CONTRACT,
            token_id=1,
        )
    ],
    next_cursor=None,
    index=INDEX,
)
