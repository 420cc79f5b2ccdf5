"""Mints whose voucher a stranger redeemed, with nothing to tie the token to them: they end by it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from mintline.errors import Unavailable, Unreadable
from mintline.messages.work import ReviewMint
from mintline.records.problems import TOKEN_ON_CHAIN, TOKEN_TAKEN
from mintline.resources import BUILD, SIGN
from mintline.states import MintStatus
from mintline_broadcaster.ports import Final, MintMoved
from mintline_broadcaster.settle_from_index import settle_from_index
from mintline_broadcaster.sweep_operations import RESTING_SECONDS
from mintline_testkit.broadcaster.harness import Harness
from mintline_testkit.broadcaster.intents import mint_intent

SELF = {"custody": "self", "sender": None, "nonce": None}


def waiting(harness: Harness, intent: Any, status: MintStatus, **changes: Any) -> Any:
    """Put a mint on record that moved just now."""
    return harness.built(intent, status=status, created_at=harness.now, updated_at=harness.now, **changes)


@pytest.mark.parametrize("status", [MintStatus.ISSUED, MintStatus.SUBMITTED])
async def test_redemption__when_the_indexer_missed_it__then_the_sweep_ends_its_mint_once_it_is_final(
    harness: Harness, status: MintStatus
) -> None:
    waiting(harness, mint_intent(), status, **SELF)
    transfer = harness.redeemed(mint_intent(), block=8)
    harness.store.indexed = Final(7, 7)
    await harness.sweep(after=RESTING_SECONDS)
    assert harness.mint(mint_intent()).status is status
    harness.store.indexed = Final(8, 8)
    await harness.sweep(after=0)
    mint = harness.mint(mint_intent())
    assert mint.status is MintStatus.FINALIZED
    assert (mint.tx_hash, mint.block_number, mint.block_hash) == (transfer.tx_hash, 8, transfer.block_hash)


OUTCOMES: dict[str, tuple[dict[str, Any], bytes | None, MintStatus]] = {
    "own": ({}, None, MintStatus.FINALIZED),
    "for another wallet": ({"recipient": "0x" + "00" * 19 + "01"}, None, MintStatus.REJECTED),
    "with other metadata": ({}, b"\x07" * 32, MintStatus.REJECTED),
}
"""What the token on chain differs in from a mint, and how the mint ends."""


@pytest.mark.parametrize("own", [SELF, {"nonce": None}], ids=["self", "custodial"])
@pytest.mark.parametrize("case", OUTCOMES)
async def test_restored_mint__when_its_token_is_on_chain_already__then_it_ends_by_whose_that_is_once_final(
    harness: Harness, own: dict[str, Any], case: str
) -> None:
    """A `mints` table from an older backup, while chain and index went on."""
    differs, digest, status = OUTCOMES[case]
    waiting(harness, mint_intent(), MintStatus.ACCEPTED, deadline=None, **own)
    key = (mint_intent().contract, mint_intent().voucher.token_id)
    transfer = harness.redeemed(mint_intent(), block=8)
    harness.store.mintings[key] = transfer.evolve(**differs)
    harness.store.digests[key] = digest or mint_intent().voucher.metadata_digest
    harness.store.indexed = Final(8, 8)
    await harness.sweep(after=RESTING_SECONDS)
    assert harness.mint(mint_intent()).status is MintStatus.ACCEPTED

    # The builder found the token, and noted what the mint waits for.
    mint_id = mint_intent().mint_id
    harness.store.mints[mint_id] = harness.store.mints[mint_id].evolve(waiting=TOKEN_ON_CHAIN)
    harness.store.indexed = Final(7, 7)
    await harness.sweep(after=60)
    assert harness.mint(mint_intent()).status is MintStatus.ACCEPTED
    harness.store.indexed = Final(8, 8)
    await harness.sweep(after=0)

    ended = harness.mint(mint_intent())
    assert ended.status is status
    assert await harness.sent_to(SIGN) == []
    if status is MintStatus.FINALIZED:
        assert (ended.tx_hash, ended.block_number, ended.waiting) == (transfer.tx_hash, 8, None)
    else:
        assert ended.problem == TOKEN_TAKEN


async def test_redemption__when_the_indexer_may_still_find_it__then_the_index_is_not_asked(
    harness: Harness,
) -> None:
    waiting(harness, mint_intent(), MintStatus.ISSUED, **SELF)
    harness.redeemed(mint_intent(), block=8)
    harness.store.indexed = Final(8, 8)
    await harness.sweep(after=RESTING_SECONDS - 1)
    assert harness.mint(mint_intent()).status is MintStatus.ISSUED


async def test_redemption__when_the_sweep_died_between_its_writes__then_the_next_one_finalizes(
    harness: Harness,
) -> None:
    mint = waiting(harness, mint_intent(), MintStatus.ISSUED, **SELF)
    transfer = harness.redeemed(mint_intent(), block=8)
    harness.store.indexed = Final(8, 8)
    await harness.store.mine(mint, transfer, at=harness.now)
    await harness.sweep(after=RESTING_SECONDS)
    assert harness.mint(mint_intent()).status is MintStatus.FINALIZED


async def test_mined__when_its_record_names_another_transaction__then_it_is_left_alone(
    harness: Harness,
) -> None:
    mint = waiting(harness, mint_intent(), MintStatus.MINED, tx_hash=b"\x01" * 32, block_number=8)
    harness.redeemed(mint_intent(), block=8)
    assert await settle_from_index(
        mint, Final(8, 8), store=harness.store, chain=harness.chain, now=harness.now
    )
    assert harness.mint(mint_intent()) == mint


async def test_redemption__when_the_indexer_ends_the_mint_meanwhile__then_that_stands(
    harness: Harness,
) -> None:
    seen = waiting(harness, mint_intent(), MintStatus.ISSUED, **SELF)
    transfer = harness.redeemed(mint_intent(), block=8)
    await harness.store.mine(seen, transfer, at=harness.now)
    with pytest.raises(MintMoved):
        await harness.store.mine(seen, transfer, at=harness.now + 1)
    await harness.store.finalize(seen.mint_id, transfer, at=harness.now)
    ended = harness.mint(mint_intent())
    assert await settle_from_index(
        seen, Final(8, 8), store=harness.store, chain=harness.chain, now=harness.now + 1
    )
    assert harness.mint(mint_intent()) == ended


async def nonce_lost(harness: Harness, intent: Any, *, stopped: bool = False) -> None:
    """Have a custodial mint's nonce used by another transaction."""
    waiting(harness, intent, MintStatus.BUILT)
    await harness.broadcast(intent)
    if stopped:
        harness.stop(intent)
    harness.chain.pool.clear()
    harness.chain.use_nonce(intent.signer.address)
    harness.chain.mine()
    await harness.sent_to(SIGN)


