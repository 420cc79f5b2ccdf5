"""An event ends a mint only if its token is the one on the mint's record: id, recipient, metadata digest."""

from __future__ import annotations

from typing import Any

import pytest
from structlog.testing import capture_logs

from mintline.messages.parts import KeyRef
from mintline.records.operations import Mint
from mintline.records.problems import NOT_DONE, TOKEN_TAKEN
from mintline.states import MintStatus, TransactionState
from mintline_indexer.store_port import TokenKey
from mintline_testkit.chain import Move, Sent
from mintline_testkit.constants import CONTRACT
from mintline_testkit.indexer.harness import Harness
from mintline_testkit.indexer.polling import catch_up

ALICE, MALLORY = "0x" + "2" * 40, "0x" + "3" * 40
DIGEST, OTHER_DIGEST = bytes(32), b"\x01" * 32

STRANGE = {
    "another token id": Move(CONTRACT, 8, None, ALICE, DIGEST),
    "another recipient": Move(CONTRACT, 7, None, MALLORY, DIGEST),
    "other metadata": Move(CONTRACT, 7, None, ALICE, OTHER_DIGEST),
    "no metadata": Move(CONTRACT, 7, None, ALICE, None),
}


def recorded(harness: Harness, mint_id: str, **fields: Any) -> None:
    status = fields.pop("status", MintStatus.SUBMITTED)
    harness.record(mint_id, status)
    if fields.get("custody") == "self":
        fields |= {"status": status, "nonce": None}
    harness.store.mint_table[mint_id] = harness.store.mint_table[mint_id].evolve(**{"token_id": 7, **fields})


def mint(harness: Harness, mint_id: str = "m1") -> Mint:
    mint: Mint = harness.stands(mint_id)
    return mint


def refused(logs: list[Any]) -> list[Any]:
    return [entry["mint_id"] for entry in logs if entry["event"] == "mint_outcome_refused"]


def sent(*moves: Move, name: int = 1, succeeded: bool = True) -> Sent:
    return Sent(bytes([name]) * 32, CONTRACT, moves, succeeded=succeeded)


@pytest.mark.parametrize("what", STRANGE)
@pytest.mark.parametrize("custody", ["custodial", "self"])
async def test_attempt__when_its_token_is_not_the_mints__then_it_is_not_mined_and_it_is_told(
    harness: Harness, what: str, custody: str
) -> None:
    """No matter what wrote the attempt, the record says what the mint is."""
    recorded(harness, "m1", custody=custody, sender=None if custody == "self" else mint_sender(harness))
    strange = sent(STRANGE[what])
    harness.sign(strange.hash, "m1")
    before = mint(harness)
    harness.chain.mine([strange])
    indexer = harness.start()

    with capture_logs() as logs:
        await catch_up(indexer)
        for _ in range(5):
            harness.chain.mine()
        await catch_up(indexer)

    if custody == "self":
        assert mint(harness) == before
    else:
        # Its nonce is used by its own transaction: no other will make its token.
        assert (mint(harness).status, mint(harness).problem) == (MintStatus.REVERTED, NOT_DONE)
        assert harness.carrying("m1").state is TransactionState.FINAL
    assert set(refused(logs)) == {"m1"}
    token = harness.store.token_table[TokenKey(CONTRACT, STRANGE[what].token_id)]
    assert (token.owner, token.mint_id) == (STRANGE[what].recipient, None)


def mint_sender(harness: Harness) -> KeyRef | None:
    harness.record("template", MintStatus.SUBMITTED)
    return harness.store.mint_table.pop("template").sender


async def test_attempt__when_its_token_is_the_mints_own__then_the_mint_is_mined(harness: Harness) -> None:
    """The control."""
    recorded(harness, "m1")
    own = sent(Move(CONTRACT, 7, None, ALICE, DIGEST))
    harness.sign(own.hash, "m1")
    harness.chain.mine([own])

    with capture_logs() as logs:
        await catch_up(harness.start())

    assert (mint(harness).status, mint(harness).tx_hash) == (MintStatus.MINED, own.hash)
    assert harness.store.token_table[TokenKey(CONTRACT, 7)].mint_id == "m1"
    assert refused(logs) == []


@pytest.mark.parametrize("what", ["another recipient", "other metadata"])
async def test_voucher__when_its_token_id_was_minted_by_another__then_the_mint_stays_and_it_is_told(
    harness: Harness, what: str
) -> None:
    recorded(harness, "m1", custody="self", sender=None, status=MintStatus.ISSUED)
    before = mint(harness)
    harness.chain.mine([sent(STRANGE[what])])

    with capture_logs() as logs:
        await catch_up(harness.start())

    assert mint(harness) == before
    assert refused(logs) == ["m1"]
    assert harness.store.token_table[TokenKey(CONTRACT, 7)].mint_id is None


async def test_attempt__when_it_is_another_mints_voucher__then_that_mint_ends_and_no_other(
    harness: Harness,
) -> None:
    """A stranger's redemption, written down for a victim's mint by a forged message."""
    recorded(harness, "victims", custody="self", sender=None, token_id=7)
    recorded(
        harness, "mallorys", custody="self", sender=None, token_id=8, to=MALLORY, status=MintStatus.ISSUED
    )
    theirs = sent(Move(CONTRACT, 8, None, MALLORY, DIGEST))
    harness.sign(theirs.hash, "victims", own=True)
    harness.chain.mine([theirs])

    with capture_logs() as logs:
        await catch_up(harness.start())

    assert (mint(harness, "mallorys").status, mint(harness, "victims").status) == (
        MintStatus.MINED,
        MintStatus.SUBMITTED,
    )
    assert refused(logs) == ["victims"]
    assert harness.store.token_table[TokenKey(CONTRACT, 8)].mint_id == "mallorys"


@pytest.mark.parametrize("what", ["another recipient", "other metadata"])
@pytest.mark.parametrize("earlier", [True, False])
async def test_front_run__when_the_token_is_not_the_mints__then_the_mint_failed_and_says_why(
    harness: Harness, what: str, *, earlier: bool
) -> None:
    recorded(harness, "m1")
    taken, own = sent(STRANGE[what]), sent(name=2, succeeded=False)
    harness.sign(own.hash, "m1")
    if earlier:
        harness.chain.mine([taken])
        harness.chain.mine([own])
    else:
        harness.chain.mine([taken, own])

    with capture_logs() as logs:
        await catch_up(harness.start())

    assert (mint(harness).status, mint(harness).problem, mint(harness).tx_hash) == (
        MintStatus.REVERTED,
        TOKEN_TAKEN,
        own.hash,
    )
    assert refused(logs) == ["m1"]
    assert harness.store.token_table[TokenKey(CONTRACT, 7)].mint_id is None
