"""Mints of ERC-1155 items whose serial is used, with nothing to tie what used it to them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from mintline.chain.answers import Log
from mintline.chain.multi_token import ITEM_MINTED_TOPIC
from mintline.errors import Unavailable
from mintline.eth import address_word, word
from mintline.records.operations import Mint
from mintline.records.problems import TOKEN_ON_CHAIN, TOKEN_TAKEN
from mintline.states import MintStatus
from mintline_broadcaster import sweep as sweeping
from mintline_broadcaster.ports import Final
from mintline_testkit.broadcaster.harness import Harness
from mintline_testkit.broadcaster.intents import mint_intent

ITEM, QUANTITY = 3, 5
TX_HASH, BLOCK_HASH = b"\x05" * 32, b"\x08" * 32
STRANGER = "0x" + "00" * 19 + "01"


def accepted(harness: Harness, **changes: Any) -> Mint:
    """Put an accepted mint of an item on record, which the builder found to be on chain."""
    fields = {"custody": "sponsored", "sender": None, "nonce": None, "deadline": None}
    item = {"item_id": ITEM, "quantity": QUANTITY, "waiting": TOKEN_ON_CHAIN}
    moved = {"created_at": harness.now, "updated_at": harness.now}
    harness.built(mint_intent(), status=MintStatus.ACCEPTED, **{**fields, **item, **moved, **changes})
    return harness.store.mints[mint_intent().mint_id]


def use(harness: Harness, mint: Mint, **differs: Any) -> Log:
    """Have a mint's serial used in block 8, for what the mint is of or for something else."""
    of = {"item": ITEM, "to": mint.to, "quantity": QUANTITY, "digest": mint.metadata_digest, **differs}
    event = Log(
        address=mint.contract,
        topics=(ITEM_MINTED_TOPIC, word(mint.token_id or 0), word(of["item"]), address_word(of["to"])),
        data=word(of["quantity"]) + of["digest"],
        block_hash=BLOCK_HASH,
        block_number=8,
        tx_hash=TX_HASH,
        log_index=4,
        removed=False,
    )
    assert mint.token_id is not None
    harness.chain.serial_events[mint.contract, mint.token_id] = event
    return event


async def test_item_mint__when_its_serial_was_used_for_it__then_it_is_finalized_by_that_event(
    harness: Harness,
) -> None:
    use(harness, accepted(harness))
    harness.store.indexed = Final(8, 8)
    await harness.sweep(after=sweeping.RESTING_SECONDS)
    mint = harness.mint(mint_intent())
    assert mint.status is MintStatus.FINALIZED
    assert (mint.tx_hash, mint.block_number, mint.block_hash) == (TX_HASH, 8, BLOCK_HASH)
    assert (mint.waiting, mint.problem) == (None, None)


@pytest.mark.parametrize(
    "differs", [{"item": 4}, {"quantity": 6}, {"to": STRANGER}, {"digest": b"\x01" * 32}]
)
async def test_item_mint__when_its_serial_was_used_for_anything_else__then_it_is_rejected(
    harness: Harness, differs: dict[str, Any]
) -> None:
    use(harness, accepted(harness), **differs)
    harness.store.indexed = Final(8, 8)
    await harness.sweep(after=sweeping.RESTING_SECONDS)
    mint = harness.mint(mint_intent())
    assert (mint.status, mint.problem) == (MintStatus.REJECTED, TOKEN_TAKEN)


async def test_item_mint__when_what_used_its_serial_is_not_final__then_it_waits(harness: Harness) -> None:
    use(harness, accepted(harness))
    harness.store.indexed = Final(7, 7)
    await harness.sweep(after=sweeping.RESTING_SECONDS)
    assert harness.mint(mint_intent()).status is MintStatus.ACCEPTED


async def test_item_mint__when_the_nodes_cannot_tell__then_it_waits(harness: Harness) -> None:
    mint = accepted(harness)
    use(harness, mint)
    harness.chain.stateless = True
    harness.store.indexed = Final(8, 8)
    await harness.sweep(after=sweeping.RESTING_SECONDS)
    assert harness.mint(mint_intent()).status is MintStatus.ACCEPTED


async def test_item_mint__when_one_node_alone_has_the_event__then_it_waits(harness: Harness) -> None:
    """A node may name a block that the others do not have, or one in which they have no such event."""
    mint = accepted(harness)
    event = use(harness, mint, to=STRANGER)

    async def lying(contract: str, serial: int, *, last: int) -> Log:
        del contract, serial, last
        return replace(event, block_hash=b"\x09" * 32)

    harness.chain.serial_used = lying  # type: ignore[method-assign]
    harness.store.indexed = Final(8, 8)
    await harness.sweep(after=sweeping.RESTING_SECONDS)
    assert harness.mint(mint_intent()).status is MintStatus.ACCEPTED


async def test_item_mint__when_no_node_searches__then_it_waits_and_the_others_go_on(harness: Harness) -> None:
    use(harness, accepted(harness))

    async def silent(contract: str, serial: int, *, last: int) -> Log:
        del contract, serial, last
        raise Unavailable("nobody there")

    harness.chain.serial_used = silent  # type: ignore[method-assign]
    harness.store.indexed = Final(8, 8)
    await harness.sweep(after=sweeping.RESTING_SECONDS)
    assert harness.mint(mint_intent()).status is MintStatus.ACCEPTED