async def test_front_run__when_its_user_stopped_the_mint__then_it_ends_by_its_token(harness: Harness) -> None:
    await nonce_lost(harness, mint_intent(), stopped=True)
    transfer = harness.redeemed(mint_intent(), block=8)
    harness.store.indexed = replace(harness.chain.finalize(), number=8)
    await harness.handle(ReviewMint(mint_id=mint_intent().mint_id))
    mint = harness.mint(mint_intent())
    assert (mint.status, mint.tx_hash, mint.problem) == (MintStatus.FINALIZED, transfer.tx_hash, None)


async def test_front_run__when_it_is_not_final_yet__then_a_stopped_mint_waits(harness: Harness) -> None:
    await nonce_lost(harness, mint_intent(), stopped=True)
    harness.redeemed(mint_intent(), block=8)
    harness.store.indexed = replace(harness.chain.finalize(), number=7)
    await harness.handle(ReviewMint(mint_id=mint_intent().mint_id))
    assert harness.mint(mint_intent()).status is MintStatus.SUBMITTED


@pytest.mark.parametrize("stopped", [True, False])
async def test_taken_nonce__when_the_index_is_behind_finality__then_nothing_is_decided(
    harness: Harness, *, stopped: bool
) -> None:
    harness.finalize()
    await nonce_lost(harness, mint_intent(), stopped=stopped)
    await harness.handle(ReviewMint(mint_id=mint_intent().mint_id))
    assert harness.mint(mint_intent()).status is MintStatus.SUBMITTED
    assert await harness.sent_to(BUILD) == []


@pytest.mark.parametrize("stopped", [True, False])
async def test_taken_nonce__when_no_node_has_the_final_block__then_nothing_is_decided(
    harness: Harness, *, stopped: bool
) -> None:
    await nonce_lost(harness, mint_intent(), stopped=stopped)
    # They follow a branch of their own, on which the nonce is used, and call it final.
    harness.store.indexed = replace(harness.chain.finalize(), hash=b"\x0a" * 32)
    await harness.handle(ReviewMint(mint_id=mint_intent().mint_id))
    assert harness.mint(mint_intent()).status is MintStatus.SUBMITTED
    assert await harness.sent_to(BUILD) == []


async def test_front_run__when_the_mint_lost_its_nonce__then_it_gets_no_other(harness: Harness) -> None:
    await nonce_lost(harness, mint_intent())
    harness.redeemed(mint_intent(), block=8)
    harness.store.indexed = replace(harness.chain.finalize(), number=8)
    await harness.handle(ReviewMint(mint_id=mint_intent().mint_id))
    assert harness.mint(mint_intent()).status is MintStatus.FINALIZED
    assert await harness.sent_to(BUILD) == []


