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
from mintline.states import MintStatus
from mintline_api.caches import BoundedCache, SingleFlight
from mintline_api.features.items.problems import WRONG_STANDARD
from mintline_api.features.mints.problems import UNKNOWN_MINT
from mintline_api.features.tokens.models import finality
from mintline_api.features.tokens.ports import BlockRange
from mintline_api.features.tokens.problems import NO_RECEIPT, RECEIPT_NOT_FINAL, RECEIPT_UNAVAILABLE
from mintline_api.features.tokens.use_cases import TokenReads, minted_metadata, unknown_token
from mintline_api.http.problems import Fault, RequestRefused

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
        # A collection has either tokens or serials.
        key = (minted.contract, minted.token_id if minted.serial is None else minted.serial)
        if (kept := self._cache.get(key)) is not None:
            return kept
        if self._blocks is None:
            raise RequestRefused(RECEIPT_UNAVAILABLE, "This deployment's API has no node of the chain.")
        document = await self._flights.run(key, lambda: self._prove(minted))
        self._cache.put(key, document)
        return document

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


async def get_receipt(
    contract: str, token_id: int, *, mint_id: str | None, sub: str, reads: TokenReads, receipts: MintReceipts
) -> bytes:
    """Return the receipt of a token's mint; raises RequestRefused if there is none, or none yet.

    An item of ERC-1155 has many mints: `mint_id` names one that `sub` asked for, or that is theirs.
    """
    collection = await reads.collections.known(contract)
    if collection.standard == "erc1155":
        if mint_id is None:
            raise _refused_mint("expected the mint, since each mint of an item has a receipt of its own")
        return await _item_receipt(contract, token_id, mint_id, sub=sub, reads=reads, receipts=receipts)
    if mint_id is not None:
        raise _refused_mint(f"expected none: a token of {contract}, an ERC-721 collection, has one mint")
    token, checkpoint = await asyncio.gather(reads.index.token(contract, token_id), reads.index.checkpoint())
    if token is None:
        raise unknown_token(contract, token_id)
    if token.standard is not None:
        raise RequestRefused(NO_RECEIPT, f"Token {token_id} of {contract} is an item of ERC-1155.")
    if finality(token.minted_block, checkpoint) == "pending":
        raise _not_final(f"Block {token.minted_block}, in which the token was minted, is not final yet.")
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


async def _item_receipt(
    contract: str, item_id: int, mint_id: str, *, sub: str, reads: TokenReads, receipts: MintReceipts
) -> bytes:
    mint, checkpoint = await asyncio.gather(reads.mints.get(mint_id), reads.index.checkpoint())
    if (
        mint is None
        or sub not in (mint.sub, mint.asked_by)
        or (mint.contract, mint.item_id)
        != (
            contract,
            item_id,
        )
    ):
        raise RequestRefused(UNKNOWN_MINT, f"Mint not found among yours of item {item_id} of {contract}.")
    if mint.status in (MintStatus.REJECTED, MintStatus.REVERTED):
        raise RequestRefused(NO_RECEIPT, f"The mint is {mint.status.value}: nothing was minted.")
    if mint.tx_hash is None or mint.block_hash is None or mint.block_number is None:
        raise _not_final(f"The mint is {mint.status.value}.")
    if finality(mint.block_number, checkpoint) == "pending":
        raise _not_final(f"Block {mint.block_number}, in which the mint was mined, is not final yet.")
    # The text that was minted, whatever version the item has now.
    metadata = await reads.metadata.version(contract, item_id, mint.metadata_digest)
    minted = Minted(
        chain_id=mint.chain_id,
        contract=contract,
        token_id=item_id,
        metadata=metadata.decode(),
        metadata_digest=mint.metadata_digest,
        block_hash=mint.block_hash,
        tx_hash=mint.tx_hash,
        serial=mint.token_id,
    )
    return await receipts.document(minted)


def _refused_mint(detail: str) -> RequestRefused:
    return RequestRefused(WRONG_STANDARD, f"mint: {detail}.", faults=[Fault(detail, parameter="mint")])


def _not_final(detail: str) -> RequestRefused:
    return RequestRefused(RECEIPT_NOT_FINAL, detail, headers={"Retry-After": str(_RETRY_SECONDS)})


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
