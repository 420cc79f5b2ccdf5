"""Examples for the OpenAPI document."""

from __future__ import annotations

from mintline.canonical_json import canonical_json
from mintline.proofs.mint_receipt import Included, MintReceipt
from mintline.states import MintStatus
from mintline_api.features.examples import (
    BLOCK_HASH,
    CONTRACT,
    CURSOR,
    DIGEST,
    METADATA_URL,
    MINT_ID,
    TX_HASH,
    WALLET,
)
from mintline_api.features.metadata.examples import METADATA_JSON
from mintline_api.features.tokens.models import (
    BalanceView,
    CollectionTokenList,
    HoldsView,
    IndexView,
    TokenList,
    TokenMint,
    TokenSummary,
    TokenView,
    TransferList,
    TransferView,
)

_PROOF = Included(raw=bytes.fromhex("02f8"), proof=(bytes.fromhex("f851"),))
RECEIPT = MintReceipt(
    chain_id=31337,
    contract=CONTRACT,
    token_id=1,
    to=WALLET,
    metadata=canonical_json(METADATA_JSON),
    metadata_digest=DIGEST,
    block_number=42,
    block_hash=BLOCK_HASH,
    header=bytes.fromhex("f902"),
    transaction_hash=TX_HASH,
    transaction_index=0,
    transaction=_PROOF,
    receipt=_PROOF,
    log_index=1,
)
"""Its parts are cut short."""
INDEX = IndexView(
    head_block=44,
    head_timestamp="2026-11-23T01:50:57.000Z",
    finalized_block=40,
    lag_seconds=0.8,
    behind=False,
)
SUMMARY = TokenSummary(
    chain_id=31337,
    contract=CONTRACT,
    token_id=1,
    standard="erc721",
    owner=WALLET,
    burned=False,
    supply=None,
    quantity=None,
    metadata_digest=DIGEST,
    metadata_url=METADATA_URL,
    minted_block=42,
    block_number=42,
    tx_hash=TX_HASH,
    finality="pending",
)
TOKEN = TokenView(
    **SUMMARY.model_dump(),
    metadata=METADATA_JSON,
    metadata_verified=True,
    metadata_version=1,
    minted=None,
    item_cap=None,
    mint=TokenMint(mint_id=MINT_ID, status=MintStatus.MINED),
    index=INDEX,
)
TOKENS = TokenList(items=[SUMMARY], next_cursor=None, index=INDEX)
COLLECTION_TOKENS = CollectionTokenList(items=[SUMMARY], next_cursor=CURSOR, index=INDEX)
BALANCE = BalanceView(
    chain_id=31337,
    address=WALLET,
    contract=CONTRACT,
    token_id=None,
    balance=12,
    more=False,
    quantity=None,
    index=INDEX,
)
HOLDS = HoldsView(chain_id=31337, address=WALLET, contract=CONTRACT, token_id=None, holds=True, index=INDEX)
TRANSFERS = TransferList(
    items=[
        TransferView(
            from_=None,
            to=WALLET,
            quantity=None,
            block_number=42,
            block_hash=BLOCK_HASH,
            log_index=0,
            tx_hash=TX_HASH,
            timestamp="2026-11-23T01:50:55.000Z",
            finality="pending",
        )
    ],
    next_cursor=None,
    index=INDEX,
)
