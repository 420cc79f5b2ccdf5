"""What chaos says of mints of items: each is one use of its serial, for what was asked for."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from mintline.chain.multi_token import ItemMintedEvent
from mintline_bench.load import Posted
from mintline_bench.verify import Verdict
from mintline_harness.chaos.items import ItemMint, judge_items
from mintline_harness.chaos.run import Shares

TO, DIGEST = "0x" + "0a" * 20, b"\x07" * 32
EVENT = ItemMintedEvent(serial=4, item_id=2, to=TO, quantity=3, metadata_digest=DIGEST)
GOOD = Verdict(minted=1, lost=0, doubled=0, failed=0, mismatched=0)


def posted(serial: int = 4, status: str = "finalized") -> Posted:
    body: dict[str, Any] = {
        "serial": str(serial),
        "token_id": "2",
        "quantity": "3",
        "to": TO,
        "metadata_digest": "0x" + DIGEST.hex(),
        "status": status,
    }
    return Posted(f"mint_{serial}", 0, f"item mint {serial}", 0.0, 0.0, body)


def test_verdict__when_each_serial_is_used_once_as_asked__then_clean() -> None:
    verdict = judge_items([EVENT, replace(EVENT, serial=5)], [posted(), posted(5)])
    assert verdict == replace(GOOD, minted=2)
    assert verdict.clean


@pytest.mark.parametrize(
    ("events", "status", "verdict"),
    [
        ([], "finalized", replace(GOOD, minted=0, lost=1)),
        ([], "rejected", replace(GOOD, minted=0, failed=1)),
        ([EVENT, EVENT], "finalized", replace(GOOD, doubled=1)),
        ([EVENT], "reverted", replace(GOOD, mismatched=1)),
        ([replace(EVENT, quantity=4)], "finalized", replace(GOOD, mismatched=1)),
        ([replace(EVENT, item_id=3)], "finalized", replace(GOOD, mismatched=1)),
        ([replace(EVENT, to="0x" + "0b" * 20)], "finalized", replace(GOOD, mismatched=1)),
        ([replace(EVENT, metadata_digest=bytes(32))], "finalized", replace(GOOD, mismatched=1)),
    ],
    ids=str,
)
def test_verdict__when_chain_and_api_differ__then_it_says_how(
    events: list[ItemMintedEvent], status: str, verdict: Verdict
) -> None:
    assert judge_items(events, [posted(status=status)]) == verdict
    assert not verdict.clean


def test_verdicts__when_added__then_each_count_is() -> None:
    assert Verdict(1, 2, 3, 4, 5) + Verdict(10, 20, 30, 40, 50) == Verdict(11, 22, 33, 44, 55)


def test_shares__when_a_seed_chooses__then_the_same_each_time_and_no_mint_is_of_both() -> None:
    shares = Shares(sponsored=0.3, items=0.2)
    sponsored, items = shares.chosen(7, 1000)
    assert (sponsored, items) == shares.chosen(7, 1000)
    assert not sponsored & items
    assert 150 < len(items) < 250
    assert Shares(sponsored=0.3).chosen(7, 1000)[1] == set()


def test_item_mints__when_numbered__then_several_are_of_one_item_with_other_quantities() -> None:
    item_mints = [ItemMint.of(number) for number in range(60)]
    assert {item_mint.item for item_mint in item_mints} == {1, 2, 3}
    assert len({item_mint.quantity for item_mint in item_mints if item_mint.item == 1}) == 5
    assert len({item_mint.to for item_mint in item_mints}) == 20
