"""Transfers and burns of ERC-1155 items over HTTP: by quantity, signed by the wallet, paid by a relayer."""

from __future__ import annotations

from typing import Any

import pytest

from mintline.chain.calls import Call
from mintline.errors import Unavailable
from mintline.eth import address_word, selector, word
from mintline.records.operations import RelayedBurn, RelayedTransfer
from mintline_testkit.api.client import MemoryClient
from mintline_testkit.api.harness import Harness
from tests.unit.api.test_api_transfers import (
    BOTH,
    BURNS,
    SECOND,
    TRANSFERS,
    accepted,
    cloned,
    give,
    id_in,
    post,
    wallet_of,
)

BALANCE_OF = selector("balanceOf(address,uint256)")


async def items_of(
    harness: Harness, client: MemoryClient, monkeypatch: pytest.MonkeyPatch, *, held: int | None
) -> str:
    """Have alice's wallet hold so many of item 7; None: no node answers. Return its address."""
    wallet = await cloned(harness, client)
    harness.index.collections[SECOND] = harness.index.collections[SECOND].evolve(standard="erc1155")
    # The index knows the item, which has no owner.
    give(harness, None, contract=SECOND)
    assert harness.chain is not None

    async def call(call: Call) -> bytes:
        assert (call.to, call.data) == (SECOND, BALANCE_OF + address_word(wallet) + word(7))
        if held is None:
            raise Unavailable("no node answers")
        return word(held)

    monkeypatch.setattr(harness.chain, "call", call)
    return wallet


@pytest.mark.parametrize(("path", "body"), BOTH)
async def test_post__when_of_an_item__then_the_quantity_is_on_record_and_shown(
    harness: Harness, client: MemoryClient, monkeypatch: pytest.MonkeyPatch, path: str, body: dict[str, Any]
) -> None:
    wallet = await items_of(harness, client, monkeypatch, held=3)

    for requested, recorded in (({"quantity": "3"}, 3), ({}, 1)):
        view = await accepted(harness, client, path, {**body, **requested, "contract": SECOND})

        assert (view["token_id"], view["quantity"], view["paid_by"]) == ("7", str(recorded), "relayer")
        record = harness.mints.token_operations[id_in(view)]
        assert isinstance(record, RelayedTransfer | RelayedBurn)
        assert (record.token_id, record.quantity, record.wallet.address) == (7, recorded, wallet)


@pytest.mark.parametrize(("path", "body"), BOTH)
async def test_post__when_the_wallet_holds_fewer__then_refused_with_what_it_holds(
    harness: Harness, client: MemoryClient, monkeypatch: pytest.MonkeyPatch, path: str, body: dict[str, Any]
) -> None:
    await items_of(harness, client, monkeypatch, held=2)

    answered = await post(harness, client, path, {**body, "quantity": "3", "contract": SECOND})

    assert (answered.status, answered.json()["code"]) == (403, "not-token-owner")
    assert [error["pointer"] for error in answered.json()["errors"]] == ["#/quantity"]
    assert "holds 2 of item 7" in answered.json()["detail"]
    assert harness.mints.token_operations == {}


async def test_post__when_no_node_answers__then_it_is_accepted_and_left_to_the_builder(
    harness: Harness, client: MemoryClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    await items_of(harness, client, monkeypatch, held=None)

    view = await accepted(harness, client, BURNS, {"token_id": "7", "quantity": "3", "contract": SECOND})

    assert view["status"] == "accepted"


@pytest.mark.parametrize(("path", "body"), BOTH)
@pytest.mark.parametrize("contract", [None, SECOND], ids=["own", "cloned"])
async def test_post__when_a_quantity_is_named_of_an_erc721_token__then_refused(
    harness: Harness, client: MemoryClient, path: str, body: dict[str, Any], contract: str | None
) -> None:
    give(harness, await wallet_of(harness, client))
    await cloned(harness, client)
    named = {} if contract is None else {"contract": contract}

    answered = await post(harness, client, path, {**body, **named, "quantity": "1"})

    assert (answered.status, answered.json()["code"]) == (422, "wrong-standard")
    assert [error["pointer"] for error in answered.json()["errors"]] == ["#/quantity"]
    assert harness.mints.token_operations == {}


async def test_post__when_a_key_is_used_for_another_quantity__then_refused(
    harness: Harness, client: MemoryClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    await items_of(harness, client, monkeypatch, held=9)
    body = {"token_id": "7", "contract": SECOND, "quantity": "2"}
    view = await accepted(harness, client, BURNS, body, idempotency_key="k")

    again = await accepted(harness, client, BURNS, body, idempotency_key="k")
    other = await post(harness, client, BURNS, {**body, "quantity": "3"}, idempotency_key="k")

    assert again == view
    assert (other.status, other.json()["code"]) == (422, "idempotency-key-reused")


async def test_transfer__when_the_item_is_soulbound__then_it_can_only_be_burned(
    harness: Harness, client: MemoryClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    await items_of(harness, client, monkeypatch, held=1)
    record = harness.index.collections[SECOND]
    assert record.clone is not None
    args = record.clone.args.model_copy(update={"soulbound": True})
    bound = record.evolve(clone=record.clone.model_copy(update={"args": args}))
    harness.index.collections[SECOND] = bound
    transfer = {"token_id": "7", "to": "0x70997970C51812dc3A010C7d01b50e0d17dc79C8", "contract": SECOND}

    refused = await post(harness, client, TRANSFERS, transfer)

    assert (refused.status, refused.json()["code"]) == (409, "token-soulbound")
    await accepted(harness, client, BURNS, {"token_id": "7", "contract": SECOND})
