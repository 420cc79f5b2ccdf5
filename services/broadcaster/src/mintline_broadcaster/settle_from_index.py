"""Ends mints whose token exists although no record links the two, by the token in the index.

::

    issued, submitted, accepted ──the token's block is final──▶ mined ──▶ finalized

The indexer ends a mint with the event that minted its token. It cannot when another party's transaction
minted it and the index from tokens to vouchers lagged, nor when a custodial mint's own transaction was never
mined, nor for a record that was restored from a backup older than its token. Only final blocks count here,
since a reorg would not be undone: the indexer reopens only what it wrote itself.

A token missing from the index proves nothing: its item may have been set aside. Then the chain is asked, in a
final block, and if it cannot tell, nothing ends.

A mint of an ERC-1155 item has no token of its own: its `token_id` is a serial, and the index's token of that
number is another item. What its serial was used for is on the chain (`settle_items`).
"""

from __future__ import annotations

import structlog

from mintline.errors import Retryable, Unreadable
from mintline.records.index import Transfer
from mintline.records.operations import Mint
from mintline.records.problems import TOKEN_TAKEN
from mintline.records.transactions import Transaction
from mintline.states import MintStatus, may
from mintline_broadcaster.ports import ChainClient, Final, Minting, MintMoved, TransactionStore
from mintline_broadcaster.settle_items import Searches, use_of_serial

log = structlog.get_logger(__name__)


async def settle_from_index(
    mint: Mint,
    final: Final,
    *,
    store: TransactionStore,
    chain: ChainClient,
    now: int,
    carried: Transaction | None = None,
    searches: Searches | None = None,
) -> bool:
    """End a mint by its token if that is final; return whether there is a token at all, final or not.

    Of a mint of an item, whether its serial is used or may be.

    A token of that id with another recipient or other metadata is not the mint's: then the mint can never be
    minted, and is rejected.

    `final` was read before, so that nothing at or below it can be undone any more. `now` is in Unix
    milliseconds. `carried` is the transaction that carries the mint, if one does. `searches` bounds how many
    serials are looked for. Both writes may be repeated, and the second one made alone for a mint that is
    mined.
    """
    if mint.item_id is not None:
        use = await use_of_serial(mint, final, store=store, chain=chain, searches=searches)
        if not isinstance(use, bool):
            await _end(mint, use, own=use.own, store=store, now=now, carried=carried)
        return bool(use)
    minting = await store.minting(mint)
    if minting is None:
        return False
    if minting.block_number > final.number:
        return True
    own = await _is_its_own(mint, minting, store=store, chain=chain)
    if own is None:
        log.warning("minted_token_unknown", mint_id=mint.mint_id, tx_hash="0x" + minting.tx_hash.hex())
        return True
    await _end(mint, minting, own=own, store=store, now=now, carried=carried)
    return True


async def _end(
    mint: Mint,
    minting: Minting,
    *,
    own: bool,
    store: TransactionStore,
    now: int,
    carried: Transaction | None,
) -> None:
    """End a mint by what made its token, or its tokens: it has them, or somebody else has."""
    if not own:
        await _end_without(mint, minting, store=store, now=now, carried=carried)
        return
    about = {"mint_id": mint.mint_id, "tx_hash": "0x" + minting.tx_hash.hex(), "was": mint.status.value}
    try:
        if mint.status is not MintStatus.MINED:
            await store.mine(mint, minting, at=now)
        await store.finalize(mint.mint_id, minting, at=now)
    except MintMoved:
        log.info("mint_moved_meanwhile", **about)
    else:
        log.warning("mint_ended_by_token", **about)


async def may_be_minted(mint: Mint, final: Final, *, chain: ChainClient) -> bool:
    """Tell whether the chain has the mint's token in the final block, or cannot tell.

    To be checked before a mint ends because the index has no transfer of its token.
    """
    if mint.token_id is None:
        return False
    try:
        minted = await chain.is_minted(mint.contract, mint.token_id, final.hash)
    except Retryable as error:
        log.warning("minted_token_unknown", mint_id=mint.mint_id, reason=str(error))
        return True
    if minted is None:
        log.warning("minted_token_unknown", mint_id=mint.mint_id, block=final.number)
    elif minted:
        log.error(
            "minted_token_not_indexed", mint_id=mint.mint_id, token_id=mint.token_id, block=final.number
        )
    return minted is not False


async def _is_its_own(
    mint: Mint, minting: Transfer, *, store: TransactionStore, chain: ChainClient
) -> bool | None:
    """Tell whether a minting is of the very mint, None if neither index nor chain has its digest."""
    if minting.recipient != mint.to:
        return False
    try:
        digest = await store.minted_digest(mint)
    except Unreadable:
        digest = None
    if digest is None:
        try:
            digest = await chain.minted_digest(minting.contract, minting.token_id, minting.block_hash)
        except Retryable as error:
            log.warning("minted_digest_unknown", mint_id=mint.mint_id, reason=str(error))
    return None if digest is None else digest == mint.metadata_digest


async def _end_without(
    mint: Mint, minting: Minting, *, store: TransactionStore, now: int, carried: Transaction | None
) -> None:
    about = {"mint_id": mint.mint_id, "tx_hash": "0x" + minting.tx_hash.hex(), "was": mint.status.value}
    if not may(mint.status, MintStatus.REJECTED):
        log.error("mint_outcome_refused", recipient=minting.recipient, **about)
        return
    try:
        await store.reject(mint, TOKEN_TAKEN, at=now, carried=carried)
    except MintMoved:
        log.info("mint_moved_meanwhile", **about)
    else:
        log.warning("mint_outcome_refused", recipient=minting.recipient, **about)
