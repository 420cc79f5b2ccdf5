"""Reconciling mints of ERC-1155 items: by their serials, item and quantity included."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from mintline.records.index import Token
from mintline.records.operations import Mint
from mintline.states import MintStatus
from mintline_indexer.chain_port import ItemMintedEvent, ItemTransferEvent
from mintline_indexer.reconciler.comparison import reconcile
from mintline_indexer.reconciler.findings import Kind
from mintline_testkit.constants import CONTRACT
from tests.unit.ops.test_reconcile import ALICE, BLOCK, BOB, BOOKS, DIGEST, TX, found, mint, token

PLACE: dict[str, Any] = {"block_number": 5, "block_hash": BLOCK, "tx_hash": TX, "contract": CONTRACT}


def made(**more: Any) -> ItemMintedEvent:
    fields = {"serial": 1, "token_id": 7, "recipient": ALICE, "quantity": 3, "metadata_digest": DIGEST}
    return ItemMintedEvent(**{**PLACE, "log_index": 0, **fields, **more})


def of_item(**more: Any) -> Mint:
    return mint(**{"item_id": 7, "quantity": 3, **more})


def item(**more: Any) -> Token:
    return token(**{"token_id": 7, "owner": None, "mint_id": None, "standard": "erc1155", **more})


def differences(
    mints: list[Mint], events: list[ItemMintedEvent | ItemTransferEvent], tokens: list[Token] | None = None
) -> list[Kind]:
    return [
        finding.kind
        for finding in found(mints=mints, events=events, tokens=[item()] if tokens is None else tokens)
    ]


def test_item__when_several_mints_made_of_it__then_nothing_is_wrong() -> None:
    moved = ItemTransferEvent(**PLACE, log_index=1, token_id=7, sender=None, recipient=ALICE, quantity=3)
    second = of_item(mint_id="mint_b", token_id=2, quantity=1, to=BOB)

    kinds = differences([of_item(), second], [made(), moved, made(serial=2, quantity=1, recipient=BOB)])

    assert kinds == []


@pytest.mark.parametrize(
    ("event", "kind"),
    [
        ({"token_id": 8}, Kind.WRONG_ITEM),
        ({"quantity": 4}, Kind.WRONG_ITEM),
        ({"recipient": BOB}, Kind.WRONG_RECIPIENT),
        ({"metadata_digest": bytes(32)}, Kind.WRONG_METADATA),
    ],
    ids=str,
)
def test_item__when_something_else_was_minted__then_that_is_said(event: dict[str, Any], kind: Kind) -> None:
    assert differences([of_item()], [made(**event)], [item(), item(token_id=8)]) == [kind]


def test_item__when_its_event_is_missing__then_the_mint_is_lost() -> None:
    assert differences([of_item()], []) == [Kind.LOST]


def test_item__when_its_mint_does_not_say_so__then_unsettled_or_misjudged() -> None:
    for status, kind in (
        (MintStatus.SUBMITTED, Kind.UNSETTLED),
        (MintStatus.REJECTED, Kind.MISJUDGED),
    ):
        assert differences([of_item(status=status)], [made()]) == [kind]


def test_item__when_no_mint_has_its_serial__then_it_is_foreign() -> None:
    assert differences([], [made()]) == [Kind.FOREIGN]


def test_item__when_the_index_does_not_know_it__then_it_is_not_indexed() -> None:
    assert differences([of_item()], [made()], []) == [Kind.NOT_INDEXED]


def test_token__when_its_mint_was_of_an_item__then_it_is_wrong_item() -> None:
    assert differences([mint()], [made()]) == [Kind.WRONG_ITEM]


def test_counts__when_several_mints_made_of_one_item__then_each_is_minted_and_indexed() -> None:
    events = [made(), made(serial=2, quantity=1, recipient=BOB), made(serial=3, token_id=9)]
    for tokens, indexed in (([item()], 2), ([item(), item(token_id=9)], 3), ([], 0)):
        counts = reconcile(replace(BOOKS, mints=[], events=events, tokens=tokens)).counts
        assert (counts["minted"], counts["indexed"]) == (3, indexed)
