"""Mints, transfers and burns of ERC-1155 items: what they call, and what authorizes them."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from mintline.authorizations import digest_of
from mintline.item_calls import (
    ItemMint,
    burn_item_calldata,
    mint_items_calldata,
    transfer_item_calldata,
)
from mintline.kinds import first_intent, meaning_of, transaction_of
from mintline.kinds.batch import batch_calldata, line_digest
from mintline.lines import Line, LinesRequest, pack_lines, unpack_lines
from mintline.messages.intents import SignBatch
from mintline.records.operations import Mint, RelayedBurn, RelayedTransfer
from tests.unit.kinds.test_shared_kinds import (
    BATCH,
    CLONE,
    CONTRACT,
    OTHER,
    RELAYED,
    RELAYED_BURN,
    RELAYED_TRANSFER,
    SIGNATURE,
    WALLET,
    reserved,
)

ITEMS = [mint.evolve(item_id=7, quantity=quantity) for mint, quantity in zip(BATCH, (3, 1, 2), strict=True)]
DIGEST = b"\x05" * 32
ITEM_TRANSFER = RelayedTransfer(**RELAYED, mint_id="transfer_2", to=OTHER, quantity=2)
ITEM_BURN = RelayedBurn(**RELAYED, mint_id="burn_2", quantity=2)


def batch_of(mints: list[Mint]) -> SignBatch:
    intent = first_intent(reserved("batch", clone=CLONE), mints)
    assert isinstance(intent, SignBatch)
    return intent


def test_batch__when_its_mints_are_of_items__then_it_calls_for_serials_items_and_quantities() -> None:
    intent = batch_of(ITEMS)

    expected = [ItemMint(serial, 7, quantity, OTHER, DIGEST) for serial, quantity in ((1, 3), (2, 1), (3, 2))]
    assert transaction_of(intent).data == mint_items_calldata(expected)
    assert [line_digest(intent, line) for line in intent.mints] == [digest_of(mint) for mint in ITEMS]


@pytest.mark.parametrize("changes", [{"item_id": 8}, {"quantity": 4}, {"token_id": 9}], ids=str)
def test_batch__when_an_item_or_quantity_is_another__then_so_are_meaning_and_digest(
    changes: dict[str, int],
) -> None:
    changed = [ITEMS[0].evolve(**changes), *ITEMS[1:]]

    assert digest_of(changed[0]) != digest_of(ITEMS[0])
    assert meaning_of(batch_of(changed)) != meaning_of(batch_of(ITEMS))


def test_digest__when_item_and_quantity_are_lost_on_the_way__then_it_is_not_the_authorized_one() -> None:
    lost = [mint.evolve(item_id=None, quantity=None) for mint in ITEMS]

    assert [digest_of(mint) for mint in lost] == [digest_of(mint) for mint in BATCH]
    assert not {digest_of(mint) for mint in lost} & {digest_of(mint) for mint in ITEMS}
    for of_item, of_token in ((ITEM_TRANSFER, RELAYED_TRANSFER), (ITEM_BURN, RELAYED_BURN)):
        assert digest_of(of_item) != digest_of(of_token)


def test_batch__when_one_of_its_mints_has_no_item__then_it_is_none() -> None:
    with pytest.raises(ValidationError, match="all lines have an item, or none has"):
        batch_of([*ITEMS[:2], BATCH[2]])
    with pytest.raises(ValueError, match="all lines have an item, or none has"):
        batch_calldata([ITEMS[0], BATCH[1]])


@pytest.mark.parametrize("half", [{"item_id": 7}, {"quantity": 1}], ids=str)
def test_batch__when_a_line_has_an_item_without_quantity_or_the_reverse__then_refused(
    half: dict[str, int],
) -> None:
    line = batch_of(BATCH).mints[0]

    with pytest.raises(ValidationError, match="item_id and quantity go together"):
        line.evolve(**half)


@pytest.mark.parametrize("quantity", [0, 2**64, -1])
def test_quantity__when_it_is_out_of_range__then_refused(quantity: int) -> None:
    with pytest.raises(ValidationError, match="quantity"):
        ITEM_BURN.evolve(quantity=quantity)


def test_relayed__when_it_is_of_an_item__then_call_meaning_and_digest_have_the_quantity() -> None:
    fields: dict[str, Any] = {
        "holder": WALLET,
        "token_id": 4,
        "quantity": 2,
        "counter": 6,
        "deadline": 99,
        "signature": SIGNATURE,
    }
    transfer = first_intent(reserved("relayed_transfer"), [ITEM_TRANSFER], b"sealed")
    burn = first_intent(reserved("relayed_burn"), [ITEM_BURN], b"sealed")

    assert transaction_of(transfer, issued=SIGNATURE).data == transfer_item_calldata(**fields, to=OTHER)
    assert transaction_of(burn, issued=SIGNATURE).data == burn_item_calldata(**fields)
    for intent, operation in ((transfer, ITEM_TRANSFER), (burn, ITEM_BURN)):
        assert meaning_of(intent) != meaning_of(intent.evolve(quantity=3))
        assert meaning_of(intent) != meaning_of(intent.evolve(quantity=None))
        assert digest_of(operation) != digest_of(operation.evolve(quantity=3))


def test_lines__when_they_are_of_items__then_packed_and_authorized_with_them() -> None:
    lines = [Line("shop", OTHER, DIGEST, None, None, 2**200, 3), Line("shop", OTHER, DIGEST, "a", ("b",))]
    request = LinesRequest(
        request_id="bulk_1", asked_by="shop", client_id="shop", chain_id=1, contract=CONTRACT
    )
    leaves = request.leaves(lines, chunk=0, first_token_id=5)
    chunk = request.chunk(lines, leaves=leaves, first_token_id=5, envelope=b"e", created_at=0, count=2)

    assert unpack_lines(pack_lines(lines)) == lines
    assert [(mint.item_id, mint.quantity) for mint in chunk.mints()] == [(2**200, 3), (None, None)]
    assert [digest_of(mint.evolve(request=None)) for mint in chunk.mints()] == leaves