async def expired_voucher(harness: Harness, intent: Any) -> None:
    """Have a voucher's deadline pass in a final block."""
    waiting(harness, intent, MintStatus.ISSUED, **SELF)
    harness.store.indexed = Final(8, intent.voucher.deadline + 1, b"\x08" * 32)
    harness.now = (intent.voucher.deadline + 1) * 1000


class UnreadableTokens:
    """A store in which no token can be read."""

    def __init__(self, store: Any) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def minted_digest(self, mint: Any) -> bytes | None:
        raise Unreadable(f"Token: {mint.token_id}")


class SilentChain:
    """A chain that does not say what is minted."""

    def __init__(self, chain: Any) -> None:
        self._chain = chain

    def __getattr__(self, name: str) -> Any:
        return getattr(self._chain, name)

    async def is_minted(self, *_: Any) -> bool | None:
        raise Unavailable("the endpoints disagree")

    async def minted_digest(self, *_: Any) -> bytes | None:
        raise Unavailable("the endpoints disagree")


@pytest.mark.parametrize("unreadable", [True, False], ids=["unreadable", "missing"])
async def test_token__when_its_item_was_set_aside__then_the_chain_tells_whose_it_is(
    harness: Harness, *, unreadable: bool
) -> None:
    await expired_voucher(harness, mint_intent())
    transfer = harness.redeemed(mint_intent(), block=8)
    harness.store.digests.clear()
    harness.chain.token_digests[transfer.contract, transfer.token_id] = mint_intent().voucher.metadata_digest
    await harness.sweeper(store=UnreadableTokens(harness.store) if unreadable else None).sweep()
    assert (harness.mint(mint_intent()).status, harness.mint(mint_intent()).problem) == (
        MintStatus.FINALIZED,
        None,
    )


async def test_token__when_its_item_was_set_aside_and_it_is_anothers__then_its_mint_is_rejected(
    harness: Harness,
) -> None:
    await expired_voucher(harness, mint_intent())
    transfer = harness.redeemed(mint_intent(), block=8)
    harness.store.digests.clear()
    harness.chain.token_digests[transfer.contract, transfer.token_id] = b"\x01" * 32
    await harness.sweep()
    problem = harness.mint(mint_intent()).problem
    assert problem is not None
    assert problem.code == "token_taken"


@pytest.mark.parametrize("indexed", [True, False], ids=["token-missing", "transfer-missing"])
@pytest.mark.parametrize("silent", [True, False], ids=["no-answer", "no-state"])
async def test_token__when_neither_index_nor_chain_can_tell__then_nothing_ends(
    harness: Harness, *, indexed: bool, silent: bool
) -> None:
    await expired_voucher(harness, mint_intent())
    if indexed:
        harness.redeemed(mint_intent(), block=8)
        harness.store.digests.clear()
    harness.chain.stateless = True
    await harness.sweeper(chain=SilentChain(harness.chain) if silent else None).sweep()
    assert harness.mint(mint_intent()).status is MintStatus.ISSUED
    harness.chain.stateless = False
    harness.chain.token_digests[mint_intent().contract, mint_intent().voucher.token_id] = (
        mint_intent().voucher.metadata_digest
    )
    await harness.sweep(after=RESTING_SECONDS)
    assert harness.mint(mint_intent()).status is (MintStatus.FINALIZED if indexed else MintStatus.ISSUED)


async def test_voucher__when_its_transfer_was_set_aside__then_it_does_not_expire_until_that_is_repaired(
    harness: Harness,
) -> None:
    await expired_voucher(harness, mint_intent())
    harness.chain.token_digests[mint_intent().contract, mint_intent().voucher.token_id] = (
        mint_intent().voucher.metadata_digest
    )
    await harness.sweep()
    assert harness.mint(mint_intent()).status is MintStatus.ISSUED
    harness.redeemed(mint_intent(), block=8)
    await harness.sweep(after=RESTING_SECONDS)
    assert harness.mint(mint_intent()).status is MintStatus.FINALIZED


@pytest.mark.parametrize("stopped", [True, False])
async def test_front_run__when_its_transfer_was_set_aside__then_the_mint_waits_for_the_index(
    harness: Harness, *, stopped: bool
) -> None:
    await nonce_lost(harness, mint_intent(), stopped=stopped)
    harness.chain.token_digests[mint_intent().contract, mint_intent().voucher.token_id] = (
        mint_intent().voucher.metadata_digest
    )
    harness.store.indexed = replace(harness.chain.finalize(), number=8)
    await harness.handle(ReviewMint(mint_id=mint_intent().mint_id))
    assert harness.mint(mint_intent()).status is MintStatus.SUBMITTED
    assert await harness.sent_to(BUILD) == []
    harness.redeemed(mint_intent(), block=8)
    await harness.handle(ReviewMint(mint_id=mint_intent().mint_id))
    assert harness.mint(mint_intent()).status is MintStatus.FINALIZED
