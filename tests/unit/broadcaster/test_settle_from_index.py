"""Mints whose voucher a stranger redeemed, with nothing to tie the token to them: they end by it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from mintline.errors import Unavailable, Unreadable
from mintline.messages import ReviewMint
from mintline.records import TOKEN_ON_CHAIN, TOKEN_TAKEN
from mintline.resources import BUILD, SIGN
from mintline.states import MintStatus
from mintline_broadcaster import sweep as sweeping
from mintline_broadcaster.ports import Final, MintMoved
from mintline_broadcaster.settle_from_index import settle_from_index

SELF = {"custody": "self", "sender": None, "nonce": None}


def waiting(world: Any, intent: Any, status: MintStatus, **changes: Any) -> Any:
    """Put a mint on record that moved just now."""
    return world.built(intent, status=status, created_at=world.now, updated_at=world.now, **changes)


@pytest.mark.parametrize("status", [MintStatus.ISSUED, MintStatus.SUBMITTED])
async def test_redemption__when_the_indexer_missed_it__then_the_sweep_ends_its_mint_once_it_is_final(
    world: Any, make: Any, status: MintStatus
) -> None:
    waiting(world, make(), status, **SELF)
    made = world.redeemed(make(), block=8)
    world.store.indexed = Final(7, 7)
    await world.sweep(after=sweeping.RESTING_SECONDS)
    assert world.mint(make()).status is status
    world.store.indexed = Final(8, 8)
    await world.sweep(after=0)
    mint = world.mint(make())
    assert mint.status is MintStatus.FINALIZED
    assert (mint.tx_hash, mint.block_number, mint.block_hash) == (made.tx_hash, 8, made.block_hash)


OUTCOMES: dict[str, tuple[dict[str, Any], bytes | None, MintStatus]] = {
    "own": ({}, None, MintStatus.FINALIZED),
    "for another wallet": ({"recipient": "0x" + "00" * 19 + "01"}, None, MintStatus.REJECTED),
    "with other metadata": ({}, b"\x07" * 32, MintStatus.REJECTED),
}
"""What the token on chain differs in from a mint, and how the mint ends."""


@pytest.mark.parametrize("own", [SELF, {"nonce": None}], ids=["self", "custodial"])
@pytest.mark.parametrize("case", OUTCOMES)
async def test_restored_mint__when_its_token_is_on_chain_already__then_it_ends_by_whose_that_is_once_final(
    world: Any, make: Any, own: dict[str, Any], case: str
) -> None:
    """A `mints` table from an older backup, while chain and index went on."""
    differs, digest, status = OUTCOMES[case]
    waiting(world, make(), MintStatus.ACCEPTED, deadline=None, **own)
    key = (make().contract, make().voucher.token_id)
    made = world.redeemed(make(), block=8)
    world.store.mintings[key] = made.evolve(**differs)
    world.store.digests[key] = digest or make().voucher.metadata_digest
    world.store.indexed = Final(8, 8)
    await world.sweep(after=sweeping.RESTING_SECONDS)
    assert world.mint(make()).status is MintStatus.ACCEPTED

    # The builder found the token, and noted what the mint waits for.
    mint_id = make().mint_id
    world.store.mints[mint_id] = world.store.mints[mint_id].evolve(waiting=TOKEN_ON_CHAIN)
    world.store.indexed = Final(7, 7)
    await world.sweep(after=60)
    assert world.mint(make()).status is MintStatus.ACCEPTED
    world.store.indexed = Final(8, 8)
    await world.sweep(after=0)

    ended = world.mint(make())
    assert ended.status is status
    assert await world.sent_to(SIGN) == []
    if status is MintStatus.FINALIZED:
        assert (ended.tx_hash, ended.block_number, ended.waiting) == (made.tx_hash, 8, None)
    else:
        assert ended.problem == TOKEN_TAKEN


async def test_redemption__when_the_indexer_may_still_find_it__then_the_index_is_not_asked(
    world: Any, make: Any
) -> None:
    waiting(world, make(), MintStatus.ISSUED, **SELF)
    world.redeemed(make(), block=8)
    world.store.indexed = Final(8, 8)
    await world.sweep(after=sweeping.RESTING_SECONDS - 1)
    assert world.mint(make()).status is MintStatus.ISSUED


async def test_redemption__when_the_sweep_died_between_its_writes__then_the_next_one_finalizes(
    world: Any, make: Any
) -> None:
    mint = waiting(world, make(), MintStatus.ISSUED, **SELF)
    made = world.redeemed(make(), block=8)
    world.store.indexed = Final(8, 8)
    await world.store.mine(mint, made, at=world.now)
    await world.sweep(after=sweeping.RESTING_SECONDS)
    assert world.mint(make()).status is MintStatus.FINALIZED


async def test_mined__when_its_record_names_another_transaction__then_it_is_left_alone(
    world: Any, make: Any
) -> None:
    mint = waiting(world, make(), MintStatus.MINED, tx_hash=b"\x01" * 32, block_number=8)
    world.redeemed(make(), block=8)
    assert await settle_from_index(mint, Final(8, 8), store=world.store, chain=world.chain, now=world.now)
    assert world.mint(make()) == mint


async def test_redemption__when_the_indexer_ends_the_mint_meanwhile__then_that_stands(
    world: Any, make: Any
) -> None:
    seen = waiting(world, make(), MintStatus.ISSUED, **SELF)
    made = world.redeemed(make(), block=8)
    await world.store.mine(seen, made, at=world.now)
    with pytest.raises(MintMoved):
        await world.store.mine(seen, made, at=world.now + 1)
    await world.store.finalize(seen.mint_id, made, at=world.now)
    ended = world.mint(make())
    assert await settle_from_index(seen, Final(8, 8), store=world.store, chain=world.chain, now=world.now + 1)
    assert world.mint(make()) == ended


async def nonce_lost(world: Any, intent: Any, *, stopped: bool = False) -> None:
    """Have a custodial mint's nonce used by another transaction."""
    waiting(world, intent, MintStatus.BUILT)
    await world.broadcast(intent)
    if stopped:
        world.stop(intent)
    world.chain.pool.clear()
    world.chain.use_nonce(intent.signer.address)
    world.chain.mine()
    await world.sent_to(SIGN)


