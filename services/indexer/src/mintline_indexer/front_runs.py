"""Custodial mints whose voucher a stranger redeemed first: our transaction fails, and the token is minted.

A voucher is in its transaction's calldata, so anyone who sees that can send the same call at a higher fee. It
lands at the same recipient: the mint has what it asked for, by another transaction than the one that carries
it. So that transaction failed, and the mint's own record says by which one it was mined.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import structlog

from mintline.records.index import Token
from mintline.records.operations import Mint
from mintline.records.problems import TOKEN_TAKEN
from mintline.states import MintStatus
from mintline_indexer.chain_port import ChainReader
from mintline_indexer.effects import Facts
from mintline_indexer.own_tokens import MintedToken, RefusedOutcome, minted_tokens
from mintline_indexer.store_port import Outcome, Store, TokenKey

log = structlog.get_logger()


async def explain_reverts(
    outcomes: Sequence[Outcome],
    mints: Mapping[str, Mint],
    minted: Mapping[TokenKey, MintedToken],
    facts: Facts,
    *,
    chain: ChainReader,
    store: Store,
) -> list[Outcome]:
    """Return outcomes, those that failed because their token was there as mined by that token's event.

    Mints of items stay as they are: nobody but a relayer can send them. `mints` are the records of all that
    failed, `made` the tokens that strangers made in the effects at hand.
    The tokens of such outcomes are added to the facts, since they are marked as their mints'. If the token
    there is not the mint's own, the mint failed because someone else has its token id, and its problem says
    so.
    """
    failed = [outcome.mint_id for outcome in outcomes if outcome.status is MintStatus.REVERTED]
    if not failed:
        return list(outcomes)
    keys = {
        mint_id: TokenKey(mint.contract, mint.token_id)
        for mint_id in failed
        if (mint := mints.get(mint_id)) is not None and mint.token_id is not None and mint.item_id is None
    }
    stored = await store.tokens([key for key in keys.values() if key not in minted])
    explained: list[Outcome] = []
    for outcome in outcomes:
        key = keys.get(outcome.mint_id) if outcome.status is MintStatus.REVERTED else None
        taken = None
        if key is not None:
            taken = await _by_another(
                outcome, mints[outcome.mint_id], minted, stored.get(key), chain=chain, store=store
            )
        if taken is not None and taken.status is MintStatus.REVERTED:
            facts.refused.append(
                RefusedOutcome(
                    outcome.mint_id, mints[outcome.mint_id].status, outcome.tx_hash, outcome.block_number
                )
            )
        elif taken is not None:
            log.warning("mint_front_run", mint_id=outcome.mint_id, tx_hash="0x" + taken.tx_hash.hex())
            if taken.token is not None and taken.token not in minted:
                facts.tokens.setdefault(taken.token, stored.get(taken.token))
        explained.append(taken or outcome)
    return explained


async def _by_another(
    outcome: Outcome,
    mint: Mint,
    minted: Mapping[TokenKey, MintedToken],
    stored: Token | None,
    *,
    chain: ChainReader,
    store: Store,
) -> Outcome | None:
    """Return the outcome by the event that made the token before this one failed, None if there is none."""
    assert mint.token_id is not None
    key = TokenKey(mint.contract, mint.token_id)
    token = minted.get(key)
    if token is not None and token.event.block_number <= outcome.block_number:
        place = (token.event.tx_hash, token.event.block_number, token.event.block_hash)
        own = token.belongs_to(mint)
    elif (minting := await store.minting(key)) is not None:
        place = (minting.tx_hash, minting.block_number, minting.block_hash)
        digest = stored.metadata_digest if stored is not None else None
        if digest is None:
            # Its item may have been set aside, which says nothing about the token: its event does.
            token = minted_tokens(await chain.events(minting.block_hash, [key.contract])).get(key)
            digest = None if token is None else token.digest
        own = (minting.recipient, digest) == (mint.to, mint.metadata_digest)
    else:
        return None
    if not own:
        return replace(outcome, problem=TOKEN_TAKEN)
    tx_hash, number, block_hash = place
    return replace(
        outcome,
        status=MintStatus.MINED,
        problem=None,
        tx_hash=tx_hash,
        block_number=number,
        block_hash=block_hash,
        token=key,
    )
