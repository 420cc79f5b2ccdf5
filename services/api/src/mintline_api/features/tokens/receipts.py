"""Receipts of mints: what proves a token's mint without this API."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

import structlog

from mintline.errors import Unavailable
from mintline.proofs.block_reader import WholeBlock
from mintline.proofs.mint_receipt import Minted, prove_mint
from mintline.records.index import Token, Transfer
from mintline_api.caches import BoundedCache, SingleFlight
from mintline_api.features.tokens.models import finality
from mintline_api.features.tokens.ports import BlockRange
from mintline_api.features.tokens.problems import NO_RECEIPT, RECEIPT_NOT_FINAL, RECEIPT_UNAVAILABLE
from mintline_api.features.tokens.use_cases import TokenReads, minted_metadata, unknown_token
from mintline_api.http.problems import RequestRefused

log = structlog.get_logger()
_BLOCKS_AT_ONCE = 4
"""Whole blocks that are read and proven at a time: one is a few megabytes."""
_CACHE_BYTES = 32 * 1024 * 1024
_RETRY_SECONDS = 10
"""When to come again for a receipt of a block that is not final yet."""


class WholeBlocks(Protocol):
    """The chain's blocks with all their transactions and receipts."""

    async def whole_block(self, block_hash: bytes) -> WholeBlock:
        """Return a block; raises Unavailable if no node gives it."""
        ...


class MintReceipts:
    """Makes receipts of mints, and keeps some: a final mint's never changes."""

    def __init__(self, blocks: WholeBlocks | None, *, clock: Callable[[], float]) -> None:
        self._blocks = blocks
        self._proving = asyncio.Semaphore(_BLOCKS_AT_ONCE)
        self._cache: BoundedCache[tuple[str, int], bytes] = BoundedCache(
            max_weight=_CACHE_BYTES, clock=clock, weight=len
        )
        self._flights: SingleFlight[tuple[str, int], bytes] = SingleFlight()

    async def document(self, minted: Minted) -> bytes:
        """Return the receipt of a final mint; raises RequestRefused if no node gives its block."""
        key = (minted.contract, minted.token_id)
        if (kept := self._cache.get(key)) is not None:
            return kept
        if self._blocks is None:
            raise RequestRefused(RECEIPT_UNAVAILABLE, "This deployment's API has no node of the chain.")
        made = await self._flights.run(key, lambda: self._prove(minted))
        self._cache.put(key, made)
        return made

    async def _prove(self, minted: Minted) -> bytes:
        assert self._blocks is not None
        try:
            async with self._proving:
                block, receipts = await self._blocks.whole_block(minted.block_hash)
                # A few thousand hashes.
                receipt = await asyncio.to_thread(prove_mint, minted, block, receipts)
        except Unavailable as error:
            log.warning("receipt_unavailable", reason=str(error), block_hash=minted.block_hash.hex())
            raise RequestRefused(
                RECEIPT_UNAVAILABLE,
                "No node of the chain gives the block of the mint with all that the proof takes.",
                headers={"Retry-After": str(_RETRY_SECONDS)},
            ) from None
        return receipt.document()


async def get_receipt(contract: str, token_id: int, *, reads: TokenReads, receipts: MintReceipts) -> bytes:
    """Return the receipt of a token's mint; raises RequestRefused if there is none, or none yet."""
    collection = await reads.collections.known(contract)
    if collection.standard == "erc1155":
        raise RequestRefused(NO_RECEIPT, f"{contract} is an ERC-1155 collection: its mints have no receipts.")
    token, checkpoint = await asyncio.gather(reads.index.token(contract, token_id), reads.index.checkpoint())
    if token is None:
        raise unknown_token(contract, token_id)
    if token.standard is not None:
        raise RequestRefused(NO_RECEIPT, f"Token {token_id} of {contract} is an item of ERC-1155.")
    if finality(token.minted_block, checkpoint) == "pending":
        raise RequestRefused(
            RECEIPT_NOT_FINAL,
            f"Block {token.minted_block}, in which the token was minted, is not final yet.",
            headers={"Retry-After": str(_RETRY_SECONDS)},
        )
    metadata, mint = await asyncio.gather(minted_metadata(token, reads), _mint_event(token, reads))
    if token.metadata_digest is None or metadata is None or mint is None:
        raise RequestRefused(NO_RECEIPT, f"Token {token_id} of {contract} was not minted with metadata here.")
    minted = Minted(
        chain_id=token.chain_id,
        contract=token.contract,
        token_id=token.token_id,
        metadata=metadata.decode(),
        metadata_digest=token.metadata_digest,
        block_hash=mint.block_hash,
        tx_hash=mint.tx_hash,
    )
    return await receipts.document(minted)


async def _mint_event(token: Token, reads: TokenReads) -> Transfer | None:
    """Return the transfer by which a token was minted, the oldest one of its first block."""
    after: str | None = None
    blocks = BlockRange(token.minted_block, token.minted_block)
    while True:
        page = await reads.index.transfers(
            token.contract, token.token_id, limit=100, after=after, blocks=blocks
        )
        for _, transfer in page.items:
            if transfer.sender is None:
                return transfer
        if not page.more or not page.items:
            return None
        after = page.items[-1][0]