async def test_front_run__when_its_user_stopped_the_mint__then_it_ends_by_its_token(
    world: Any, make: Any
) -> None:
    await nonce_lost(world, make(), stopped=True)
    made = world.redeemed(make(), block=8)
    world.store.indexed = replace(world.chain.finalize(), number=8)
    await world.handle(ReviewMint(mint_id=make().mint_id))
    mint = world.mint(make())
    assert (mint.status, mint.tx_hash, mint.problem) == (MintStatus.FINALIZED, made.tx_hash, None)


async def test_front_run__when_it_is_not_final_yet__then_a_stopped_mint_waits(world: Any, make: Any) -> None:
    await nonce_lost(world, make(), stopped=True)
    world.redeemed(make(), block=8)
    world.store.indexed = replace(world.chain.finalize(), number=7)
    await world.handle(ReviewMint(mint_id=make().mint_id))
    assert world.mint(make()).status is MintStatus.SUBMITTED


@pytest.mark.parametrize("stopped", [True, False])
async def test_taken_nonce__when_the_index_is_behind_finality__then_nothing_is_decided(
    world: Any, make: Any, *, stopped: bool
) -> None:
    world.finalize()
    await nonce_lost(world, make(), stopped=stopped)
    await world.handle(ReviewMint(mint_id=make().mint_id))
    assert world.mint(make()).status is MintStatus.SUBMITTED
    assert await world.sent_to(BUILD) == []


@pytest.mark.parametrize("stopped", [True, False])
async def test_taken_nonce__when_no_node_has_the_final_block__then_nothing_is_decided(
    world: Any, make: Any, *, stopped: bool
) -> None:
    await nonce_lost(world, make(), stopped=stopped)
    # They follow a branch of their own, on which the nonce is used, and call it final.
    world.store.indexed = replace(world.chain.finalize(), hash=b"\x0a" * 32)
    await world.handle(ReviewMint(mint_id=make().mint_id))
    assert world.mint(make()).status is MintStatus.SUBMITTED
    assert await world.sent_to(BUILD) == []


async def test_front_run__when_the_mint_lost_its_nonce__then_it_gets_no_other(world: Any, make: Any) -> None:
    await nonce_lost(world, make())
    world.redeemed(make(), block=8)
    world.store.indexed = replace(world.chain.finalize(), number=8)
    await world.handle(ReviewMint(mint_id=make().mint_id))
    assert world.mint(make()).status is MintStatus.FINALIZED
    assert await world.sent_to(BUILD) == []


async def expired_voucher(world: Any, intent: Any) -> None:
    """Have a voucher's deadline pass in a final block."""
    waiting(world, intent, MintStatus.ISSUED, **SELF)
    world.store.indexed = Final(8, intent.voucher.deadline + 1, b"\x08" * 32)
    world.now = (intent.voucher.deadline + 1) * 1000


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
    world: Any, make: Any, *, unreadable: bool
) -> None:
    await expired_voucher(world, make())
    made = world.redeemed(make(), block=8)
    world.store.digests.clear()
    world.chain.minted[made.contract, made.token_id] = make().voucher.metadata_digest
    await world.sweeper(store=UnreadableTokens(world.store) if unreadable else None).sweep()
    assert (world.mint(make()).status, world.mint(make()).problem) == (MintStatus.FINALIZED, None)


async def test_token__when_its_item_was_set_aside_and_it_is_anothers__then_its_mint_is_rejected(
    world: Any, make: Any
) -> None:
    await expired_voucher(world, make())
    made = world.redeemed(make(), block=8)
    world.store.digests.clear()
    world.chain.minted[made.contract, made.token_id] = b"\x01" * 32
    await world.sweep()
    assert world.mint(make()).problem.code == "token_taken"


@pytest.mark.parametrize("indexed", [True, False], ids=["token-missing", "transfer-missing"])
@pytest.mark.parametrize("silent", [True, False], ids=["no-answer", "no-state"])
async def test_token__when_neither_index_nor_chain_can_tell__then_nothing_ends(
    world: Any, make: Any, *, indexed: bool, silent: bool
) -> None:
    await expired_voucher(world, make())
    if indexed:
        world.redeemed(make(), block=8)
        world.store.digests.clear()
    world.chain.stateless = True
    await world.sweeper(chain=SilentChain(world.chain) if silent else None).sweep()
    assert world.mint(make()).status is MintStatus.ISSUED
    world.chain.stateless = False
    world.chain.minted[make().contract, make().voucher.token_id] = make().voucher.metadata_digest
    await world.sweep(after=sweeping.RESTING_SECONDS)
    assert world.mint(make()).status is (MintStatus.FINALIZED if indexed else MintStatus.ISSUED)


async def test_voucher__when_its_transfer_was_set_aside__then_it_does_not_expire_until_that_is_repaired(
    world: Any, make: Any
) -> None:
    await expired_voucher(world, make())
    world.chain.minted[make().contract, make().voucher.token_id] = make().voucher.metadata_digest
    await world.sweep()
    assert world.mint(make()).status is MintStatus.ISSUED
    world.redeemed(make(), block=8)
    await world.sweep(after=sweeping.RESTING_SECONDS)
    assert world.mint(make()).status is MintStatus.FINALIZED


@pytest.mark.parametrize("stopped", [True, False])
async def test_front_run__when_its_transfer_was_set_aside__then_the_mint_waits_for_the_index(
    world: Any, make: Any, *, stopped: bool
) -> None:
    await nonce_lost(world, make(), stopped=stopped)
    world.chain.minted[make().contract, make().voucher.token_id] = make().voucher.metadata_digest
    world.store.indexed = replace(world.chain.finalize(), number=8)
    await world.handle(ReviewMint(mint_id=make().mint_id))
    assert world.mint(make()).status is MintStatus.SUBMITTED
    assert await world.sent_to(BUILD) == []
    world.redeemed(make(), block=8)
    await world.handle(ReviewMint(mint_id=make().mint_id))
    assert world.mint(make()).status is MintStatus.FINALIZED
